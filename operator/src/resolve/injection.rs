//! What the injector reads.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;
use std::collections::BTreeMap;
use weft_api::injection::{
    ConfigMapKey, InitSettings, InjectionSettings, InterceptionSettings, OverrideSettings,
    ProxySettings, SelectionSettings,
};
use weft_api::operator::{
    Injection, Interception, Lifecycle, MeshOperatorSpec, Overrides, Proxy, Resources, Template,
    quantity,
};
use weft_api::settings::MeshSettings;

/// The injector's settings for `spec`, whose proxies run `image`.
pub(super) fn settings(
    spec: &MeshOperatorSpec,
    mesh: &MeshSettings,
    image: String,
) -> InjectionSettings {
    let proxy = spec.proxy.clone().unwrap_or_default();
    let injection = spec.injection.clone().unwrap_or_default();
    let template = injection.template.clone().unwrap_or_default();
    let defaults = InjectionSettings::default();
    InjectionSettings {
        mesh_namespace: mesh.root_namespace.clone(),
        version: mesh.version.clone(),
        revision: mesh.revision.clone(),
        control: format!("weft-control.{}.svc:15012", mesh.root_namespace),
        trust_domain: mesh.trust_domain.clone(),
        cluster_id: mesh.cluster_id.clone(),
        init: init(&proxy),
        seccomp_profile: proxy
            .seccomp_profile
            .unwrap_or_default()
            .as_str()
            .to_owned(),
        image_pull_policy: Some(
            spec.image_pull_policy
                .unwrap_or_default()
                .as_str()
                .to_owned(),
        ),
        image_pull_secrets: spec.image_pull_secrets.clone(),
        rewrite_probes: injection
            .rewrite_app_http_probes
            .unwrap_or(defaults.rewrite_probes),
        prometheus_merge: merges_metrics(spec).unwrap_or(defaults.prometheus_merge),
        interception: interception(injection.interception.clone().unwrap_or_default()),
        overrides: overrides(injection.overrides.clone().unwrap_or_default()),
        template_source: source(&template),
        default_templates: default_templates(&template),
        templates: templates(template),
        selection: selection(injection),
        proxy: container(proxy, mesh, image),
    }
}

fn merges_metrics(spec: &MeshOperatorSpec) -> Option<bool> {
    spec.addons.as_ref()?.prometheus.as_ref()?.merge_app_metrics
}

fn selection(injection: Injection) -> SelectionSettings {
    let defaults = SelectionSettings::default();
    SelectionSettings {
        policy: injection.policy.unwrap_or_default(),
        namespace_selector: injection.namespace_selector,
        object_selector: injection.object_selector,
        honor_istio_labels: injection.honor_istio_labels.unwrap_or(true),
        always_inject: injection.always_inject_selector,
        never_inject: injection.never_inject_selector,
        excluded_namespaces: injection
            .excluded_namespaces
            .unwrap_or(defaults.excluded_namespaces),
    }
}

fn container(proxy: Proxy, mesh: &MeshSettings, image: String) -> ProxySettings {
    let defaults = ProxySettings::default();
    let lifecycle: Lifecycle = proxy.lifecycle.unwrap_or_default();
    ProxySettings {
        image: proxy.image.unwrap_or(image),
        resources: resources(proxy.resources, defaults.resources),
        concurrency: proxy
            .concurrency
            .and_then(|n| n.try_into().ok())
            .unwrap_or_default(),
        log: proxy.log_level.unwrap_or(defaults.log),
        log_format: proxy
            .log_format
            .map_or(defaults.log_format, |f| f.as_str().to_owned()),
        native_sidecar: proxy.native_sidecar.unwrap_or_default(),
        uid: proxy.uid.unwrap_or(defaults.uid),
        gid: proxy.gid.unwrap_or(defaults.gid),
        hold_application: lifecycle
            .hold_application_until_proxy_starts
            .unwrap_or(true),
        drain: lifecycle
            .termination_drain_duration
            .map_or(defaults.drain, String::from),
        minimum_drain: lifecycle
            .minimum_drain
            .map_or(defaults.minimum_drain, String::from),
        cert_ttl: mesh.workload_cert_ttl.clone(),
    }
}

fn init(proxy: &Proxy) -> InitSettings {
    let defaults = InitSettings::default();
    InitSettings {
        resources: resources(proxy.init_resources.clone(), defaults.resources),
        ..InitSettings::default()
    }
}

/// `wanted` where it says something, else `defaults`; per resource, so that a memory limit alone
/// does not cost the CPU request. A default that contradicts what is wanted gives way.
fn resources(wanted: Option<Resources>, defaults: ResourceRequirements) -> ResourceRequirements {
    let Some(wanted) = wanted else {
        return defaults;
    };
    let requests = over(
        &wanted.requests,
        defaults.requests.unwrap_or_default(),
        &wanted.limits,
    );
    let limits = over(
        &wanted.limits,
        defaults.limits.unwrap_or_default(),
        &wanted.requests,
    );
    ResourceRequirements {
        requests: Some(requests),
        limits: Some(limits),
        ..ResourceRequirements::default()
    }
}

/// `wanted` over those `defaults` that `opposite`, the other half of the pair, does not name.
fn over(
    wanted: &BTreeMap<String, IntOrString>,
    mut defaults: BTreeMap<String, Quantity>,
    opposite: &BTreeMap<String, IntOrString>,
) -> BTreeMap<String, Quantity> {
    defaults.retain(|name, _| !opposite.contains_key(name));
    defaults.extend(
        wanted
            .iter()
            .map(|(name, amount)| (name.clone(), quantity(amount))),
    );
    defaults
}

fn interception(wanted: Interception) -> InterceptionSettings {
    let defaults = InterceptionSettings::default();
    InterceptionSettings {
        include_outbound_ip_ranges: wanted
            .include_outbound_ip_ranges
            .unwrap_or(defaults.include_outbound_ip_ranges),
        exclude_outbound_ip_ranges: wanted.exclude_outbound_ip_ranges.unwrap_or_default(),
        exclude_inbound_ports: wanted.exclude_inbound_ports.unwrap_or_default(),
        exclude_outbound_ports: wanted.exclude_outbound_ports.unwrap_or_default(),
        dns_capture: wanted.dns_capture.unwrap_or(defaults.dns_capture),
        ..InterceptionSettings::default()
    }
}

fn overrides(wanted: Overrides) -> OverrideSettings {
    let defaults = OverrideSettings::default();
    OverrideSettings {
        allow_annotations: wanted
            .allow_annotations
            .unwrap_or(defaults.allow_annotations),
        max_cpu: wanted.max_cpu.as_ref().map(quantity).or(defaults.max_cpu),
        max_memory: wanted
            .max_memory
            .as_ref()
            .map(quantity)
            .or(defaults.max_memory),
        deny_fields: wanted.deny_fields.unwrap_or(defaults.deny_fields),
    }
}

fn source(template: &Template) -> ConfigMapKey {
    let defaults = ConfigMapKey::default();
    match &template.config_map_ref {
        None => defaults,
        Some(reference) => ConfigMapKey {
            name: reference.name.clone(),
            key: reference.key.clone().unwrap_or(defaults.key),
        },
    }
}

fn default_templates(template: &Template) -> Vec<String> {
    match template.default_templates.as_slice() {
        [] => InjectionSettings::default().default_templates,
        names => names.to_vec(),
    }
}

/// Inline templates as data; the injector reports one that is not a part of a pod.
fn templates(template: Template) -> BTreeMap<String, Value> {
    let data = |text: String| serde_saphyr::from_str(&text).unwrap_or(Value::String(text));
    template
        .inline
        .into_iter()
        .map(|(name, text)| (name, data(text)))
        .collect()
}
