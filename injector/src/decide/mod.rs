//! Who gets a sidecar; the only place that knows which of several labels counts.
//!
//! From the strongest: what makes injection impossible, a namespace that is off, the pod's own
//! word, the mesh's selectors, the namespace's word, the mesh's policy.

use crate::Namespace;
use crate::inject::marker::Marker;
use crate::refused::Refused;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use std::collections::BTreeMap;
use weft_api::injection::{InjectionPolicy, InjectionSettings, SelectionSettings};
use weft_api::labels;

#[cfg(test)]
mod tests;

/// Whether a pod gets a sidecar.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision {
    /// It does.
    Inject,
    /// It does not, and that is no fault.
    Skip(Skip),
}

/// Why a pod stays without a sidecar; the texts are for people, [`Skip::code`] is stable.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Skip {
    /// Such a pod has no network of its own that could be captured.
    #[error("the pod uses the host's network, whose traffic cannot be captured for one pod")]
    HostNetwork,
    /// A copy of a static pod in the API.
    #[error("the pod is static; its node does not read changes made here")]
    StaticPod,
    /// Capture needs Linux.
    #[error("the pod runs on Windows, which Weft does not support")]
    Windows,
    /// A namespace of Kubernetes, of the mesh, or one that the mesh's settings exclude.
    #[error("namespace {0} is excluded from injection")]
    ExcludedNamespace(String),
    /// Another mesh's proxy is there already.
    #[error("container {0} is another mesh's sidecar; remove that mesh's injection label first")]
    ForeignSidecar(String),
    /// Another Weft in this cluster was first.
    #[error("the mesh in namespace {0} has injected the pod already")]
    OtherMesh(String),
    /// The namespace's label says no.
    #[error("label {0} of the namespace switches injection off")]
    NamespaceDisabled(&'static str),
    /// The pod's own label or annotation says no.
    #[error("{0} of the pod switches injection off")]
    PodOptedOut(&'static str),
    /// A `neverInjectSelector`.
    #[error("injection.neverInjectSelector of the mesh matches the pod")]
    NeverInject,
    /// Not matched by `objectSelector`.
    #[error("injection.objectSelector of the mesh does not match the pod")]
    NotSelected,
    /// Nobody asked for a sidecar.
    #[error(
        "neither pod nor namespace asks for a sidecar; label the namespace weft.mesh/inject=enabled"
    )]
    NotEnabled,
    /// Only pods that ask for it themselves are injected.
    #[error(
        "injection.policy of the mesh is disabled and the pod does not ask for a sidecar itself"
    )]
    PolicyDisabled,
}

impl Skip {
    /// The `reason` label of `weft_injection_total`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::HostNetwork => "HostNetwork",
            Self::StaticPod => "StaticPod",
            Self::Windows => "Windows",
            Self::ExcludedNamespace(_) => "ExcludedNamespace",
            Self::ForeignSidecar(_) => "ForeignSidecar",
            Self::OtherMesh(_) => "OtherMesh",
            Self::NamespaceDisabled(_) => "NamespaceDisabled",
            Self::PodOptedOut(_) => "PodOptedOut",
            Self::NeverInject => "NeverInject",
            Self::NotSelected => "NotSelected",
            Self::NotEnabled => "NotEnabled",
            Self::PolicyDisabled => "PolicyDisabled",
        }
    }

    /// Whether somebody may expect a sidecar, so that the pod should say why it has none.
    pub fn is_surprising(&self) -> bool {
        match self {
            Self::StaticPod | Self::ExcludedNamespace(_) | Self::NotEnabled => false,
            Self::HostNetwork
            | Self::Windows
            | Self::ForeignSidecar(_)
            | Self::OtherMesh(_)
            | Self::NamespaceDisabled(_)
            | Self::PodOptedOut(_)
            | Self::NeverInject
            | Self::NotSelected
            | Self::PolicyDisabled => true,
        }
    }
}

/// Decides whether `pod` gets a sidecar.
///
/// # Errors
/// If a label or annotation that decides has a value that means nothing, or if the pod could not be
/// captured as it is.
pub fn decide(
    pod: &Pod,
    namespace: &Namespace,
    settings: &InjectionSettings,
) -> Result<Decision, Refused> {
    if let Some(skip) = impossible(pod, namespace, settings) {
        return Ok(Decision::Skip(skip));
    }
    match asked(pod, namespace, &settings.selection)? {
        Some(skip) => Ok(Decision::Skip(skip)),
        None => captured(pod, settings).map(|()| Decision::Inject),
    }
}

/// What no label can change.
fn impossible(pod: &Pod, namespace: &Namespace, settings: &InjectionSettings) -> Option<Skip> {
    const NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];
    let spec = pod.spec.as_ref()?;
    let name = &namespace.name;
    let excluded = NAMESPACES.contains(&name.as_str())
        || *name == settings.mesh_namespace
        || settings.selection.excluded_namespaces.contains(name);
    let annotations = pod.metadata.annotations.as_ref();
    if excluded {
        Some(Skip::ExcludedNamespace(name.clone()))
    } else if annotations.is_some_and(|all| all.contains_key("kubernetes.io/config.mirror")) {
        Some(Skip::StaticPod)
    } else if spec.host_network == Some(true) {
        Some(Skip::HostNetwork)
    } else if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        Some(Skip::Windows)
    } else {
        other_mesh(pod, settings).or_else(|| foreign_sidecar(spec))
    }
}

fn other_mesh(pod: &Pod, settings: &InjectionSettings) -> Option<Skip> {
    let marker = Marker::of(pod)?;
    (marker.mesh != settings.mesh_namespace).then_some(Skip::OtherMesh(marker.mesh))
}

/// Containers of other meshes. `istio-proxy` with image `auto` is Istio's way to adjust the sidecar
/// that is still to come, which we honour.
fn foreign_sidecar(spec: &PodSpec) -> Option<Skip> {
    const NAMES: [&str; 5] = [
        "istio-proxy",
        "linkerd-proxy",
        "kuma-sidecar",
        "consul-dataplane",
        "osm-envoy",
    ];
    all_containers(spec)
        .find(|c| NAMES.contains(&c.name.as_str()) && c.image.as_deref() != Some("auto"))
        .map(|c| Skip::ForeignSidecar(c.name.clone()))
}

fn all_containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers
        .iter()
        .flatten()
        .chain(&spec.containers)
}

/// `None` where pod, namespace or mesh want a sidecar.
fn asked(
    pod: &Pod,
    namespace: &Namespace,
    selection: &SelectionSettings,
) -> Result<Option<Skip>, Refused> {
    let from_namespace = namespace_word(namespace, selection)?;
    if let Some((key, false)) = from_namespace {
        return Ok(Some(Skip::NamespaceDisabled(key)));
    }
    match pod_word(pod, selection)? {
        Some((_, true)) => return Ok(None),
        Some((key, false)) => return Ok(Some(Skip::PodOptedOut(key))),
        None => {}
    }
    let empty = BTreeMap::new();
    let own = pod.metadata.labels.as_ref().unwrap_or(&empty);
    let selected = selection.namespace_selector.as_ref();
    let opted_in =
        from_namespace.is_some() || selected.is_some_and(|s| matches(s, &namespace.labels));
    Ok(if selection.never_inject.iter().any(|s| matches(s, own)) {
        Some(Skip::NeverInject)
    } else if selection.always_inject.iter().any(|s| matches(s, own)) {
        None
    } else if !opted_in {
        Some(Skip::NotEnabled)
    } else if selection
        .object_selector
        .as_ref()
        .is_some_and(|s| !matches(s, own))
    {
        Some(Skip::NotSelected)
    } else if selection.policy == InjectionPolicy::Disabled {
        Some(Skip::PolicyDisabled)
    } else {
        None
    })
}

type Word = Option<(&'static str, bool)>;

/// Our own label counts more than Istio's.
fn namespace_word(namespace: &Namespace, selection: &SelectionSettings) -> Result<Word, Refused> {
    word(
        &[
            (labels::INJECT, Some(&namespace.labels)),
            (labels::ISTIO_INJECTION, Some(&namespace.labels)),
        ],
        selection.honor_istio_labels,
    )
}

/// A label counts more than an annotation, ours more than Istio's.
fn pod_word(pod: &Pod, selection: &SelectionSettings) -> Result<Word, Refused> {
    let (own, notes) = (
        pod.metadata.labels.as_ref(),
        pod.metadata.annotations.as_ref(),
    );
    word(
        &[
            (labels::INJECT, own),
            (labels::INJECT, notes),
            (labels::ISTIO_INJECT, own),
            (labels::ISTIO_INJECT, notes),
        ],
        selection.honor_istio_labels,
    )
}

type Place<'a> = (&'static str, Option<&'a BTreeMap<String, String>>);

/// The first of `places` that says something.
fn word(places: &[Place], istio: bool) -> Result<Word, Refused> {
    let said = places
        .iter()
        .filter(|(key, _)| istio || *key == labels::INJECT)
        .find_map(|(key, map)| Some((*key, map.as_ref()?.get(*key)?)));
    match said {
        None => Ok(None),
        Some((key, value)) => match value.to_ascii_lowercase().as_str() {
            "enabled" | "true" | "yes" | "on" | "y" => Ok(Some((key, true))),
            "disabled" | "false" | "no" | "off" | "n" => Ok(Some((key, false))),
            _ => Err(Refused::BadValue {
                key: key.to_owned(),
                value: value.clone(),
                expected: "enabled or disabled on a namespace, true or false on a pod".into(),
            }),
        },
    }
}

/// A selector that cannot be read matches nothing; the operator reports it.
fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

/// The proxy's packets pass capture by their uid, so no container of the application may have it.
fn captured(pod: &Pod, settings: &InjectionSettings) -> Result<(), Refused> {
    let Some(spec) = &pod.spec else { return Ok(()) };
    let of_pod = spec.security_context.as_ref().and_then(|s| s.run_as_user);
    let escaping = spec.containers.iter().find(|container| {
        let own = container
            .security_context
            .as_ref()
            .and_then(|s| s.run_as_user);
        !Marker::is_ours(&container.name) && own.or(of_pod) == Some(settings.proxy.uid)
    });
    match escaping {
        None => Ok(()),
        Some(container) => Err(Refused::ProxyUser {
            container: container.name.clone(),
            uid: settings.proxy.uid,
        }),
    }
}
