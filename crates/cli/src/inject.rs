//! Manifests with sidecars, by the injector's own review. Pure.
//!
//! Manifests are taken for those of a namespace that asks for sidecars, so that one can see what
//! the label would do.

use crate::answer::{Answer, yaml};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weft_api::injection::InjectionSettings;
use weft_api::labels::INJECT;
use weft_injector::{Namespace, Subject, Verdict, review};

/// The documents of `text` with their sidecars; yes unless one would be refused.
pub(crate) fn answer(text: &str, namespace: &str, settings: &InjectionSettings) -> Result<Answer> {
    let (mut documents, mut notes, mut good) = (Vec::new(), Vec::new(), true);
    for mut document in read(text)? {
        let mut injecting = Injecting {
            namespace,
            settings,
            notes: &mut notes,
            good: &mut good,
        };
        injecting.document(&mut document)?;
        documents.push(document);
    }
    let text: Vec<String> = documents.iter().map(yaml).collect();
    Ok(Answer {
        notes,
        ..Answer::new(good, text.join("---\n"), &documents)
    })
}

/// The documents of a YAML text, empty ones left out.
fn read(text: &str) -> Result<Vec<Value>> {
    let documents = text.split("\n---").enumerate().map(|(number, text)| {
        serde_saphyr::from_str::<Value>(text.trim_start_matches("---"))
            .with_context(|| format!("document {} is not YAML", number + 1))
    });
    let filled = |read: &Result<Value>| !matches!(read, Ok(Value::Null));
    documents.filter(filled).collect()
}

/// One run over a manifest.
struct Injecting<'a> {
    namespace: &'a str,
    settings: &'a InjectionSettings,
    notes: &'a mut Vec<String>,
    good: &'a mut bool,
}

impl Injecting<'_> {
    /// Injects the pods that `document` describes, however deep.
    fn document(&mut self, document: &mut Value) -> Result<()> {
        let kind = document["kind"].as_str().unwrap_or_default().to_owned();
        if let Some(items) = document.get_mut("items").and_then(Value::as_array_mut) {
            return items.iter_mut().try_for_each(|item| self.document(item));
        }
        let owner = document.clone();
        match template(&kind) {
            None => Ok(()),
            Some("") => self.pod(document, &owner),
            Some(path) => match document.pointer_mut(path) {
                None => Ok(()),
                Some(template) => self.template(template, &owner),
            },
        }
    }

    /// Injects a pod template as the pod that `owner` would make of it.
    fn template(&mut self, template: &mut Value, owner: &Value) -> Result<()> {
        let mut pod = template.clone();
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": owner["apiVersion"],
            "kind": owner["kind"], "name": owner["metadata"]["name"], "uid": "", "controller": true}]);
        self.pod(&mut pod, owner)?;
        if let Some(metadata) = pod["metadata"].as_object_mut() {
            metadata.remove("ownerReferences");
        }
        template["metadata"] = pod["metadata"].take();
        template["spec"] = pod["spec"].take();
        Ok(())
    }

    fn pod(&mut self, pod: &mut Value, of: &Value) -> Result<()> {
        let name = format!(
            "{} {}",
            of["kind"].as_str().unwrap_or_default(),
            of["metadata"]["name"].as_str().unwrap_or_default()
        );
        let namespace = of["metadata"]["namespace"].as_str();
        let namespace = Namespace {
            name: namespace.unwrap_or(self.namespace).to_owned(),
            labels: BTreeMap::from([(INJECT.to_owned(), "enabled".to_owned())]),
        };
        match review(&Subject::new(pod.clone())?, &namespace, self.settings) {
            Verdict::Injected { patch, warnings } => {
                json_patch::patch(pod, &patch).context("the injector's own patch")?;
                let notes = warnings.into_iter().map(|text| format!("{name}: {text}"));
                self.notes.extend(notes);
            }
            Verdict::Skipped { skip, .. } => {
                self.notes
                    .push(format!("{name}: skipped: {}: {skip}", skip.code()));
            }
            Verdict::Denied(refused) => {
                *self.good = false;
                self.notes
                    .push(format!("{name}: refused: {}: {refused}", refused.code()));
            }
        }
        Ok(())
    }
}

/// Where the pod template of a kind is; empty for the pod itself, `None` for what makes no pods.
fn template(kind: &str) -> Option<&'static str> {
    match kind {
        "Pod" => Some(""),
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job" => Some("/spec/template"),
        "CronJob" => Some("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}
