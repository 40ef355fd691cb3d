//! Istio's `security.istio.io` kinds.

pub mod authorization_policy;
pub mod peer_authentication;

pub use authorization_policy::{
    AuthorizationAction, AuthorizationPolicy, AuthorizationPolicySpec, AuthorizationRule,
};
pub use peer_authentication::{
    MutualTls, MutualTlsMode, PeerAuthentication, PeerAuthenticationSpec,
};

use crate::networking::versions::served;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The definitions of all kinds of this group, with all their served versions.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        served(AuthorizationPolicy::crd(), &["v1beta1"]),
        served(PeerAuthentication::crd(), &["v1beta1"]),
    ]
}
