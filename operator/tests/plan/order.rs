//! What is written and deleted, and why nothing is.

use super::*;
use kube::core::{ApiResource, DynamicObject};
use weft_operator::condition::{Kind, Reason};
use weft_operator::findings;
use weft_operator::object::key;
use weft_operator::plan::NoPlan;
use weft_operator::world::Trouble;

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
        let refusal: NoPlan = next(&mesh(spec), &world, IMAGE).unwrap_err();
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
