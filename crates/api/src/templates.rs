//! Istio's injector configuration as people have it: policy, selectors and templates of the sidecar.
//!
//! Flows in: the text under key `config` of a ConfigMap such as `istio-sidecar-injector`. Flows out:
//! changes of [`InjectionSettings`]. Templates are plain YAML and stay data: they are merged part by
//! part, never filled in as text.

use crate::injection::{InjectionPolicy, InjectionSettings};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Name of the built-in template; a template of this name is merged over it.
pub const SIDECAR: &str = "sidecar";

/// Why a text is no injector configuration.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidTemplate {
    /// A Go template.
    #[error(
        "line {line} has a template action ({text}); write the value itself, or set it in the MeshOperator"
    )]
    Action {
        /// Line in the text, from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// Not YAML, or not of this shape.
    #[error(
        "the injector configuration is not readable: {0}; compare with the keys policy, template, templates, defaultTemplates"
    )]
    Unreadable(String),
    /// A template that is not a map.
    #[error(
        "template {name} is not a readable part of a pod: {reason}; write initContainers, containers or spec as in a pod"
    )]
    NotAPod {
        /// Name of the template.
        name: String,
        /// What the parser says.
        reason: String,
    },
}

/// The parts of Istio's injector configuration that mean something here; other keys are ignored.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    policy: Option<InjectionPolicy>,
    /// Before Istio 1.10: the only template.
    template: Option<String>,
    templates: BTreeMap<String, String>,
    default_templates: Vec<String>,
    never_inject_selector: Vec<LabelSelector>,
    always_inject_selector: Vec<LabelSelector>,
}

/// Puts what `text` says over `settings`; what it does not name stays.
///
/// # Errors
/// If the text has a template action or is not such a configuration; `settings` are then unchanged.
pub fn apply(text: &str, settings: &mut InjectionSettings) -> Result<(), InvalidTemplate> {
    refuse_actions(text)?;
    let document: Document =
        serde_saphyr::from_str(text).map_err(|e| InvalidTemplate::Unreadable(e.to_string()))?;
    let templates = (document
        .template
        .into_iter()
        .map(|text| (SIDECAR.to_owned(), text)))
    .chain(document.templates)
    .map(|(name, text)| Ok((name.clone(), fragment(name, &text)?)))
    .collect::<Result<BTreeMap<_, _>, _>>()?;
    settings.templates.extend(templates);
    if !document.default_templates.is_empty() {
        settings.default_templates = document.default_templates;
    }
    let selection = &mut settings.selection;
    selection.policy = document.policy.unwrap_or(selection.policy);
    selection
        .never_inject
        .extend(document.never_inject_selector);
    selection
        .always_inject
        .extend(document.always_inject_selector);
    Ok(())
}

fn refuse_actions(text: &str) -> Result<(), InvalidTemplate> {
    match text
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains("{{"))
    {
        None => Ok(()),
        Some((index, line)) => Err(InvalidTemplate::Action {
            line: index + 1,
            text: line.trim().to_owned(),
        }),
    }
}

/// A partial Pod; Istio's old form is only what stands under `spec`.
fn fragment(name: String, text: &str) -> Result<Value, InvalidTemplate> {
    match serde_saphyr::from_str::<Value>(text) {
        Ok(Value::Object(pod)) if pod.contains_key("spec") || pod.contains_key("metadata") => {
            Ok(Value::Object(pod))
        }
        Ok(Value::Object(spec)) => Ok(json!({ "spec": spec })),
        Ok(other) => Err(InvalidTemplate::NotAPod {
            name,
            reason: format!("it is {other}"),
        }),
        Err(e) => Err(InvalidTemplate::NotAPod {
            name,
            reason: e.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_single_template_counts_for_the_sidecar() {
        let mut settings = InjectionSettings::default();
        let text = "policy: disabled\ntemplate: |-\n  containers:\n  - name: istio-proxy\n    image: istio/proxyv2:1.16.0\n";
        apply(text, &mut settings).unwrap();
        assert_eq!(settings.selection.policy, InjectionPolicy::Disabled);
        assert_eq!(
            settings.templates[SIDECAR]["spec"]["containers"][0]["name"],
            "istio-proxy"
        );
    }

    #[test]
    fn named_templates_are_kept_beside_the_built_in_one() {
        let mut settings = InjectionSettings::default();
        let text = "defaultTemplates: [sidecar, team]\ntemplates:\n  team: |\n    metadata: {labels: {team: red}}\n";
        apply(text, &mut settings).unwrap();
        assert_eq!(settings.default_templates, ["sidecar", "team"]);
        assert_eq!(
            settings.templates["team"]["metadata"]["labels"]["team"],
            "red"
        );
    }

    #[test]
    fn a_template_action_is_refused_with_its_line() {
        let mut settings = InjectionSettings::default();
        let text = "policy: enabled\ntemplate: |-\n  containers:\n  - image: {{ .Image }}\n";
        let error = apply(text, &mut settings).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("line 4 has a template action"),
            "{error}"
        );
        assert_eq!(settings, InjectionSettings::default());
    }

    #[test]
    fn a_template_that_is_a_list_is_refused_by_name() {
        let error = apply(
            "templates: {team: '- a'}",
            &mut InjectionSettings::default(),
        );
        assert!(
            error
                .unwrap_err()
                .to_string()
                .starts_with("template team is not")
        );
    }
}
