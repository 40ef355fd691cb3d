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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    /// Every default in `schema` that the schema beside it refuses; the API server would refuse the
    /// whole definition.
    fn refused_defaults(schema: &Value, at: &str, found: &mut Vec<String>) {
        let length = |key: &str| schema.get(key).and_then(Value::as_u64).unwrap_or_default();
        match schema.get("default") {
            Some(Value::Array(items)) if (items.len() as u64) < length("minItems") => {
                found.push(at.to_owned());
            }
            Some(Value::String(text)) if (text.len() as u64) < length("minLength") => {
                found.push(at.to_owned());
            }
            _ => {}
        }
        match schema {
            Value::Object(fields) => {
                for (key, value) in fields {
                    refused_defaults(value, &format!("{at}.{key}"), found);
                }
            }
            Value::Array(items) => items
                .iter()
                .for_each(|item| refused_defaults(item, at, found)),
            _ => {}
        }
    }

    #[test]
    fn a_default_is_valid_by_its_own_schema() {
        let mut found = Vec::new();
        for crd in super::crds() {
            let schema = serde_json::to_value(&crd).unwrap();
            refused_defaults(&schema, &crd.spec.names.kind, &mut found);
        }
        assert_eq!(found, Vec::<String>::new());
    }
}
