//! Proxies at the edge.

use super::{Gateway, Program, Refused, Side};
use crate::render::{CONTROL, INJECTOR};
use std::collections::BTreeSet;
use weft_api::operator::{Gateway as Wanted, MeshOperatorSpec, Profile};

/// Pods of a gateway where neither the user nor the profile says.
const REPLICAS: i32 = 2;

/// The gateways of `spec`, whose mesh lives in `namespace` and whose proxies run `image`.
pub(super) fn gateways(spec: &MeshOperatorSpec, namespace: &str, image: &str) -> Vec<Gateway> {
    let components = spec.components.clone().unwrap_or_default();
    let sides = [
        (Side::Ingress, components.ingress_gateways),
        (Side::Egress, components.egress_gateways),
    ];
    let all = sides.into_iter().flat_map(|(side, wanted)| {
        let enabled = wanted.into_iter().filter(|it| it.enabled.unwrap_or(true));
        enabled.map(move |wanted| gateway(spec, (side, wanted), namespace, image))
    });
    all.collect()
}

fn gateway(
    spec: &MeshOperatorSpec,
    (side, wanted): (Side, Wanted),
    namespace: &str,
    image: &str,
) -> Gateway {
    let k8s = wanted.k8s.unwrap_or_default();
    let policy = k8s.image_pull_policy.or(spec.image_pull_policy);
    let demo = spec.profile == Some(Profile::Demo);
    let replicas = if demo { 1 } else { REPLICAS };
    let mut labels = side.labels(&wanted.name);
    labels.extend(wanted.label);
    Gateway {
        side,
        namespace: wanted.namespace.unwrap_or_else(|| namespace.to_owned()),
        labels,
        program: Program {
            image: image.to_owned(),
            pull_policy: policy.unwrap_or_default(),
            replicas: k8s.replica_count.unwrap_or(replicas),
            k8s,
        },
        name: wanted.name,
    }
}

/// That no two objects would have one name.
///
/// # Errors
/// The gateway that cannot have its name.
pub(super) fn check(gateways: &[Gateway], namespace: &str) -> Result<(), Refused> {
    let own = [CONTROL, INJECTOR].map(|name| (namespace, name));
    let mut taken = BTreeSet::from(own);
    for gateway in gateways {
        if !taken.insert((&gateway.namespace, &gateway.name)) {
            return Err(Refused::GatewayName {
                name: gateway.name.clone(),
                namespace: gateway.namespace.clone(),
            });
        }
    }
    Ok(())
}
