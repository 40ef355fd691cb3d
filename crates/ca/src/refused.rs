//! Every reason for which a request for a certificate is refused.

use weft_identity::SpiffeId;

/// Why no certificate was issued. Texts are for people and may change; [`Refused::code`] is stable.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// No token, or something that is not one.
    #[error(
        "the request carries no service-account token; send it as `authorization: Bearer <token>`"
    )]
    NoToken,
    /// The token was made by somebody else than this cluster.
    #[error("the token's issuer is {issuer:?}, which is not this cluster's")]
    Issuer {
        /// The token's claim.
        issuer: String,
    },
    /// None of the cluster's keys has the token's key id.
    #[error("the token was signed by key {key:?}, which this cluster does not publish")]
    UnknownKey {
        /// The token's key id.
        key: String,
    },
    /// The token was changed or forged.
    #[error("the token's signature is not valid")]
    TokenSignature,
    /// The token is meant for somebody else.
    #[error(
        "the token's audience is {audience:?}; mount a projected token with audience {}",
        crate::AUDIENCE
    )]
    Audience {
        /// The token's claim.
        audience: Vec<String>,
    },
    /// The token's time is over.
    #[error("the token has expired; read it from its file again")]
    TokenExpired,
    /// The token's time has not come.
    #[error("the token is not valid yet; compare the clocks of this node and the API server's")]
    TokenNotYetValid,
    /// A token of something else than a pod's service account.
    #[error("the token does not belong to a service account of a pod; use a projected token")]
    NotAPod,
    /// The pod that the token was made for is not there, or is another of the same name.
    #[error("pod {namespace}/{pod}, which the token was made for, is not there any more")]
    PodGone {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        pod: String,
    },
    /// The pod runs under another service account than the token says.
    #[error("pod {namespace}/{pod} does not run as {service_account}")]
    OtherAccount {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        pod: String,
        /// The token's claim.
        service_account: String,
    },
    /// The API server does not vouch for the token.
    #[error("the API server refused the token: {reason}")]
    Review {
        /// What it said.
        reason: String,
    },
    /// More bytes than any request has.
    #[error("the request has {length} bytes; at most {limit} are allowed")]
    TooLong {
        /// Bytes of it.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not one PKCS#10 request in PEM.
    #[error("the request is not one PKCS#10 `CERTIFICATE REQUEST` in PEM")]
    NotARequest,
    /// A key that is too weak, or too costly.
    #[error(
        "a {found} key is not accepted; use ECDSA P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits"
    )]
    Key {
        /// What the request has.
        found: String,
    },
    /// The caller does not have the key.
    #[error("the request is not signed by its own key")]
    RequestSignature,
    /// Another name than the caller's own.
    #[error("the request asks for {asked}, but the caller is {caller}")]
    OtherName {
        /// The names of the request.
        asked: String,
        /// Who the token says it is.
        caller: SpiffeId,
    },
    /// The right to sign other certificates.
    #[error("the request asks for a CA certificate")]
    AsksForCa,
    /// Anything else that a workload does not need.
    #[error("the request asks for {what}, which no workload certificate has")]
    Extension {
        /// What it asks for.
        what: String,
    },
    /// Our own fault: there is nothing to sign with.
    #[error("the CA cannot sign now: {reason}; see Secret weft-ca")]
    NoCa {
        /// Why not.
        reason: String,
    },
}

impl Refused {
    /// The `answer` label of `weft_ca_requests_total`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Issuer { .. } => "issuer",
            Self::UnknownKey { .. } => "unknown_key",
            Self::TokenSignature => "token_signature",
            Self::Audience { .. } => "audience",
            Self::TokenExpired => "token_expired",
            Self::TokenNotYetValid => "token_not_yet_valid",
            Self::NotAPod => "not_a_pod",
            Self::PodGone { .. } => "pod_gone",
            Self::OtherAccount { .. } => "other_account",
            Self::Review { .. } => "review",
            Self::TooLong { .. } => "too_long",
            Self::NotARequest => "not_a_request",
            Self::Key { .. } => "key",
            Self::RequestSignature => "request_signature",
            Self::OtherName { .. } => "other_name",
            Self::AsksForCa => "asks_for_ca",
            Self::Extension { .. } => "extension",
            Self::NoCa { .. } => "no_ca",
        }
    }

    /// Whether it is about who calls, and not about what is asked for.
    pub fn is_about_the_caller(&self) -> bool {
        match self {
            Self::NoToken
            | Self::Issuer { .. }
            | Self::UnknownKey { .. }
            | Self::TokenSignature
            | Self::Audience { .. }
            | Self::TokenExpired
            | Self::TokenNotYetValid
            | Self::NotAPod
            | Self::PodGone { .. }
            | Self::OtherAccount { .. }
            | Self::Review { .. } => true,
            Self::TooLong { .. }
            | Self::NotARequest
            | Self::Key { .. }
            | Self::RequestSignature
            | Self::OtherName { .. }
            | Self::AsksForCa
            | Self::Extension { .. }
            | Self::NoCa { .. } => false,
        }
    }
}
