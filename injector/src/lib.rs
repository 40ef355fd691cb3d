//! The injector: decides whether a new pod gets a sidecar, and makes the patch that adds it.
//!
//! Flows in: a pod as raw JSON, the labels of its namespace, the mesh's settings. Flows out: a
//! [`Verdict`]. `admission` is the only part that does I/O for a review, `watch` the only one that
//! talks to the API server; everything between is pure. Must never lose a field of a pod, known to
//! us or not: pods are changed as JSON, never written back from types.

pub mod admission;
pub mod decide;
pub mod inject;
pub mod metrics;
pub mod patch;
pub mod refused;
pub mod watch;

use decide::{Decision, Skip};
use json_patch::Patch;
use k8s_openapi::api::core::v1::Pod;
use refused::Refused;
use serde_json::Value;
use std::collections::BTreeMap;
use weft_api::injection::InjectionSettings;
use weft_api::labels;

/// The namespace of a pod, as far as the injector cares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A pod in both forms: `raw` is changed, `typed` is read.
#[derive(Clone, Debug)]
pub struct Subject {
    /// As the API server sent it.
    pub raw: Value,
    /// The same without fields that are newer than our types.
    pub typed: Pod,
}

impl Subject {
    /// Reads a pod.
    ///
    /// # Errors
    /// If `raw` is no Pod.
    pub fn new(raw: Value) -> Result<Self, Refused> {
        let typed: Pod =
            serde_json::from_value(raw.clone()).map_err(|e| Refused::NotAPod(e.to_string()))?;
        match typed.spec {
            Some(_) => Ok(Self { raw, typed }),
            None => Err(Refused::NotAPod("it has no spec".into())),
        }
    }

    /// A label or annotation of the pod.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        let annotations = self.typed.metadata.annotations.as_ref()?;
        annotations.get(key).map(String::as_str)
    }
}

/// What becomes of a pod, and what the user hears of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It gets a sidecar.
    Injected {
        /// From the pod to the injected pod.
        patch: Patch,
        /// Shown by the client that created the pod.
        warnings: Vec<String>,
    },
    /// It stays as it is, but for an annotation that says why.
    Skipped {
        /// Why.
        skip: Skip,
        /// Adds the annotation; empty where nobody expects a sidecar.
        patch: Patch,
    },
    /// It may not be created.
    Denied(Refused),
}

impl Verdict {
    /// `injected`, `skipped` or `denied`, and the reason: labels of the metric.
    pub fn labels(&self) -> (&'static str, &'static str) {
        match self {
            Self::Injected { .. } => ("injected", "Enabled"),
            Self::Skipped { skip, .. } => ("skipped", skip.code()),
            Self::Denied(refused) => ("denied", refused.code()),
        }
    }
}

/// Decides about one pod that is to be created.
pub fn review(pod: &Subject, namespace: &Namespace, settings: &InjectionSettings) -> Verdict {
    match decide::decide(&pod.typed, namespace, settings) {
        Err(refused) => Verdict::Denied(refused),
        Ok(Decision::Skip(skip)) => skipped(pod, skip),
        Ok(Decision::Inject) => match inject::inject(pod, namespace, settings) {
            Ok(injected) => Verdict::Injected {
                patch: patch::between(&pod.raw, &injected.pod),
                warnings: injected.warnings,
            },
            Err(refused) => Verdict::Denied(refused),
        },
    }
}

fn skipped(pod: &Subject, skip: Skip) -> Verdict {
    let mut noted = pod.raw.clone();
    if skip.is_surprising() {
        let text = Value::String(format!("{}: {skip}", skip.code()));
        inject::set_metadata(&mut noted, "annotations", labels::SKIPPED, text);
    }
    let patch = patch::between(&pod.raw, &noted);
    Verdict::Skipped { skip, patch }
}
