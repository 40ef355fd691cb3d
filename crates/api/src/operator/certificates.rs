//! The certificate authority and the webhook's certificate.

use super::{Duration, schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the API server checks of a [`Ca`], each with what the user reads.
const CA_RULES: &[(&str, &str)] = &[
    (
        "(self.?provider.orValue('SelfSigned') == 'CertManager') == has(self.certManager)",
        "ca.certManager is needed for ca.provider CertManager and not allowed for others",
    ),
    (
        "(self.?provider.orValue('SelfSigned') == 'ExternalSecret') == has(self.externalSecret)",
        "ca.externalSecret is needed for ca.provider ExternalSecret and not allowed for others",
    ),
    (
        "duration(self.?workloadCertTTL.orValue('24h')) <= duration(self.?issuerTTL.orValue('2160h'))",
        "ca.workloadCertTTL (24h if absent) must not exceed ca.issuerTTL (2160h if absent); lower the former",
    ),
    (
        "duration(self.?issuerTTL.orValue('2160h')) <= duration(self.?rootTTL.orValue('87600h'))",
        "ca.issuerTTL (2160h if absent) must not exceed ca.rootTTL (87600h if absent); lower the former",
    ),
    (
        "duration(self.?workloadCertTTL.orValue('24h')) >= duration('30s')",
        "ca.workloadCertTTL must be 30s or more; a certificate is renewed at half its life",
    ),
];

/// The certificate authority.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::rules(CA_RULES)))]
pub struct Ca {
    /// Who signs the issuer; `SelfSigned` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<CaProvider>,
    /// Life of the root; 87600h if absent.
    #[serde(rename = "rootTTL", default, skip_serializing_if = "Option::is_none")]
    pub root_ttl: Option<Duration>,
    /// Life of the issuer; 2160h if absent.
    #[serde(rename = "issuerTTL", default, skip_serializing_if = "Option::is_none")]
    pub issuer_ttl: Option<Duration>,
    /// Life of proxies' certificates; 24h if absent.
    #[serde(
        rename = "workloadCertTTL",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub workload_cert_ttl: Option<Duration>,
    /// Of root and issuer; `ECDSA-P256` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_algorithm: Option<KeyAlgorithm>,
    /// Of provider `CertManager`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_manager: Option<CertManager>,
    /// Of provider `ExternalSecret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_secret: Option<ExternalSecret>,
    /// How the roots reach the pods; `Auto` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_distribution: Option<TrustDistribution>,
    /// Successors of root and issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// Who signs the issuer.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum CaProvider {
    /// A root that the operator makes.
    #[default]
    SelfSigned,
    /// cert-manager.
    CertManager,
    /// A Secret that the user keeps.
    ExternalSecret,
}

/// Kind of key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum KeyAlgorithm {
    /// NIST P-256.
    #[default]
    #[serde(rename = "ECDSA-P256")]
    EcdsaP256,
    /// Edwards curve.
    Ed25519,
    /// RSA.
    #[serde(rename = "RSA-2048")]
    Rsa2048,
}

/// Settings of provider `CertManager`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertManager {
    /// The issuer that signs.
    pub issuer_ref: IssuerRef,
}

/// cert-manager's `issuerRef`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct IssuerRef {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// `ClusterIssuer` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub kind: Option<String>,
    /// `cert-manager.io` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub group: Option<String>,
}

/// Settings of provider `ExternalSecret`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ExternalSecret {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The mesh's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::name")]
    pub namespace: Option<String>,
}

/// How the roots reach the pods.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum TrustDistribution {
    /// A ConfigMap in every namespace.
    ConfigMap,
    /// A ClusterTrustBundle.
    ClusterTrustBundle,
    /// The latter where the cluster has it.
    Auto,
}

/// Successors of root and issuer.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// `Automatic` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<RotationMode>,
    /// Of a certificate's life; 50 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 90))]
    pub renew_at_percent: Option<i32>,
    /// A new text starts a rotation of the root now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub trigger: Option<String>,
    /// Proxies that must have the new root before it signs; 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 50, max = 100))]
    pub require_ack_percent: Option<i32>,
    /// How long the old root stays trusted; 48h if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune_delay: Option<Duration>,
}

/// Who starts a rotation.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RotationMode {
    /// The clock.
    Automatic,
    /// `trigger` only.
    Manual,
}

/// The certificate that the injector shows to the API server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct WebhookCertificate {
    /// `SelfManaged` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<WebhookCertificateProvider>,
    /// Its life; 720h if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
}

/// Who signs the webhook's certificate.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum WebhookCertificateProvider {
    /// The operator.
    #[default]
    SelfManaged,
    /// cert-manager.
    CertManager,
}
