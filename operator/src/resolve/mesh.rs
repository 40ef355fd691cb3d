//! The parts of a mesh, each from its part of the spec.

use super::{Lives, Mesh, Program, Webhook, gateways, injection};
use crate::images::Origin;
use crate::versions;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeSet;
use std::time::Duration;
use weft_api::operator::{
    Ca, Component, DEFAULT_NAMESPACE, MeshConfig, MeshOperator, MeshOperatorSpec,
    WebhookCertificate,
};
use weft_api::settings::{AccessLogSettings, MeshSettings, TracingSettings};

const HOUR: Duration = Duration::from_secs(3600);
/// Replicas where neither spec nor profile says.
const REPLICAS: i32 = 2;

/// The mesh that `spec`, with all sources filled in, describes.
pub(super) fn mesh(
    object: &MeshOperator,
    spec: &MeshOperatorSpec,
    version: &str,
    origin: &Origin,
) -> Mesh {
    let components = spec.components.clone().unwrap_or_default();
    let images = Images {
        spec,
        version,
        origin,
    };
    let namespace = namespace(spec);
    let mut settings = settings(spec.mesh_config.clone().unwrap_or_default());
    settings.root_namespace.clone_from(&namespace);
    settings.workload_cert_ttl = workload_cert_ttl(spec.ca.as_ref());
    settings.version = version.to_owned();
    settings.revision = versions::revision(version);
    let injection = injection::settings(spec, &settings, images.of("weft-proxy", None));
    let gateways = gateways::gateways(spec, &namespace, &injection.proxy.image);
    let namespaces: BTreeSet<_> = gateways.iter().map(|it| it.namespace.clone()).collect();
    settings.gateway_namespaces = namespaces.into_iter().collect();
    Mesh {
        name: object.metadata.name.clone().unwrap_or_default(),
        revision: settings.revision.clone(),
        version: version.to_owned(),
        control: images.program("weft-control", components.pilot),
        injector: images.program("weft-injector", components.injector),
        image_pull_secrets: spec.image_pull_secrets.clone(),
        injection,
        gateways,
        webhook: webhook(spec),
        lives: lives(spec),
        namespace,
        settings,
    }
}

/// Where the control plane of `spec` lives.
pub(crate) fn namespace(spec: &MeshOperatorSpec) -> String {
    spec.namespace
        .clone()
        .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}

/// Where images come from.
struct Images<'a> {
    spec: &'a MeshOperatorSpec,
    version: &'a str,
    origin: &'a Origin,
}

impl Images<'_> {
    /// The image of `program`, for which `component` may name another place.
    fn of(&self, program: &str, component: Option<&Component>) -> String {
        let own = component.and_then(|component| component.hub.clone());
        let tag = component.and_then(|component| component.tag.clone());
        let tag = tag.or_else(|| self.spec.tag.clone());
        // The operator's own tag is right for the mesh that it was released with, and for no other.
        let sibling = self
            .origin
            .tag
            .clone()
            .filter(|_| self.version == versions::OPERATOR);
        let place = Origin {
            hub: own
                .or_else(|| self.spec.hub.clone())
                .unwrap_or_else(|| self.origin.hub.clone()),
            tag: tag.map(text).or(sibling),
        };
        place.image(program, self.version)
    }

    fn program(&self, name: &str, component: Option<Component>) -> Program {
        let component = component.unwrap_or_default();
        let k8s = component.k8s.clone().unwrap_or_default();
        let enabled = component.enabled.unwrap_or(true);
        let policy = k8s.image_pull_policy.or(self.spec.image_pull_policy);
        Program {
            image: self.of(name, Some(&component)),
            pull_policy: policy.unwrap_or_default(),
            replicas: if enabled {
                k8s.replica_count.unwrap_or(REPLICAS)
            } else {
                0
            },
            k8s,
        }
    }
}

fn text(tag: IntOrString) -> String {
    match tag {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text,
    }
}

fn workload_cert_ttl(ca: Option<&Ca>) -> String {
    ca.and_then(|ca| ca.workload_cert_ttl.as_ref())
        .map_or_else(|| "24h".to_owned(), ToString::to_string)
}

fn webhook(spec: &MeshOperatorSpec) -> Webhook {
    let injection = spec.injection.clone().unwrap_or_default();
    Webhook {
        failure_policy: injection.failure_policy.unwrap_or_default(),
        reinvocation: injection.reinvocation_policy.unwrap_or_default(),
        timeout_seconds: injection.timeout_seconds.unwrap_or(5),
    }
}

fn lives(spec: &MeshOperatorSpec) -> Lives {
    let ca = spec.ca.clone().unwrap_or_default();
    let certificate: WebhookCertificate = spec.webhook_certificate.clone().unwrap_or_default();
    let or = |duration: Option<weft_api::operator::Duration>, hours: u32| {
        duration.map_or(HOUR * hours, |duration| duration.length())
    };
    Lives {
        root: or(ca.root_ttl, 87_600),
        issuer: or(ca.issuer_ttl, 2_160),
        webhook: or(certificate.ttl, 720),
    }
}

/// What the control plane reads, but for what the mesh as a whole decides.
fn settings(config: MeshConfig) -> MeshSettings {
    let defaults = MeshSettings::default();
    MeshSettings {
        access_log: access_log(&config),
        tracing: TracingSettings {
            sampling: config
                .tracing
                .as_ref()
                .and_then(|t| t.sampling)
                .unwrap_or(1.0),
            otlp_endpoint: config
                .tracing
                .as_ref()
                .and_then(|t| t.otlp_endpoint.clone()),
        },
        trust_domain: config.trust_domain.unwrap_or(defaults.trust_domain),
        trust_domain_aliases: config.trust_domain_aliases,
        mtls: config.mtls.and_then(|mtls| mtls.mode).unwrap_or_default(),
        outbound: config
            .outbound_traffic_policy
            .and_then(|policy| policy.mode)
            .unwrap_or_default(),
        extra: config.other,
        ..MeshSettings::default()
    }
}

/// Weft's own block wins over Istio's three fields.
fn access_log(config: &MeshConfig) -> Option<AccessLogSettings> {
    let block = config.access_log.clone().unwrap_or_default();
    let istio = config
        .access_log_file
        .clone()
        .filter(|file| !file.is_empty());
    if !block.enabled.unwrap_or(istio.is_some()) {
        return None;
    }
    let encoding = block
        .encoding
        .or(config.access_log_encoding)
        .unwrap_or_default();
    Some(AccessLogSettings {
        file: istio.unwrap_or_else(|| "/dev/stdout".to_owned()),
        encoding: encoding.as_str().to_owned(),
        format: block
            .format
            .or_else(|| config.access_log_format.clone())
            .unwrap_or_default(),
    })
}
