//! What happens to pods while no injector answers.

use super::*;
use weft_operator::condition::{Finding, Kind, Reason};
use weft_operator::{findings, status};

/// A mesh whose injector went away, looked at every five seconds with these seconds of outage.
struct Story {
    mesh: MeshOperator,
    world: World,
}

impl Story {
    fn new(spec: &str) -> Self {
        Self {
            mesh: mesh(spec),
            world: settled(),
        }
    }

    fn injectors(&mut self, available: i64) -> &mut Self {
        let injector = self
            .world
            .owned
            .iter_mut()
            .find(|(key, _)| key.kind == "Deployment" && key.name == "weft-injector");
        injector.unwrap().1.data["status"]["availableReplicas"] = available.into();
        self
    }

    /// One pass, this many seconds later.
    fn pass(&mut self, seconds: i64) -> (Plan, Finding) {
        self.world.now += time::Duration::seconds(seconds);
        let plan = next(&self.mesh, &self.world, IMAGE).unwrap();
        let found = findings::of_plan(&plan, None, &self.world);
        self.mesh.status = Some(status::compose(
            &self.mesh,
            Some(&plan),
            &found,
            &self.world,
        ));
        let injection = found
            .into_iter()
            .find(|finding| finding.kind == Kind::InjectionHealthy);
        (plan, injection.unwrap())
    }
}

/// What the webhook configuration of `plan` does with a pod while no injector answers.
fn policies(plan: &Plan) -> Vec<&str> {
    let webhook = plan
        .writes
        .iter()
        .find(|object| object.resource.kind == "MutatingWebhookConfiguration");
    let entries = webhook.unwrap().value.data["webhooks"].as_array().unwrap();
    let mut policies: Vec<&str> = entries
        .iter()
        .map(|entry| entry["failurePolicy"].as_str().unwrap())
        .collect();
    policies.dedup();
    policies
}

#[test]
fn an_outage_that_lasts_lets_pods_start_and_their_sidecars_come_later() {
    let mut story = Story::new("{}");
    let (plan, found) = story.injectors(0).pass(0);
    assert_eq!(policies(&plan), ["Fail"]);
    assert_eq!(found.reason, Reason::InjectorNotReady);

    let (plan, found) = story.pass(20);
    assert_eq!(policies(&plan), ["Ignore"]);
    assert_eq!(found.reason, Reason::AdmittingUninjected);

    story.world.missed = vec![pod("cart-1", true), pod("bare", false)];
    let (plan, _) = story.pass(5);
    assert_eq!(plan.evictions, [], "nobody would give them a sidecar yet");

    let (plan, found) = story.injectors(2).pass(5);
    assert_eq!(policies(&plan), ["Fail"]);
    assert_eq!(plan.evictions, [pod("cart-1", true)]);
    assert_eq!(found.reason, Reason::Reinjecting);
    assert!(found.message.contains("shop/bare"), "{found:?}");

    story.world.missed.clear();
    let (_, found) = story.pass(60);
    assert_eq!(found.reason, Reason::Serving);
    let injection = story.mesh.status.unwrap().injection.unwrap();
    assert_eq!((injection.admitted_since, injection.missed), (None, None));
}

#[test]
fn block_refuses_pods_however_long_it_takes() {
    let mut story = Story::new("{injection: {onOutage: Block}}");
    story.injectors(0).pass(0);
    let (plan, found) = story.pass(3600);
    assert_eq!(policies(&plan), ["Fail"]);
    assert!(found.message.contains("are refused"), "{found:?}");
}

#[test]
fn a_mesh_that_is_coming_up_has_no_outage() {
    let plan = planned(&nothing());
    assert_eq!(plan.fuse.outage, None);
}
