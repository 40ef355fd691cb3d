//! Why a pod has a sidecar or has none, by the injector's own decision. Pure.

use crate::answer::Answer;
use anyhow::Result;
use serde::Serialize;
use serde_json::Value;
use weft_api::injection::InjectionSettings;
use weft_injector::decide::{Decision, decide};
use weft_injector::inject::marker::Marker;
use weft_injector::{Namespace, Subject};

/// What is true of a pod's sidecar.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Why {
    pub(crate) pod: String,
    /// Whether it has one.
    pub(crate) sidecar: bool,
    /// One word, as the injector's metric and annotation have it.
    pub(crate) reason: String,
    /// What that means and what to do.
    pub(crate) text: String,
}

/// The reason, as text; yes if `pod` has a sidecar.
pub(crate) fn answer(
    pod: Value,
    namespace: &Namespace,
    settings: &InjectionSettings,
) -> Result<Answer> {
    let why = why(&Subject::new(pod)?, namespace, settings);
    let has = if why.sidecar { "has a" } else { "has no" };
    let text = format!("{} {has} sidecar: {}: {}", why.pod, why.reason, why.text);
    Ok(Answer::new(why.sidecar, text, &why))
}

/// The reason. What is decided now may differ from what was decided when the pod was made.
pub(crate) fn why(pod: &Subject, namespace: &Namespace, settings: &InjectionSettings) -> Why {
    let name = pod.typed.metadata.name.as_deref().unwrap_or_default();
    let said = |sidecar: bool, reason: &str, text: String| Why {
        pod: format!("pod {}/{name}", namespace.name),
        sidecar,
        reason: reason.to_owned(),
        text,
    };
    if let Some(marker) = Marker::of(&pod.typed) {
        return said(true, "Injected", injected(&marker, settings));
    }
    match decide(&pod.typed, namespace, settings) {
        Ok(Decision::Skip(skip)) => said(false, skip.code(), skip.to_string()),
        Ok(Decision::Inject) => said(false, "NotAsked", NOT_ASKED.to_owned()),
        Err(refused) => {
            let text = format!("it would be refused now: {refused}");
            said(false, refused.code(), text)
        }
    }
}

/// The injector was not asked when the pod was made.
const NOT_ASKED: &str = "it would get one now, so it is older than the label that asks for it, or was \
                         made while no injector answered; delete it, so that another comes in its place";

fn injected(marker: &Marker, settings: &InjectionSettings) -> String {
    let text = format!(
        "the mesh in namespace {} added it, revision {}",
        marker.mesh, marker.revision
    );
    if marker.revision == settings.revision {
        return text;
    }
    let newer = &settings.revision;
    format!("{text}; the mesh is of revision {newer} now, restart the pod to follow")
}
