//! Istio `Gateway`: where proxies at the edge listen.

use super::status::Status;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where some proxies at the edge listen, for which hosts, and with which TLS.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "networking.istio.io",
    version = "v1",
    kind = "Gateway",
    namespaced,
    shortname = "gw",
    category = "istio-io",
    category = "networking-istio-io",
    status = "Status",
    derive = "PartialEq",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewaySpec {
    /// Where they listen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<Server>,
    /// Labels of their pods, in any namespace; empty selects all of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
}

impl GatewaySpec {
    /// The Secrets that its servers may need, in the namespaces of their proxies.
    pub fn secret_names(&self) -> BTreeSet<String> {
        let tls = self.servers.iter().filter_map(|server| server.tls.as_ref());
        let named = tls.flat_map(|tls| {
            let own = tls.credential_name.iter().chain(&tls.credential_names);
            own.chain(&tls.ca_cert_credential_name)
        });
        let named = named.filter(|name| !name.is_empty() && !name.contains('/'));
        named
            .flat_map(|name| [name.clone(), format!("{name}-cacert")])
            .collect()
    }
}

/// Istio `Server`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Server {
    /// Port.
    pub port: ServerPort,
    /// Address in place of all of the pod's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<String>,
    /// Hosts that are served; `namespace/host` only those of VirtualServices there.
    pub hosts: Vec<String>,
    /// TLS with clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
    /// Where requests without a route go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_endpoint: Option<String>,
    /// Name in messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Istio `Port`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerPort {
    /// Number, as clients of the gateway's Service know it.
    pub number: u32,
    /// `HTTP`, `HTTPS`, `GRPC`, `GRPC-WEB`, `HTTP2`, `MONGO`, `TCP` or `TLS`.
    pub protocol: String,
    /// Name.
    pub name: String,
    /// Number at the pods, of old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_port: Option<u32>,
}

/// Istio `ServerTLSSettings`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerTls {
    /// Answer plaintext requests with a redirection to https.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub https_redirect: bool,
    /// What is done with TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ServerTlsMode>,
    /// File with the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_certificate: Option<String>,
    /// File with its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    /// File with the roots of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
    /// File with revoked certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_crl: Option<String>,
    /// Secret with the certificate, in the namespace of the proxies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_name: Option<String>,
    /// Several of them, for several kinds of keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credential_names: Vec<String>,
    /// Several files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tls_certificates: Vec<ServerCertificate>,
    /// Secret with the roots of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert_credential_name: Option<String>,
    /// Names of which a client's certificate must have one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<String>,
    /// Pins of keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verify_certificate_spki: Vec<String>,
    /// Pins of certificates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verify_certificate_hash: Vec<String>,
    /// Whether clients are not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verify: Option<bool>,
    /// Oldest version, 1.2 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_protocol_version: Option<TlsProtocol>,
    /// Newest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_protocol_version: Option<TlsProtocol>,
    /// Ciphers of TLS 1.2.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cipher_suites: Vec<String>,
    /// Groups for the exchange of keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ecdh_curves: Vec<String>,
}

/// Istio `ServerTLSSettings.TLSCertificate`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerCertificate {
    /// File with the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_certificate: Option<String>,
    /// File with its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    /// File with the roots of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
}

/// Istio `ServerTLSSettings.TLSmode`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServerTlsMode {
    /// It goes on unopened, where the name leads that the client asks for.
    #[default]
    Passthrough,
    /// It ends here.
    Simple,
    /// It ends here, and clients show certificates.
    Mutual,
    /// As `PASSTHROUGH`, with names of the mesh in place of routes.
    AutoPassthrough,
    /// It ends here, with certificates of the mesh on both sides.
    IstioMutual,
    /// It ends here, and clients may show certificates.
    OptionalMutual,
}

/// Istio `ServerTLSSettings.TLSProtocol`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum TlsProtocol {
    /// The default.
    #[default]
    #[serde(rename = "TLS_AUTO")]
    Auto,
    /// 1.0.
    #[serde(rename = "TLSV1_0")]
    V10,
    /// 1.1.
    #[serde(rename = "TLSV1_1")]
    V11,
    /// 1.2.
    #[serde(rename = "TLSV1_2")]
    V12,
    /// 1.3.
    #[serde(rename = "TLSV1_3")]
    V13,
}
