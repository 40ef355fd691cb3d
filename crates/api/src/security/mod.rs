//! Istio's `security.istio.io` kinds.

pub mod peer_authentication;

pub use peer_authentication::{
    MutualTls, MutualTlsMode, PeerAuthentication, PeerAuthenticationSpec,
};

use crate::networking::versions::served;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The definitions of all kinds of this group, with all their served versions.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![served(PeerAuthentication::crd(), &["v1beta1"])]
}
