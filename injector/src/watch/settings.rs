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

impl InvalidSettings {
    /// The ConfigMap that is to be corrected.
    pub fn config_map(&self) -> &str {
        match self {
            Self::Settings(_) => SETTINGS,
            Self::Template { config_map, .. } => config_map,
        }
    }
}

/// Reads the settings and the templates that they point to; `None` while the operator has not
/// written any.
pub fn read<'a>(
    map: impl Fn(&str) -> Option<&'a ConfigMap>,
) -> Option<Result<InjectionSettings, InvalidSettings>> {
    let text = text(map(SETTINGS)?, KEY)?;
    Some(
        serde_saphyr::from_str(text)
            .map_err(|e| InvalidSettings::Settings(e.to_string()))
            .and_then(|mut settings: InjectionSettings| {
                let source = settings.template_source.clone();
                let invalid = |reason: String| InvalidSettings::Template {
                    config_map: source.name.clone(),
                    reason,
                };
                if let Some(text) = map(&source.name).and_then(|map| self::text(map, &source.key)) {
                    templates::apply(text, &mut settings).map_err(|e| invalid(e.to_string()))?;
                }
                check(&settings).map_err(|e| invalid(e.to_string()))?;
                Ok(settings)
            }),
    )
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

    fn read_all(maps: &[ConfigMap]) -> Option<Result<InjectionSettings, InvalidSettings>> {
        read(|name| {
            maps.iter()
                .find(|m| m.metadata.name.as_deref() == Some(name))
        })
    }

    #[test]
    fn nothing_is_in_use_before_the_operator_has_written() {
        assert_eq!(read_all(&[]), None);
    }

    #[test]
    fn istios_config_map_is_put_over_the_operators() {
        let settings = read_all(&[
            map(SETTINGS, KEY, "revision: r1"),
            map(
                "istio-sidecar-injector",
                "config",
                "template: 'containers: [{name: istio-proxy}]'",
            ),
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(settings.revision, "r1");
        assert!(settings.templates.contains_key("sidecar"));
    }

    #[test]
    fn a_template_with_wrong_types_is_refused_by_the_name_of_its_config_map() {
        let settings = read_all(&[
            map(SETTINGS, KEY, "revision: r1"),
            map(
                "istio-sidecar-injector",
                "config",
                "template: 'containers: [{name: istio-proxy, resources: much}]'",
            ),
        ]);
        let error = settings.unwrap().unwrap_err();
        assert_eq!(error.config_map(), "istio-sidecar-injector");
    }
}
