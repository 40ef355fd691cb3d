//! What Istio's standard series are told apart by.

use super::Flags;
use crate::config::{Cluster, ServiceLabels};
use std::fmt::{self, Write};
use std::sync::Arc;

/// A workload as the labels of Istio's metrics describe it; empty fields are `unknown`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Workload {
    /// `reviews-v1`.
    pub name: Arc<str>,
    /// `shop`.
    pub namespace: Arc<str>,
    /// Label `app`.
    pub app: Arc<str>,
    /// Label `version`.
    pub version: Arc<str>,
    /// Label `service.istio.io/canonical-name`.
    pub canonical_service: Arc<str>,
    /// Label `service.istio.io/canonical-revision`.
    pub canonical_revision: Arc<str>,
    /// `Kubernetes`.
    pub cluster: Arc<str>,
}

impl Workload {
    /// Reads endpoint metadata `istio.workload`: `workload;namespace;canonical;revision;cluster`.
    pub fn from_endpoint(text: &str) -> Self {
        let mut parts = text.split(';').map(Arc::<str>::from);
        let mut next = || parts.next().unwrap_or_default();
        let [
            name,
            namespace,
            canonical_service,
            canonical_revision,
            cluster,
        ] = [next(), next(), next(), next(), next()];
        Self {
            // Istio fills app and version from the canonical labels when only these are known.
            app: Arc::clone(&canonical_service),
            version: Arc::clone(&canonical_revision),
            name,
            namespace,
            canonical_service,
            canonical_revision,
            cluster,
        }
    }
}

/// Which end of a call reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The caller's proxy.
    Source,
    /// The callee's proxy.
    Destination,
}

/// The `request_protocol` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `http`.
    Http,
    /// `grpc`.
    Grpc,
    /// `tcp`.
    Tcp,
}

impl Protocol {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
            Self::Tcp => "tcp",
        }
    }
}

/// What one request or connection is counted under.
///
/// `peer` and `principal` come from the recorder ([`super::Recorder::workload`],
/// [`super::Recorder::intern`]), so that equal ones have one address: series are found by address.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// Who reports.
    pub side: Side,
    /// The cluster that was chosen; its service gives `destination_service*`.
    pub cluster: Option<&'a Arc<Cluster>>,
    /// The workload at the other end.
    pub peer: Option<&'a Arc<Workload>>,
    /// The verified SPIFFE URI of the other end.
    pub principal: Option<&'a Arc<str>>,
    /// Protocol.
    pub protocol: Protocol,
    /// Status of the response; 0 without one and for TCP.
    pub code: u16,
    /// gRPC status.
    pub grpc_status: Option<u32>,
    /// Response flags.
    pub flags: Flags,
    /// Whether the connection in the mesh is mutual TLS.
    pub mutual_tls: bool,
}

/// This proxy's own side of every label set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    pub(super) workload: &'a Workload,
    pub(super) principal: Option<&'a str>,
}

impl Labels<'_> {
    /// The label set in Istio's order; without status and flags of a response if `!response`.
    pub(super) fn text(&self, own: Own<'_>, response: bool) -> String {
        let unknown = Workload::default();
        let peer = self.peer.map_or(&unknown, |peer| peer);
        let own_principal = own
            .principal
            .filter(|_| self.mutual_tls)
            .unwrap_or_default();
        let peer_principal = self.principal.map_or("", |name| name);
        let (from, to) = match self.side {
            Side::Source => ((own.workload, own_principal), (peer, peer_principal)),
            Side::Destination => ((peer, peer_principal), (own.workload, own_principal)),
        };
        let mut text = Text::default();
        text.add(
            "reporter",
            if self.side == Side::Source {
                "source"
            } else {
                "destination"
            },
        );
        text.source(from.0, from.1);
        text.destination(to.0, to.1, &self.service());
        text.add("request_protocol", self.protocol.as_str());
        if response {
            text.raw("response_code", &self.code);
            match self.grpc_status {
                Some(status) => text.raw("grpc_response_status", &status),
                None => text.raw("grpc_response_status", &""),
            }
        }
        text.raw("response_flags", &self.flags);
        text.add("connection_security_policy", self.policy());
        text.0
    }

    /// Only the side that terminates TLS knows the policy (Istio says `unknown` at the source).
    fn policy(&self) -> &'static str {
        match (self.side, self.mutual_tls) {
            (Side::Source, _) => "unknown",
            (Side::Destination, true) => "mutual_tls",
            (Side::Destination, false) => "none",
        }
    }

    /// A cluster without a service, such as `PassthroughCluster`, names itself.
    fn service(&self) -> ServiceLabels {
        let Some(cluster) = self.cluster else {
            return ServiceLabels::default();
        };
        cluster.service.clone().unwrap_or_else(|| ServiceLabels {
            name: Arc::clone(&cluster.name),
            ..ServiceLabels::default()
        })
    }
}

/// Longer values are cut. Kubernetes allows 253 characters for the longest of names.
const LONGEST_VALUE: usize = 512;

/// A label set being written.
#[derive(Default)]
struct Text(String);

impl Text {
    fn source(&mut self, workload: &Workload, principal: &str) {
        self.add("source_workload", &workload.name);
        self.add("source_canonical_service", &workload.canonical_service);
        self.add("source_canonical_revision", revision(workload));
        self.add("source_workload_namespace", &workload.namespace);
        self.add("source_principal", principal);
        self.add("source_app", &workload.app);
        self.add("source_version", &workload.version);
        self.add("source_cluster", &workload.cluster);
    }

    fn destination(&mut self, workload: &Workload, principal: &str, service: &ServiceLabels) {
        self.add("destination_workload", &workload.name);
        self.add("destination_workload_namespace", &workload.namespace);
        self.add("destination_principal", principal);
        self.add("destination_app", &workload.app);
        self.add("destination_version", &workload.version);
        self.add("destination_service", &service.host);
        self.add("destination_canonical_service", &workload.canonical_service);
        self.add("destination_canonical_revision", revision(workload));
        self.add("destination_service_name", &service.name);
        self.add("destination_service_namespace", &service.namespace);
        self.add("destination_cluster", &workload.cluster);
    }

    /// An empty value is Istio's `unknown`. Peers choose values, so that they are cut.
    fn add(&mut self, name: &str, value: &str) {
        let value = &value[..value.floor_char_boundary(LONGEST_VALUE)];
        let value = if value.is_empty() { "unknown" } else { value };
        self.raw(name, &Escaped(value));
    }

    fn raw(&mut self, name: &str, value: &dyn fmt::Display) {
        let comma = if self.0.is_empty() { "" } else { "," };
        write!(self.0, "{comma}{name}=\"{value}\"").expect("writing to a String cannot fail");
    }
}

/// Istio says `latest` for a known workload without a revision.
fn revision(workload: &Workload) -> &str {
    match (
        &*workload.canonical_revision,
        workload.canonical_service.is_empty(),
    ) {
        ("", false) => "latest",
        (revision, _) => revision,
    }
}

/// A label value as the Prometheus text format wants it.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive(['\\', '"', '\n']) {
            match part.strip_suffix(['\\', '"', '\n']) {
                Some(clean) => {
                    f.write_str(clean)?;
                    f.write_str(match part.as_bytes()[part.len() - 1] {
                        b'\n' => "\\n",
                        b'"' => "\\\"",
                        _ => "\\\\",
                    })?;
                }
                None => f.write_str(part)?,
            }
        }
        Ok(())
    }
}
