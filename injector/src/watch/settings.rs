//! From the mesh's ConfigMaps to the settings in use. Pure.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use weft_api::injection::InjectionSettings;
use weft_api::templates::{self, InvalidTemplate};

/// Name of the ConfigMap that the operator writes.
pub const SETTINGS: &str = "weft-injection";
const KEY: &str = "settings.yaml";

/// Settings that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidSettings {
    /// What the operator wrote.
    #[error(
        "key settings.yaml of ConfigMap weft-injection is not readable: {0}; the operator writes it, see its log"
    )]
    Settings(String),
    /// What people wrote in Istio's form.
    #[error("ConfigMap {config_map}: {reason}")]
    Template {
        /// Its name.
        config_map: String,
        /// What is wrong.
        reason: String,
    },
}

/// Name of the ConfigMap with templates in Istio's form; `None` where the settings are unreadable.
pub fn source(ours: &ConfigMap) -> Option<String> {
    parse(ours)
        .ok()
        .map(|settings| settings.template_source.name)
}

/// The settings that the operator wrote, with what people wrote in Istio's form over them.
///
/// # Errors
/// If one of the two cannot be read.
pub fn read(
    ours: &ConfigMap,
    theirs: Option<&ConfigMap>,
) -> Result<InjectionSettings, InvalidSettings> {
    let mut settings = parse(ours)?;
    let source = settings.template_source.clone();
    let invalid = |reason: InvalidTemplate| InvalidSettings::Template {
        config_map: source.name.clone(),
        reason: reason.to_string(),
    };
    if let Some(text) = theirs.and_then(|map| text(map, &source.key)) {
        templates::apply(text, &mut settings).map_err(invalid)?;
    }
    check(&settings).map_err(invalid)?;
    Ok(settings)
}

fn parse(ours: &ConfigMap) -> Result<InjectionSettings, InvalidSettings> {
    let missing = || InvalidSettings::Settings("the key is missing".into());
    let text = text(ours, KEY).ok_or_else(missing)?;
    serde_saphyr::from_str(text).map_err(|e| InvalidSettings::Settings(e.to_string()))
}

fn text<'a>(map: &'a ConfigMap, key: &str) -> Option<&'a str> {
    map.data.as_ref()?.get(key).map(String::as_str)
}

/// Templates are merged as JSON, so their types are checked once here.
fn check(settings: &InjectionSettings) -> Result<(), InvalidTemplate> {
    settings.templates.iter().try_for_each(|(name, template)| {
        let read = serde_json::from_value::<Pod>(template.clone());
        read.map(drop).map_err(|e| InvalidTemplate::NotAPod {
            name: name.clone(),
            reason: e.to_string(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn map(name: &str, key: &str, text: &str) -> ConfigMap {
        let mut map = ConfigMap::default();
        map.metadata.name = Some(name.into());
        map.data = Some(BTreeMap::from([(key.into(), text.into())]));
        map
    }

    fn read_both(ours: &str, theirs: &str) -> Result<InjectionSettings, InvalidSettings> {
        let theirs = map("istio-sidecar-injector", "config", theirs);
        read(&map(SETTINGS, KEY, ours), Some(&theirs))
    }

    #[test]
    fn a_missing_key_is_told() {
        let error = read(&map(SETTINGS, "other", ""), None).unwrap_err();
        assert!(error.to_string().contains("the key is missing"), "{error}");
    }

    #[test]
    fn istios_config_map_is_put_over_the_operators() {
        let template = "template: 'containers: [{name: istio-proxy}]'";
        let settings = read_both("revision: r1", template).unwrap();
        assert_eq!(settings.revision, "r1");
        assert!(settings.templates.contains_key("sidecar"));
    }

    #[test]
    fn a_template_with_wrong_types_is_refused_by_the_name_of_its_config_map() {
        let template = "template: 'containers: [{name: istio-proxy, resources: much}]'";
        let error = read_both("revision: r1", template).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("ConfigMap istio-sidecar-injector: "),
            "{error}"
        );
    }
}
