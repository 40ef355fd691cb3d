//! From what was found and done to conditions. Pure.

use crate::ca::Authority;
use crate::condition::{Finding, Kind, Reason};
use crate::object::Key;
use crate::plan::{NoPlan, Plan};
use crate::render::{CONTROL, INJECTOR};
use crate::rollout::{Failure, Outcome};
use crate::world::{PodName, Progress, World};
use std::time::Duration;

/// A root that ends sooner than this is reported.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// All conditions of a mesh with a plan. `outcome` is `None` while `spec.paused`.
pub fn of_plan(plan: &Plan, outcome: Option<&Outcome>, world: &World) -> Vec<Finding> {
    let version = &plan.resolved.mesh.version;
    vec![
        Finding::yes(Kind::Accepted, Reason::Valid, format!("mesh {version}")),
        reconciled(outcome),
        ready(plan, outcome, world),
        progressing(plan, outcome, world),
        injection(plan, world),
        certificates(&plan.authority, world),
        list(
            &plan.resolved.unknown_keys,
            (Kind::ValuesAccepted, Reason::KeysKnown, Reason::KeysUnknown),
            "nothing understands these keys, remove them",
        ),
        list(
            &plan.resolved.unsupported,
            (
                Kind::FieldsSupported,
                Reason::AllSupported,
                Reason::NotYetSupported,
            ),
            "these fields have no effect in this version",
        ),
        data_plane(plan, world),
    ]
}

/// All conditions of a mesh without a plan: nothing was changed.
pub fn of_refusal(refusal: &NoPlan) -> Vec<Finding> {
    let text = refusal.to_string();
    let why = match refusal {
        NoPlan::Refused(crate::resolve::Refused::UnknownVersion { .. }) => Reason::UnknownVersion,
        NoPlan::Refused(
            crate::resolve::Refused::Unreadable { .. }
            | crate::resolve::Refused::GatewayName { .. },
        )
        | NoPlan::Unreadable(_) => Reason::UnreadableField,
        NoPlan::SecondMesh(_) => Reason::SecondMesh,
        NoPlan::NamespaceTerminating(_) => {
            return vec![Finding::no(
                Kind::Reconciled,
                Reason::NamespaceTerminating,
                text,
            )];
        }
        NoPlan::Certificate(_) => {
            return vec![Finding::no(Kind::Reconciled, Reason::ApplyFailed, text)];
        }
    };
    vec![
        Finding::no(Kind::Accepted, why, text),
        Finding::no(
            Kind::Reconciled,
            Reason::NotAccepted,
            "nothing is changed, see condition Accepted",
        ),
    ]
}

/// The condition of a removal that waits for the pods of `users`.
pub fn in_use(users: &[(String, usize)]) -> Finding {
    let total: usize = users.iter().map(|(_, count)| count).sum();
    let some: Vec<String> = users
        .iter()
        .take(10)
        .map(|(name, n)| format!("{name}: {n}"))
        .collect();
    let text = format!(
        "{total} pods in {} namespaces still have sidecars ({}); restart them without injection, \
         or set spec.uninstall.policy: Force or annotation weft.mesh/force-delete=true",
        users.len(),
        some.join(", "),
    );
    Finding::no(Kind::Removed, Reason::InUse, text)
}

/// The condition of a removal that waits until nothing refuses plaintext.
pub fn strict(names: &[String]) -> Finding {
    let text = format!(
        "pods without sidecars would be refused by {}; set mode PERMISSIVE there, then sidecars are \
         taken out",
        names.join(", ")
    );
    Finding::no(Kind::Removed, Reason::StrictMtls, text)
}

/// The condition of a removal that takes sidecars out of `pods`.
pub fn uninjecting(pods: &[PodName]) -> Finding {
    let mut text = format!(
        "{} pods still have sidecars; they are being evicted, as their disruption budgets allow, \
         and come again without",
        pods.len()
    );
    text += &alone(pods, "delete them");
    Finding::no(Kind::Removed, Reason::Uninjecting, text)
}

fn reconciled(outcome: Option<&Outcome>) -> Finding {
    let Some(outcome) = outcome else {
        return Finding::no(
            Kind::Reconciled,
            Reason::Paused,
            "spec.paused: nothing is changed",
        );
    };
    let Some(first) = outcome.failures.first() else {
        return Finding::yes(
            Kind::Reconciled,
            Reason::Applied,
            "all objects are as they should be",
        );
    };
    let reason = match first {
        Failure::InTheWay(_) => Reason::ObjectInTheWay,
        Failure::Thrashing(..) => Reason::Thrashing,
        Failure::Refused(..) => Reason::ApplyFailed,
    };
    let texts: Vec<String> = outcome
        .failures
        .iter()
        .take(5)
        .map(ToString::to_string)
        .collect();
    Finding::no(Kind::Reconciled, reason, texts.join("; "))
}

fn ready(plan: &Plan, outcome: Option<&Outcome>, world: &World) -> Finding {
    let mesh = &plan.resolved.mesh;
    let no = |reason, text: String| Finding::no(Kind::Ready, reason, text);
    if let Some(trouble) = world.troubles.first() {
        let reason = if trouble.image {
            Reason::ImageUnavailable
        } else {
            Reason::PodsFailing
        };
        return no(reason, trouble.text.clone());
    }
    let control = now(plan, outcome, world, CONTROL);
    if !control.complete() {
        return no(Reason::ControlNotReady, describe(CONTROL, control));
    }
    let injector = now(plan, outcome, world, INJECTOR);
    if !injector.complete() {
        return no(Reason::InjectorNotReady, describe(INJECTOR, injector));
    }
    if mesh.injector.replicas > 0 && world.trusted_bundle(INJECTOR).is_none() {
        return no(
            Reason::WebhookPending,
            "the webhook configuration is about to be made".to_owned(),
        );
    }
    for gateway in &mesh.gateways {
        let progress = at(outcome, world, &gateway.namespace, &gateway.name);
        if !progress.complete() {
            return no(Reason::GatewayNotReady, describe(&gateway.name, progress));
        }
    }
    let text = format!("control plane {} and injector are ready", mesh.version);
    Finding::yes(Kind::Ready, Reason::Healthy, text)
}

/// How far a Deployment is; one that was written just now is not as far as the world says.
fn now(plan: &Plan, outcome: Option<&Outcome>, world: &World, name: &str) -> Progress {
    at(outcome, world, &plan.resolved.mesh.namespace, name)
}

fn at(outcome: Option<&Outcome>, world: &World, namespace: &str, name: &str) -> Progress {
    let progress = world.progress(namespace, name);
    let is = |key: &Key| key.kind == "Deployment" && key.namespace == namespace && key.name == name;
    let written = outcome.is_some_and(|outcome| outcome.written.iter().any(is));
    match progress {
        Progress::Complete { available } if written => Progress::Partial {
            available,
            wanted: available,
        },
        progress => progress,
    }
}

fn describe(name: &str, progress: Progress) -> String {
    match progress {
        Progress::Absent => format!("Deployment {name} does not exist yet"),
        Progress::Partial { available, wanted } => {
            format!(
                "Deployment {name}: {available} of {wanted} pods are available, or old ones are left"
            )
        }
        Progress::Complete { available } => {
            format!("Deployment {name}: {available} pods are available")
        }
    }
}

fn progressing(plan: &Plan, outcome: Option<&Outcome>, world: &World) -> Finding {
    let ready = ready(plan, outcome, world);
    if ready.holds {
        return Finding::no(Kind::Progressing, Reason::Settled, "nothing is changing");
    }
    let first =
        world.trusted_bundle(INJECTOR).is_none() && plan.resolved.mesh.injector.replicas > 0;
    let reason = if first {
        Reason::Installing
    } else {
        Reason::Updating
    };
    Finding::yes(Kind::Progressing, reason, ready.message)
}

fn injection(plan: &Plan, world: &World) -> Finding {
    let mesh = &plan.resolved.mesh;
    let no = |reason, text: String| Finding::no(Kind::InjectionHealthy, reason, text);
    if mesh.injector.replicas == 0 {
        let text = "components.injector is disabled: no pod gets a sidecar";
        return no(Reason::InjectionDisabled, text.to_owned());
    }
    let described = describe(INJECTOR, world.progress(&mesh.namespace, INJECTOR));
    if world.trusted_bundle(INJECTOR).is_none() {
        let text = "the webhook configuration does not exist yet";
        return no(Reason::WebhookPending, text.to_owned());
    }
    if plan.fuse.blown() {
        return no(
            Reason::AdmittingUninjected,
            format!(
                "{described}; until one answers, pods of opted-in namespaces start without a \
                 sidecar ({} so far) and are replaced afterwards",
                world.missed.len()
            ),
        );
    }
    if plan.fuse.outage.is_some() {
        let text = format!("{described}; pods of opted-in namespaces are refused");
        return no(Reason::InjectorNotReady, text);
    }
    if !world.missed.is_empty() {
        return no(Reason::Reinjecting, reinjecting(&world.missed));
    }
    Finding::yes(Kind::InjectionHealthy, Reason::Serving, described)
}

/// What is done about pods without sidecars, and what only a person can do.
fn reinjecting(missed: &[PodName]) -> String {
    let mut text = format!(
        "{} pods started without a sidecar while no injector answered; they are being evicted, as \
         their disruption budgets allow",
        missed.len()
    );
    text += &alone(missed, "delete them and make them again");
    text
}

/// Names those of `pods` that nobody replaces, with the remedy.
fn alone(pods: &[PodName], remedy: &str) -> String {
    let alone = pods.iter().filter(|pod| !pod.replaced);
    let names: Vec<String> = alone.take(10).map(ToString::to_string).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("; nobody replaces these, {remedy}: {}", names.join(", ")),
    }
}

fn certificates(authority: &Authority, world: &World) -> Finding {
    let kind = Kind::CertificatesHealthy;
    match authority {
        Authority::Absent | Authority::NoIssuer | Authority::Aging(_) => {
            Finding::yes(kind, Reason::Usable, "a new issuer was made")
        }
        Authority::Damaged { secret, reason } => Finding::no(
            kind,
            Reason::AuthorityDamaged,
            format!(
                "Secret {secret} cannot be used: {reason}; restore it from a backup, or delete it \
                 to get a new one (deleting weft-ca-root too makes a new root, which all proxies must learn)"
            ),
        ),
        Authority::Sound {
            root_key: Some(reason),
            ..
        } => Finding::no(
            kind,
            Reason::RootKeyDamaged,
            format!(
                "Secret weft-ca-root cannot be used: {reason}; restore it before the issuer ends"
            ),
        ),
        Authority::Sound {
            facts,
            root_key: None,
        } if facts.root_not_after < world.now + SOON => Finding::no(
            kind,
            Reason::RootExpiring,
            format!(
                "the root ends at {}; bring a new one in Secret weft-ca",
                facts.root_not_after
            ),
        ),
        Authority::Sound {
            facts,
            root_key: None,
        } => Finding::yes(
            kind,
            Reason::Usable,
            format!("the issuer ends at {}", facts.issuer_not_after),
        ),
    }
}

/// A condition that holds unless `names` has something.
fn list(names: &[String], (kind, fine, not): (Kind, Reason, Reason), text: &str) -> Finding {
    match names {
        [] => Finding::yes(kind, fine, ""),
        names => Finding::no(kind, not, format!("{text}: {}", names.join(", "))),
    }
}

fn data_plane(plan: &Plan, world: &World) -> Finding {
    let total: usize = world.proxies.values().sum();
    let current = world
        .proxies
        .get(&plan.resolved.mesh.revision)
        .copied()
        .unwrap_or_default();
    let text = format!(
        "{current} of {total} proxies are of revision {}",
        plan.resolved.mesh.revision
    );
    if current == total {
        Finding::yes(Kind::DataPlaneUpToDate, Reason::UpToDate, text)
    } else {
        let text = format!("{text}; restart the pods of the others");
        Finding::no(Kind::DataPlaneUpToDate, Reason::Outdated, text)
    }
}
