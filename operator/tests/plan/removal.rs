//! How a mesh goes.

use super::*;
use kube::core::ApiResource;
use weft_operator::findings;
use weft_operator::object::Key;
use weft_operator::removal::{self, Step};

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
    let mut world = settled();
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

#[test]
fn sidecars_are_taken_out_before_a_mesh_that_uninjects_goes() {
    let spec = "{uninstall: {policy: Uninject}}";
    let mut world = settled();
    world.users.insert("shop".into(), 1);
    world.injected.push(pod("cart-1", true));
    world.strict.push("PeerAuthentication shop/default".into());
    // A pod without a sidecar could not be called.
    assert_eq!(
        removed(spec, &world),
        Step::Strict(vec!["PeerAuthentication shop/default".into()])
    );

    world.strict.clear();
    let first = deleted(removed(spec, &world));
    assert_eq!(first[0].kind, "MutatingWebhookConfiguration");
    world.owned.remove(&first[0]);
    assert_eq!(
        removed(spec, &world),
        Step::Uninject(vec![pod("cart-1", true)])
    );

    world.users.clear();
    world.injected.clear();
    assert!(!deleted(removed(spec, &world)).is_empty());
}

#[test]
fn a_removal_says_which_pods_it_cannot_take_sidecars_out_of() {
    let found = findings::uninjecting(&[pod("cart-1", true), pod("bare", false)]);
    assert!(found.message.contains("2 pods"), "{found:?}");
    assert!(
        found.message.ends_with("delete them: shop/bare"),
        "{found:?}"
    );
}
