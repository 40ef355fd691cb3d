//! Messages of Istio's certificate service, package `istio.v1.auth`.

use crate::pb::google::protobuf::Struct;

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
