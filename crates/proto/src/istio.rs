//! Istio's own messages: of its certificate service, package `istio.v1.auth`, and of its name
//! table, package `istio.networking.nds.v1`.

use crate::pb::google::protobuf::Struct;
use crate::type_url::NAMES;
use std::collections::BTreeMap;

/// Full name of the gRPC method that signs a workload certificate.
pub const CREATE_CERTIFICATE: &str = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

/// Asks for a certificate.
#[derive(Clone, PartialEq, prost::Message)]
pub struct IstioCertificateRequest {
    /// PKCS#10 request, PEM.
    #[prost(string, tag = "1")]
    pub csr: String,
    /// Wished lifetime in seconds.
    #[prost(int64, tag = "3")]
    pub validity_duration: i64,
    /// Istio's extension point; Weft reads nothing from it.
    #[prost(message, optional, tag = "4")]
    pub metadata: Option<Struct>,
}

/// The signed certificate.
#[derive(Clone, PartialEq, prost::Message)]
pub struct IstioCertificateResponse {
    /// PEM: the leaf, intermediates, and last the trusted roots.
    #[prost(string, repeated, tag = "1")]
    pub cert_chain: Vec<String>,
}

/// What a proxy answers to the DNS queries of its application.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NameTable {
    /// By host, in lower case and without final dot; `*.` stands for all names below.
    #[prost(btree_map = "string, message", tag = "1")]
    pub table: BTreeMap<String, NameInfo>,
}

/// What is known of one name.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NameInfo {
    /// Its addresses.
    #[prost(string, repeated, tag = "1")]
    pub ips: Vec<String>,
    /// `Kubernetes` or `External`.
    #[prost(string, tag = "2")]
    pub registry: String,
    /// Name of the Service; empty for others.
    #[prost(string, tag = "3")]
    pub shortname: String,
    /// Its namespace; empty for others.
    #[prost(string, tag = "4")]
    pub namespace: String,
}

impl prost::Name for NameTable {
    const NAME: &'static str = "NameTable";
    const PACKAGE: &'static str = "istio.networking.nds.v1";

    fn type_url() -> String {
        NAMES.to_owned()
    }
}
