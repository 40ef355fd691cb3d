//! Istio's `networking.istio.io` kinds, and what all of Istio's kinds share.
//!
//! All served versions of a kind are identical, so each has one Rust type. Values that can be wrong
//! in ways that a schema cannot refuse stay text here; `model` parses them and reports.

pub mod destination_rule;
pub mod gateway;
pub mod http_route;
pub mod selector;
pub mod service_entry;
pub mod sidecar;
pub mod status;
pub mod traffic_policy;
pub mod versions;
pub mod virtual_service;
pub mod workload_entry;

pub use destination_rule::{DestinationRule, DestinationRuleSpec};
pub use gateway::{Gateway, GatewaySpec};
pub use service_entry::{ServiceEntry, ServiceEntrySpec};
pub use sidecar::{Sidecar, SidecarSpec};
pub use virtual_service::{VirtualService, VirtualServiceSpec};
pub use workload_entry::{WorkloadEntry, WorkloadEntrySpec};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use versions::served;

/// The definitions of all kinds of this group, with all their served versions.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let others = ["v1beta1", "v1alpha3"];
    vec![
        served(VirtualService::crd(), &others),
        served(DestinationRule::crd(), &others),
        served(ServiceEntry::crd(), &others),
        served(WorkloadEntry::crd(), &others),
        served(Sidecar::crd(), &others),
        served(Gateway::crd(), &others),
    ]
}
