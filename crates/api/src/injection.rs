//! Settings of the injector, as the operator writes them to the ConfigMap `weft-injection`.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that decides who gets a sidecar and what it looks like; key `settings.yaml`.
///
/// A missing key has the value of [`InjectionSettings::default`], which is also what the injector
/// uses until the ConfigMap has been read. Unknown keys are ignored, so that an older injector can
/// read the settings of a newer operator.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InjectionSettings {
    /// Namespace of the mesh; its pods are never injected.
    pub mesh_namespace: String,
    /// Version of the mesh, such as `0.1.0`.
    pub version: String,
    /// Revision, such as `0-1-0`.
    pub revision: String,
    /// `host:port` of the control plane as the proxies reach it.
    pub control: String,
    /// SPIFFE trust domain.
    pub trust_domain: String,
    /// Cluster id in metric labels.
    pub cluster_id: String,
    /// Which pods are injected.
    pub selection: SelectionSettings,
    /// The sidecar container.
    pub proxy: ProxySettings,
    /// The init container that captures traffic.
    pub init: InitSettings,
    /// `Always`, `IfNotPresent` or `Never`, for both containers; `None` leaves it to Kubernetes.
    pub image_pull_policy: Option<String>,
    /// Secrets added to `spec.imagePullSecrets`; they must exist in the pod's namespace.
    pub image_pull_secrets: Vec<String>,
    /// `RuntimeDefault` or `Unconfined`, for both containers.
    pub seccomp_profile: String,
    /// Whether HTTP, TCP and gRPC probes of the application are asked through the proxy.
    pub rewrite_probes: bool,
    /// Whether `prometheus.io/*` annotations are turned towards the proxy's merged metrics.
    pub prometheus_merge: bool,
    /// Which traffic is captured where no annotation says otherwise.
    pub interception: InterceptionSettings,
    /// What pods may change of their own sidecar.
    pub overrides: OverrideSettings,
    /// Template name → partial Pod, merged by name over the built-in sidecar.
    pub templates: BTreeMap<String, serde_json::Value>,
    /// Templates of every pod that does not ask for others, in the order in which they are merged.
    /// `sidecar` is the built-in one, which is always first and need not be in `templates`.
    pub default_templates: Vec<String>,
    /// ConfigMap of the mesh's namespace that holds further templates in Istio's form, see
    /// [`crate::templates`]; the injector watches it, and a missing one counts as empty.
    pub template_source: ConfigMapKey,
}

impl Default for InjectionSettings {
    fn default() -> Self {
        Self {
            mesh_namespace: "weft-system".into(),
            version: String::new(),
            revision: "default".into(),
            control: "weft-control.weft-system.svc:15012".into(),
            trust_domain: "cluster.local".into(),
            cluster_id: "Kubernetes".into(),
            selection: SelectionSettings::default(),
            proxy: ProxySettings::default(),
            init: InitSettings::default(),
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            seccomp_profile: "RuntimeDefault".into(),
            rewrite_probes: true,
            prometheus_merge: true,
            interception: InterceptionSettings::default(),
            overrides: OverrideSettings::default(),
            templates: BTreeMap::new(),
            default_templates: vec!["sidecar".into()],
            template_source: ConfigMapKey::default(),
        }
    }
}

/// One text in a ConfigMap.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigMapKey {
    /// Name of the ConfigMap.
    pub name: String,
    /// Key of the text.
    pub key: String,
}

/// Where Istio keeps its templates.
impl Default for ConfigMapKey {
    fn default() -> Self {
        Self {
            name: "istio-sidecar-injector".into(),
            key: "config".into(),
        }
    }
}

/// Which pods get a sidecar; labels of namespace and pod come on top, see the injector's `decide`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SelectionSettings {
    /// What holds where neither pod nor namespace says anything.
    pub policy: InjectionPolicy,
    /// Namespaces that are opted in besides those labelled `weft.mesh/inject: enabled`.
    pub namespace_selector: Option<LabelSelector>,
    /// Pods of opted-in namespaces that are meant; `None` means all.
    pub object_selector: Option<LabelSelector>,
    /// Whether `istio-injection` and `sidecar.istio.io/inject` count like our own labels.
    pub honor_istio_labels: bool,
    /// Pods that are injected where the pod itself says nothing.
    pub always_inject: Vec<LabelSelector>,
    /// Pods that are not injected where the pod itself says nothing; wins over `always_inject`.
    pub never_inject: Vec<LabelSelector>,
    /// Namespaces without injection, whatever their labels; `kube-*` and the mesh's are always so.
    pub excluded_namespaces: Vec<String>,
}

impl Default for SelectionSettings {
    fn default() -> Self {
        Self {
            policy: InjectionPolicy::Enabled,
            namespace_selector: None,
            object_selector: None,
            honor_istio_labels: true,
            always_inject: Vec::new(),
            never_inject: Vec::new(),
            excluded_namespaces: vec![
                "kube-system".into(),
                "kube-public".into(),
                "kube-node-lease".into(),
                "local-path-storage".into(),
            ],
        }
    }
}

/// Istio's `policy` of the injector.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InjectionPolicy {
    /// Pods of opted-in namespaces are injected.
    #[default]
    Enabled,
    /// Only pods that ask for it themselves are injected.
    Disabled,
}

/// The container `weft-proxy`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProxySettings {
    /// Image of `weft-proxy`.
    pub image: String,
    /// Requests and limits.
    pub resources: ResourceRequirements,
    /// Worker threads; 0 follows the CPU limit.
    pub concurrency: u32,
    /// Log filter such as `warn,weft=info`.
    pub log: String,
    /// `text` or `json`.
    pub log_format: String,
    /// Restartable init container or ordinary container.
    pub native_sidecar: NativeSidecar,
    /// User that the proxy runs as; its packets are not captured.
    pub uid: i64,
    /// Group that the proxy runs as.
    pub gid: i64,
    /// Whether the application's containers start only once the proxy is ready.
    pub hold_application: bool,
    /// Longest time for open connections after the application has gone, such as `25s`.
    pub drain: String,
    /// Shortest such time, during which late connections are still accepted.
    pub minimum_drain: String,
    /// Life of the certificates that the proxy asks for, such as `24h`.
    pub cert_ttl: String,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            image: "localhost/weft-proxy:dev".into(),
            resources: resources(("10m", "64Mi"), ("2000m", "1024Mi")),
            concurrency: 0,
            log: "warn,weft=info".into(),
            log_format: "text".into(),
            native_sidecar: NativeSidecar::Auto,
            uid: 1337,
            gid: 1337,
            hold_application: true,
            drain: "25s".into(),
            minimum_drain: "5s".into(),
            cert_ttl: "24h".into(),
        }
    }
}

/// The container `weft-init`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InitSettings {
    /// Image of `weft-proxy`, for `weft-proxy init`; empty means the proxy's.
    pub image: String,
    /// Requests and limits.
    pub resources: ResourceRequirements,
}

impl Default for InitSettings {
    fn default() -> Self {
        Self {
            image: String::new(),
            resources: resources(("10m", "32Mi"), ("100m", "64Mi")),
        }
    }
}

/// Whether the proxy is a restartable init container.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum NativeSidecar {
    /// Native, unless the pod's annotation asks for the classic shape.
    #[default]
    Auto,
    /// Native, whatever the pod's annotation says.
    Always,
    /// An ordinary container, unless the pod's annotation asks for native.
    Never,
}

/// Traffic capture; the texts are comma-separated lists as in Istio's annotations.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InterceptionSettings {
    /// Destinations that are captured: CIDRs or `*`.
    #[serde(rename = "includeOutboundIPRanges")]
    pub include_outbound_ip_ranges: String,
    /// Destinations that are not captured: CIDRs.
    #[serde(rename = "excludeOutboundIPRanges")]
    pub exclude_outbound_ip_ranges: String,
    /// Ports that are captured even where their address is not: numbers.
    pub include_outbound_ports: String,
    /// Destination ports that are not captured: numbers.
    pub exclude_outbound_ports: String,
    /// The application's ports that are captured: numbers or `*`.
    pub include_inbound_ports: String,
    /// The application's ports that are not captured: numbers.
    pub exclude_inbound_ports: String,
    /// Whether DNS questions are answered by the proxy.
    pub dns_capture: bool,
}

impl Default for InterceptionSettings {
    fn default() -> Self {
        Self {
            include_outbound_ip_ranges: "*".into(),
            exclude_outbound_ip_ranges: String::new(),
            include_outbound_ports: String::new(),
            exclude_outbound_ports: String::new(),
            include_inbound_ports: "*".into(),
            exclude_inbound_ports: String::new(),
            dns_capture: false,
        }
    }
}

/// Limits of what a pod may change of its own sidecar.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OverrideSettings {
    /// Whether annotations may change resources, capture and logging.
    pub allow_annotations: bool,
    /// Largest CPU request and limit that a pod may ask for; `None` has no bound.
    #[serde(rename = "maxCPU")]
    pub max_cpu: Option<Quantity>,
    /// Largest memory request and limit that a pod may ask for; `None` has no bound.
    pub max_memory: Option<Quantity>,
    /// Fields of the proxy's container that a pod's own `weft-proxy` container may not set,
    /// such as `securityContext.privileged`.
    pub deny_fields: Vec<String>,
}

impl Default for OverrideSettings {
    fn default() -> Self {
        Self {
            allow_annotations: true,
            max_cpu: Some(Quantity("4".into())),
            max_memory: Some(Quantity("4Gi".into())),
            deny_fields: vec!["image".into(), "securityContext.privileged".into()],
        }
    }
}

/// `(cpu, memory)` of requests and of limits.
fn resources(requests: (&str, &str), limits: (&str, &str)) -> ResourceRequirements {
    let list = |(cpu, memory): (&str, &str)| {
        Some(BTreeMap::from([
            ("cpu".to_owned(), Quantity(cpu.to_owned())),
            ("memory".to_owned(), Quantity(memory.to_owned())),
        ]))
    };
    ResourceRequirements {
        requests: list(requests),
        limits: list(limits),
        claims: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_settings_are_the_defaults() {
        let settings: InjectionSettings = serde_saphyr::from_str("{}").unwrap();
        assert_eq!(settings, InjectionSettings::default());
    }

    #[test]
    fn settings_survive_being_written_and_read() {
        let mut settings = InjectionSettings {
            version: "0.1.0".into(),
            ..Default::default()
        };
        settings.templates.insert(
            "team".into(),
            serde_json::json!({"spec": {"hostIPC": false}}),
        );
        settings
            .selection
            .never_inject
            .push(LabelSelector::default());
        let text = serde_saphyr::to_string(&settings).unwrap();
        assert_eq!(
            serde_saphyr::from_str::<InjectionSettings>(&text).unwrap(),
            settings
        );
    }

    #[test]
    fn keys_are_spelled_as_in_the_meshoperator() {
        let text = serde_json::to_string(&InjectionSettings::default()).unwrap();
        for key in [
            "includeOutboundIPRanges",
            "maxCPU",
            "honorIstioLabels",
            "nativeSidecar",
        ] {
            assert!(text.contains(&format!("\"{key}\"")), "{key} in {text}");
        }
    }
}
