//! What is wrong with a Sidecar.

use crate::mesh::Mesh;
use crate::objects::Key;
use crate::problem::{ObjectRef, Problem, Severity};
use crate::routing::check::Fault;
use crate::routing::of_fault;
use weft_api::networking::SidecarSpec;
use weft_api::settings::OutboundPolicy;

/// Faults of one object, as they are found.
pub(super) struct Found {
    object: ObjectRef,
    pub(super) problems: Vec<Problem>,
}

impl Found {
    pub(super) fn new(key: &Key) -> Self {
        Self {
            object: reference(key),
            problems: Vec::new(),
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.problems.push(of_fault(self.object.clone(), fault));
    }

    pub(super) fn unsupported(&mut self, field: &str, message: &str, remedy: &str) {
        self.add(field, "NotSupported", message.into(), remedy.into());
    }

    pub(super) fn twice(&mut self, at: &str, port: u16) {
        let message = match port {
            0 => "another listener without port stands before it".to_owned(),
            port => format!("another listener has port {port}"),
        };
        self.add(at, "Conflict", message, "merge the two".into());
    }

    /// An egress host that lets in nothing, because it cannot be read.
    pub(super) fn host(&mut self, field: &str, text: &str, message: &str) {
        let remedy = match text.contains('/') {
            false if is_host(text) => format!(
                "did you mean `*/{text}`? write namespace/name, where the namespace may be `.` or `*`"
            ),
            _ => "write namespace/name, such as `./*`, `*/api.example.com` or `~/*`".to_owned(),
        };
        let message = format!("`{text}` lets in nothing: {message}");
        self.add(field, "InvalidHost", message, remedy);
    }

    fn warn(&mut self, field: &str, reason: &'static str, message: &str, remedy: &str) {
        self.problems.push(Problem {
            object: self.object.clone(),
            field: field.into(),
            reason,
            message: message.into(),
            remedy: remedy.into(),
            severity: Severity::Warning,
        });
    }

    fn add(&mut self, field: &str, reason: &'static str, message: String, remedy: String) {
        self.problems.push(Problem {
            object: self.object.clone(),
            field: field.into(),
            reason,
            message,
            remedy,
            severity: Severity::Error,
        });
    }
}

/// A list of what may be known is often taken for a list of what may be reached.
pub(super) fn policy(mesh: &Mesh, spec: &SidecarSpec, found: &mut Found) {
    let everything = |hosts: &[String]| hosts.iter().any(|host| host == "*/*");
    let limits = spec.egress.iter().any(|each| !everything(&each.hosts));
    match &spec.outbound_traffic_policy {
        None if limits && mesh.outbound == OutboundPolicy::AllowAny => found.warn(
            "spec.outboundTrafficPolicy",
            "NotRestricted",
            "it is absent, and in this mesh unknown destinations pass: what egress.hosts leaves out is reached without the mesh",
            "set mode REGISTRY_ONLY to refuse it, or ALLOW_ANY to say that it may pass",
        ),
        Some(policy) if policy.mode.is_none() => found.warn(
            "spec.outboundTrafficPolicy.mode",
            "RegistryOnly",
            "it is absent, which means REGISTRY_ONLY: unknown destinations are refused",
            "write the mode that is meant",
        ),
        None | Some(_) => {}
    }
}

/// The name of a service, or `*.` and one.
pub(super) fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_part = |part: &str| (1..=63).contains(&part.len()) && part.bytes().all(known);
    name.len() <= 253 && name.split('.').all(is_part)
}

/// The name of a namespace.
pub(super) fn is_label(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(known)
}

pub(super) fn reference(key: &Key) -> ObjectRef {
    ObjectRef {
        group: "networking.istio.io",
        kind: "Sidecar",
        key: key.clone(),
    }
}
