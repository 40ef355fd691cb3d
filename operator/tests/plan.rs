//! The order in which a mesh comes, changes and goes.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use kube::core::{ApiResource, DynamicObject};
use serde_json::json;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use weft_api::operator::MeshOperator;
use weft_operator::condition::{Kind, Reason};
use weft_operator::object::{Key, Object, key};
use weft_operator::plan::{NoPlan, Plan, next};
use weft_operator::removal::{self, Step};
use weft_operator::world::{Namespace, Trouble, World};
use weft_operator::{ca, findings};

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
        namespace: Namespace::Active,
        namespaces: vec!["default".into(), "weft-system".into()],
        proxies: BTreeMap::new(),
        users: BTreeMap::new(),
        troubles: Vec::new(),
        rival: None,
    }
}

fn planned(world: &World) -> Plan {
    next(&mesh("{}"), world, "localhost/weft-operator:dev").unwrap()
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

#[test]
fn the_webhook_comes_last_and_only_with_a_ready_injector() {
    let world = nothing();
    let first = planned(&world);
    let webhook = "MutatingWebhookConfiguration weft-injector".to_owned();
    assert!(!names(&first).contains(&webhook));

    let second = planned(&after(&first, world));
    assert_eq!(names(&second).last(), Some(&webhook));
}

#[test]
fn the_authority_is_made_once_and_adopted_afterwards() {
    let world = nothing();
    let first = planned(&world);
    for name in [
        "Secret weft-system/weft-ca",
        "Secret weft-system/weft-ca-root",
    ] {
        assert!(names(&first).contains(&name.to_owned()), "{name}");
    }
    let second = planned(&after(&first, world));
    assert!(
        !names(&second).iter().any(|name| name.starts_with("Secret")),
        "{:?}",
        names(&second)
    );
    assert!(names(&second).contains(&"ConfigMap default/weft-ca-roots".to_owned()));
}

#[test]
fn a_damaged_authority_is_left_alone_and_reported() {
    let first = planned(&nothing());
    let mut world = after(&first, nothing());
    world
        .secrets
        .get_mut(ca::ISSUER)
        .unwrap()
        .insert("ca-key.pem".into(), "garbage".into());
    let plan = planned(&world);
    assert!(!names(&plan).contains(&"Secret weft-system/weft-ca".to_owned()));
    assert!(plan.deletes.is_empty(), "{:?}", plan.deletes);
    let found = findings::of_plan(&plan, None, &world);
    let certificates = found
        .iter()
        .find(|f| f.kind == Kind::CertificatesHealthy)
        .unwrap();
    assert_eq!(certificates.reason, Reason::AuthorityDamaged);
    assert!(
        certificates.message.contains("restore it from a backup"),
        "{certificates:?}"
    );
}

#[test]
fn what_was_rendered_before_and_is_not_now_goes() {
    let world = nothing();
    let mut world = after(&planned(&world), world);
    let resource = ApiResource::erase::<k8s_openapi::api::core::v1::Service>(&());
    let old = DynamicObject::new("weft-gone", &resource).within("weft-system");
    world.owned.insert(key("Service", &old), old);
    let doomed: Vec<String> = planned(&world)
        .deletes
        .iter()
        .map(|(_, key)| key.to_string())
        .collect();
    assert_eq!(doomed, ["Service weft-system/weft-gone"]);
}

#[test]
fn nothing_is_planned_where_something_is_in_the_way() {
    let mut terminating = nothing();
    terminating.namespace = Namespace::Terminating;
    let mut second = nothing();
    second.rival = Some("older".into());
    let table = [
        ("{}", terminating, Reason::NamespaceTerminating),
        ("{}", second, Reason::SecondMesh),
        ("{version: 9.9.9}", nothing(), Reason::UnknownVersion),
        (
            "{values: {pilot: {replicaCount: many}}}",
            nothing(),
            Reason::UnreadableField,
        ),
        (
            "{components: {pilot: {k8s: {affinity: {nodeAffinity: 1}}}}}",
            nothing(),
            Reason::UnreadableField,
        ),
    ];
    for (spec, world, expected) in table {
        let refusal: NoPlan = next(&mesh(spec), &world, "localhost/weft-operator:dev").unwrap_err();
        assert_eq!(
            findings::of_refusal(&refusal)[0].reason,
            expected,
            "{refusal}"
        );
    }
}

#[test]
fn a_missing_image_is_why_the_mesh_is_not_ready() {
    let mut world = nothing();
    let text = "pod weft-control-1: ErrImagePull of image localhost/weft-control:dev".to_owned();
    world.troubles.push(Trouble {
        image: true,
        text: text.clone(),
    });
    let found = findings::of_plan(&planned(&world), None, &world);
    let ready = found
        .iter()
        .find(|finding| finding.kind == Kind::Ready)
        .unwrap();
    assert_eq!(
        (ready.reason, &ready.message),
        (Reason::ImageUnavailable, &text)
    );
}

fn removed(spec: &str, world: &World) -> Step {
    let secrets = ApiResource::erase::<k8s_openapi::api::core::v1::Secret>(&());
    removal::next(&mesh(spec), world, &secrets)
}

fn deleted(step: Step) -> Vec<Key> {
    match step {
        Step::Delete(doomed) => doomed.into_iter().map(|(_, key)| key).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mesh_in_use_is_not_removed_unless_forced() {
    let mut world = after(&planned(&nothing()), nothing());
    world.users.insert("shop".into(), 3);
    assert_eq!(
        removed("{}", &world),
        Step::Refuse(vec![("shop".into(), 3)])
    );
    assert!(!deleted(removed("{uninstall: {policy: Force}}", &world)).is_empty());
    assert!(
        findings::in_use(&[("shop".into(), 3)])
            .message
            .contains("3 pods")
    );
}

#[test]
fn a_removal_takes_the_webhook_first_and_leaves_the_authority() {
    let world = after(&planned(&nothing()), nothing());
    let mut world = after(&planned(&world), world);
    let first = deleted(removed("{}", &world));
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0].kind, "MutatingWebhookConfiguration");

    world.owned.remove(&first[0]);
    let rest = deleted(removed("{}", &world));
    let secrets: Vec<_> = rest
        .iter()
        .filter(|key| key.kind == "Secret")
        .map(|key| &key.name)
        .collect();
    assert_eq!(secrets, ["weft-injector-tls"]);

    world.owned.clear();
    world.secrets.remove(ca::WEBHOOK);
    let kept = vec!["weft-ca".to_owned(), "weft-ca-root".to_owned()];
    assert_eq!(removed("{}", &world), Step::Finish { kept, left: vec![] });
}
