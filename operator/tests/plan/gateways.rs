//! How gateways come and go with their mesh.

use super::*;
use weft_operator::condition::{Kind, Reason};
use weft_operator::findings;
use weft_operator::object::Key;
use weft_operator::plan::everything;

const SPEC: &str = "{components: {ingressGateways: [{name: public, namespace: default}]}}";

fn with_gateway(world: &World) -> Plan {
    next(&mesh(SPEC), world, IMAGE).unwrap()
}

fn of_gateway(keys: impl Iterator<Item = Key>) -> Vec<String> {
    let own = keys.filter(|key| key.name.starts_with("public") || key.name.ends_with("gateways"));
    own.map(|key| key.to_string()).collect()
}

#[test]
fn a_mesh_is_not_ready_before_its_gateways_are() {
    let world = settled();
    let plan = with_gateway(&world);
    let ready = |world: &World| {
        let found = findings::of_plan(&plan, None, world);
        let ready = found.into_iter().find(|it| it.kind == Kind::Ready).unwrap();
        (ready.reason, ready.message)
    };
    let (reason, message) = ready(&world);
    assert_eq!(reason, Reason::GatewayNotReady);
    assert!(message.starts_with("Deployment public"), "{message}");
    assert_eq!(ready(&after(&plan, world)).0, Reason::Healthy);
}

#[test]
fn a_gateway_that_nobody_wants_any_more_goes_with_all_that_is_its() {
    let mut world = settled();
    world.gateway_secrets.insert("shop".into());
    let world = after(&with_gateway(&world), world);
    let doomed = planned(&world).deletes;
    let mut doomed = of_gateway(doomed.into_iter().map(|(_, key)| key));
    doomed.sort();
    let expected = [
        "Deployment default/public",
        "PodDisruptionBudget default/public",
        "Role default/weft-control-gateways",
        "RoleBinding default/weft-control-gateways",
        "Service default/public",
        "ServiceAccount default/public-service-account",
    ];
    assert_eq!(doomed, expected);
    let all = everything(&world).into_iter().map(|(_, key)| key);
    assert_eq!(
        of_gateway(all).len(),
        expected.len(),
        "they go with the mesh"
    );
}
