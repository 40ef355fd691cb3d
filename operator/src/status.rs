//! The status of a MeshOperator: what is found, as the user reads it.

use crate::ca::{self, Authority};
use crate::condition::{Finding, Kind};
use crate::plan::Plan;
use crate::render::INJECTOR;
use crate::versions;
use crate::world::World;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use time::OffsetDateTime;
use weft_api::operator::{
    CaStatus, DataPlaneStatus, InjectionStatus, MeshOperator, MeshOperatorStatus, Phase,
    RevisionStatus, VersionStatus,
};

/// Our name among those who manage fields, for the status alone.
const MANAGER: &str = "weft-operator-status";

/// The status after one pass. What only a plan can tell stays as it was where there is none.
pub fn compose(
    mesh: &MeshOperator,
    plan: Option<&Plan>,
    findings: &[Finding],
    world: &World,
) -> MeshOperatorStatus {
    let old = mesh.status.clone().unwrap_or_default();
    let generation = mesh.metadata.generation;
    let conditions = conditions(&old.conditions, findings, generation, world.now);
    let phase = Some(phase(mesh, findings));
    let mut status = MeshOperatorStatus {
        observed_generation: generation,
        phase,
        conditions,
        ..old
    };
    status.data_plane = Some(data_plane(plan, world));
    if let Some(plan) = plan {
        details(&mut status, plan, findings, world);
    }
    status
}

/// The status after a pass that `finding` stopped: all else is as it was.
pub fn stopped(mesh: &MeshOperator, finding: &Finding, now: OffsetDateTime) -> MeshOperatorStatus {
    let mut status = mesh.status.clone().unwrap_or_default();
    let generation = mesh.metadata.generation;
    let found = conditions(
        &status.conditions,
        std::slice::from_ref(finding),
        generation,
        now,
    );
    let others = status.conditions.into_iter();
    let others = others.filter(|condition| condition.type_ != finding.kind.as_str());
    status.conditions = others.chain(found).collect();
    status.phase = Some(match was_ready(mesh) {
        true => Phase::Degraded,
        false => Phase::Blocked,
    });
    status
}

/// Writes `status` if it says anything new.
///
/// # Errors
/// If the API server refuses.
pub async fn publish(
    kube: &Client,
    mesh: &MeshOperator,
    status: &MeshOperatorStatus,
) -> Result<bool, kube::Error> {
    if mesh.status.as_ref() == Some(status) {
        return Ok(false);
    }
    let patch = json!({
        "apiVersion": "weft.mesh/v1alpha1",
        "kind": "MeshOperator",
        "metadata": {"name": mesh.name_any()},
        "status": status,
    });
    let ours = PatchParams::apply(MANAGER).force();
    let api = Api::<MeshOperator>::all(kube.clone());
    api.patch_status(&mesh.name_any(), &ours, &Patch::Apply(&patch))
        .await?;
    Ok(true)
}

/// `findings` as conditions; the time of one that says the same as before stays.
fn conditions(
    old: &[Condition],
    findings: &[Finding],
    generation: Option<i64>,
    now: OffsetDateTime,
) -> Vec<Condition> {
    let condition = |finding: &Finding| {
        let status = if finding.holds { "True" } else { "False" };
        let same = old
            .iter()
            .find(|old| old.type_ == finding.kind.as_str() && old.status == status);
        Condition {
            type_: finding.kind.as_str().to_owned(),
            status: status.to_owned(),
            reason: finding.reason.name(),
            message: finding.message.clone(),
            observed_generation: generation,
            last_transition_time: same
                .map_or_else(|| stamp(now), |same| same.last_transition_time.clone()),
        }
    };
    findings.iter().map(condition).collect()
}

fn phase(mesh: &MeshOperator, findings: &[Finding]) -> Phase {
    let holds = |kind: Kind| {
        findings
            .iter()
            .find(|finding| finding.kind == kind)
            .map(|f| f.holds)
    };
    if mesh.metadata.deletion_timestamp.is_some() {
        return Phase::Uninstalling;
    }
    if mesh.spec.paused == Some(true) {
        return Phase::Paused;
    }
    match (
        holds(Kind::Accepted),
        holds(Kind::Reconciled),
        holds(Kind::Ready),
    ) {
        (Some(true), Some(true), Some(true)) => healthy(holds(Kind::CertificatesHealthy)),
        (Some(true), Some(true), _) if was_ready(mesh) => Phase::Degraded,
        (Some(true), Some(true), _) => Phase::Installing,
        (Some(true), _, Some(true)) => Phase::Degraded,
        _ => Phase::Blocked,
    }
}

fn healthy(certificates: Option<bool>) -> Phase {
    if certificates == Some(false) {
        Phase::Degraded
    } else {
        Phase::Ready
    }
}

fn was_ready(mesh: &MeshOperator) -> bool {
    let version = mesh
        .status
        .as_ref()
        .and_then(|status| status.version.as_ref());
    version.is_some_and(|version| version.stable.is_some())
}

fn details(status: &mut MeshOperatorStatus, plan: &Plan, findings: &[Finding], world: &World) {
    let mesh = &plan.resolved.mesh;
    let ready = findings
        .iter()
        .any(|finding| finding.kind == Kind::Ready && finding.holds);
    let old = status.version.take().unwrap_or_default();
    status.version = Some(VersionStatus {
        desired: Some(mesh.version.clone()),
        stable: if ready {
            Some(mesh.version.clone())
        } else {
            old.stable
        },
        updating: (!ready).then(|| mesh.version.clone()),
        pinned: old.pinned.or_else(|| Some(mesh.version.clone())),
        blocked: old.blocked,
        operator: Some(versions::OPERATOR.to_owned()),
    });
    let proxies = count(
        world
            .proxies
            .get(&mesh.revision)
            .copied()
            .unwrap_or_default(),
    );
    status.revisions = vec![RevisionStatus {
        name: mesh.revision.clone(),
        version: Some(mesh.version.clone()),
        ready: Some(ready),
        in_use: Some(proxies > 0),
        proxies: Some(proxies),
    }];
    status.active_revision = Some(mesh.revision.clone());
    if ready {
        status.stable_revision = Some(mesh.revision.clone());
    }
    status.injection = Some(injection(plan, world));
    status.ca = ca_status(&plan.authority).or(status.ca.take());
}

fn data_plane(plan: Option<&Plan>, world: &World) -> DataPlaneStatus {
    let total = count(world.proxies.values().sum());
    let current = plan.and_then(|plan| world.proxies.get(&plan.resolved.mesh.revision));
    let current = count(current.copied().unwrap_or_default());
    DataPlaneStatus {
        proxies: Some(total),
        up_to_date: Some(current),
        outdated: Some(total - current),
    }
}

fn injection(plan: &Plan, world: &World) -> InjectionStatus {
    let mesh = &plan.resolved.mesh;
    let held = world.secrets.get(ca::WEBHOOK);
    InjectionStatus {
        outage_since: plan.fuse.outage.map(stamp),
        admitted_since: plan.fuse.window.map(|window| stamp(window.from)),
        admitted_until: plan.fuse.window.and_then(|window| window.until.map(stamp)),
        missed: plan.fuse.window.map(|_| count(world.missed.len())),
        effective_failure_policy: Some(mesh.webhook.failure_policy.as_str().to_owned()),
        ready_endpoints: Some(world.progress(&mesh.namespace, INJECTOR).available()),
        cert_not_after: held.and_then(ca::webhook_not_after).map(stamp),
    }
}

fn ca_status(authority: &Authority) -> Option<CaStatus> {
    match authority {
        Authority::Sound { facts, .. } | Authority::Aging(facts) => Some(CaStatus {
            provider: Some("SelfSigned".to_owned()),
            root_fingerprints: facts.fingerprints.clone(),
            root_not_after: Some(stamp(facts.root_not_after)),
            issuer_not_after: Some(stamp(facts.issuer_not_after)),
        }),
        Authority::Absent | Authority::NoIssuer | Authority::Damaged { .. } => None,
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// To the second, as Kubernetes keeps times.
fn stamp(time: OffsetDateTime) -> Time {
    Time(Timestamp::from_second(time.unix_timestamp()).unwrap_or_default())
}
