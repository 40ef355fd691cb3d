//! The order in which a mesh comes, changes and goes.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod gateways;
mod order;
mod outage;
mod removal;

use serde_json::json;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use weft_api::operator::MeshOperator;
use weft_operator::ca;
use weft_operator::object::Object;
use weft_operator::plan::{Plan, next};
use weft_operator::world::{Namespace, PodName, World};

const IMAGE: &str = "localhost/weft-operator:dev";

fn mesh(spec: &str) -> MeshOperator {
    let text = format!(
        "{{apiVersion: weft.mesh/v1alpha1, kind: MeshOperator, metadata: {{name: mesh}}, spec: {spec}}}"
    );
    serde_saphyr::from_str(&text).unwrap()
}

fn nothing() -> World {
    World {
        now: OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap(),
        owned: BTreeMap::new(),
        secrets: BTreeMap::new(),
        gateway_secrets: Default::default(),
        namespace: Namespace::Active,
        namespaces: vec!["default".into(), "weft-system".into()],
        proxies: BTreeMap::new(),
        users: BTreeMap::new(),
        injected: Vec::new(),
        missed: Vec::new(),
        strict: Vec::new(),
        troubles: Vec::new(),
        rival: None,
    }
}

fn planned(world: &World) -> Plan {
    next(&mesh("{}"), world, IMAGE).unwrap()
}

fn names(plan: &Plan) -> Vec<String> {
    plan.writes
        .iter()
        .map(|object| object.key().to_string())
        .collect()
}

/// The world after `plan`, with all Deployments available.
fn after(plan: &Plan, mut world: World) -> World {
    for object in &plan.writes {
        let mut live = object.value.clone();
        if object.resource.kind == "Secret" {
            world.secrets.insert(object.key().name, texts(object));
            continue;
        }
        if object.resource.kind == "Deployment" {
            let pods = live.data["spec"]["replicas"].clone();
            live.data["status"] =
                json!({"replicas": pods, "updatedReplicas": pods, "availableReplicas": pods});
        }
        world.owned.insert(object.key(), live);
    }
    world
}

fn texts(secret: &Object) -> ca::Texts {
    let data: BTreeMap<String, k8s_openapi::ByteString> =
        serde_json::from_value(secret.value.data["data"].clone()).unwrap();
    data.into_iter()
        .map(|(k, v)| (k, String::from_utf8(v.0).unwrap()))
        .collect()
}

/// A world in which everything is as an empty spec wants it.
fn settled() -> World {
    let first = after(&planned(&nothing()), nothing());
    after(&planned(&first), first)
}

fn pod(name: &str, replaced: bool) -> PodName {
    PodName {
        namespace: "shop".into(),
        name: name.into(),
        uid: name.into(),
        replaced,
    }
}
