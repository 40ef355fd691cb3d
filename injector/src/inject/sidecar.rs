//! The settings of one pod's sidecar: the mesh's, with what the pod changes.

use super::{Parts, marker, quantity};
use crate::refused::Refused;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weft_api::injection::{InjectionSettings, NativeSidecar};

/// What the sidecar of one pod looks like.
#[derive(Clone, Debug)]
pub(super) struct Sidecar {
    /// The mesh's settings, changed by annotations.
    pub(super) settings: InjectionSettings,
    /// Hash of the mesh's settings, before annotations.
    pub(super) hash: String,
    /// Whether it is a restartable init container.
    pub(super) native: bool,
    /// Names of the templates, in order.
    pub(super) templates: Vec<String>,
    /// Whether images that templates name for Istio's containers are used.
    pub(super) keep_image: bool,
    /// Resources from annotations: (`requests` or `limits`, `cpu` or `memory`) → quantity. They come
    /// last, over the templates' resources.
    pub(super) resources: BTreeMap<(&'static str, &'static str), String>,
    /// What the pod's author should know.
    pub(super) warnings: Vec<String>,
}

impl Sidecar {
    /// As the mesh has it, before the pod is asked.
    pub(super) fn new(settings: &InjectionSettings) -> Self {
        Self {
            hash: marker::hash(settings),
            native: settings.proxy.native_sidecar != NativeSidecar::Never,
            templates: settings.default_templates.clone(),
            settings: settings.clone(),
            keep_image: false,
            resources: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    /// Puts the resources from annotations over those of the container, one by one.
    ///
    /// # Errors
    /// If the pod asks for a request above its own limit.
    pub(super) fn apply_resources(&self, parts: &mut Parts) -> Result<(), Refused> {
        let resources = &mut parts.proxy["resources"];
        for ((list, name), quantity) in &self.resources {
            resources[*list][*name] = json!(quantity);
        }
        for name in ["cpu", "memory"] {
            self.fit(resources, name)?;
        }
        Ok(())
    }

    /// Kubernetes refuses a request above the limit. Where the pod has set one of the two, the
    /// other follows; both in the wrong order are a mistake.
    fn fit(&self, resources: &mut Value, name: &'static str) -> Result<(), Refused> {
        let amount = |list: &str| quantity::parse(resources[list][name].as_str()?);
        let (Some(request), Some(limit)) = (amount("requests"), amount("limits")) else {
            return Ok(());
        };
        if request <= limit {
            return Ok(());
        }
        let asked = |list| self.resources.get(&(list, name));
        match (asked("requests"), asked("limits")) {
            (Some(request), Some(limit)) => Err(Refused::BadValue {
                key: format!("weft.mesh/proxy-{name}"),
                value: request.clone(),
                expected: format!("at most the limit of the same pod, {limit}"),
            }),
            (_, Some(limit)) => {
                resources["requests"][name] = json!(limit);
                Ok(())
            }
            (_, None) => {
                resources["limits"][name] = resources["requests"][name].clone();
                Ok(())
            }
        }
    }
}
