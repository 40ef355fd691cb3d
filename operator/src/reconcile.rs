//! One pass over one MeshOperator.

use crate::access;
use crate::condition::{Finding, Kind, Reason};
use crate::context::Context;
use crate::error::Error;
use crate::plan::{self, Plan};
use crate::removal::{self, FINALIZER, Step};
use crate::rollout::{self, Outcome};
use crate::world::{PodName, World};
use crate::{evict, findings, inspect, status};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::core::ApiResource;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Api, ResourceExt};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use weft_api::operator::MeshOperator;

/// Certificates age without any event, so that everything is looked at now and then.
const RECHECK: Duration = Duration::from_secs(60);
/// While something is on its way.
const SOON: Duration = Duration::from_secs(5);

/// Moves the cluster one step towards `mesh.spec`. Level-triggered: safe to call at any time.
///
/// # Errors
/// If the API server does not answer; a refusal is reported as a condition, an unreachable one cannot be.
pub async fn reconcile(mesh: Arc<MeshOperator>, cx: Arc<Context>) -> Result<Action, Error> {
    let passed = pass(&mesh, &cx).await;
    if let Err(error) = &passed {
        report(&mesh, &cx, error).await;
    }
    passed
}

/// Reports why a pass ended early, if the API server refused something; it would not take more if it were away.
async fn report(mesh: &MeshOperator, cx: &Context, error: &Error) {
    let Error::Kube(kube::Error::Api(refusal)) = error else {
        return;
    };
    if refusal.is_conflict() || refusal.is_not_found() {
        return; // somebody was faster: the next pass knows more
    }
    let text = format!("the API server refused: {}", refusal.message);
    let found = Finding::no(Kind::Reconciled, Reason::ApplyFailed, text);
    let status = status::stopped(mesh, &found, OffsetDateTime::now_utc());
    match status::publish(&cx.kube, mesh, &status).await {
        Ok(true) => cx.tell_changes(mesh, &[found]).await,
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "the status cannot be written either"),
    }
}

async fn pass(mesh: &MeshOperator, cx: &Context) -> Result<Action, Error> {
    if inspect::rival(&cx.kube, mesh).await?.is_none() {
        access::open(cx, mesh).await?;
    }
    let world = inspect::world(&cx.kube, mesh).await?;
    if mesh.metadata.deletion_timestamp.is_some() {
        return remove(mesh, cx, &world).await;
    }
    if !mesh
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == FINALIZER)
    {
        set_finalizers(mesh, cx, |finalizers| finalizers.push(FINALIZER.to_owned())).await?;
    }
    bring(mesh, cx, &world, None).await
}

/// Plans, writes, reports; `extra` is reported as well.
async fn bring(
    mesh: &MeshOperator,
    cx: &Context,
    world: &World,
    extra: Option<Finding>,
) -> Result<Action, Error> {
    let planned = plan::next(mesh, world, &cx.own_image);
    let (plan, outcome, mut found) = match planned {
        Err(refusal) => (None, None, findings::of_refusal(&refusal)),
        Ok(plan) => {
            let outcome = write(mesh, cx, &plan, world).await;
            let found = findings::of_plan(&plan, outcome.as_ref(), world);
            (Some(plan), outcome, found)
        }
    };
    found.extend(extra);
    let status = status::compose(mesh, plan.as_ref(), &found, world);
    let told = status::publish(&cx.kube, mesh, &status).await?;
    if told {
        cx.tell_changes(mesh, &found).await;
    }
    let writes = outcome.map_or(0, |outcome| outcome.written.len());
    cx.metrics.passed(writes + usize::from(told));
    let busy = plan.is_some_and(|plan| plan.changes_over || !plan.evictions.is_empty());
    let settled = !busy
        && found
            .iter()
            .any(|finding| finding.reason == Reason::Settled);
    Ok(Action::requeue(if settled { RECHECK } else { SOON }))
}

async fn write(mesh: &MeshOperator, cx: &Context, plan: &Plan, world: &World) -> Option<Outcome> {
    if mesh.spec.paused == Some(true) {
        return None;
    }
    let outcome = rollout::apply(&cx.kube, plan, world, &cx.pace).await;
    for key in &outcome.written {
        tracing::info!(object = %key, "written");
    }
    for failure in &outcome.failures {
        tracing::warn!(%failure, "not written");
    }
    cx.metrics.injection(plan.fuse.blown(), world.missed.len());
    replace(mesh, cx, &plan.evictions).await;
    Some(outcome)
}

/// Evicts some of `pods`; what goes wrong is told by how many stay.
async fn replace(mesh: &MeshOperator, cx: &Context, pods: &[PodName]) {
    let pace = (cx.evictions.as_ref(), evict::per_minute(&mesh.spec));
    match evict::some(&cx.kube, pods, pace).await {
        Ok(evicted) => cx.metrics.evicted(evicted),
        Err(error) => tracing::warn!(%error, "pods cannot be evicted; it is tried again"),
    }
}

async fn remove(mesh: &MeshOperator, cx: &Context, world: &World) -> Result<Action, Error> {
    if !mesh
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == FINALIZER)
    {
        return Ok(Action::await_change());
    }
    match removal::next(mesh, world, &ApiResource::erase::<Secret>(&())) {
        // What pods need is kept as it should be until they need it no more.
        Step::Refuse(users) => bring(mesh, cx, world, Some(findings::in_use(&users))).await,
        Step::Strict(names) => bring(mesh, cx, world, Some(findings::strict(&names))).await,
        Step::Uninject(pods) => {
            replace(mesh, cx, &pods).await;
            tell(mesh, cx, world, findings::uninjecting(&pods)).await?;
            Ok(Action::requeue(SOON))
        }
        Step::Delete(doomed) => {
            for (resource, key) in &doomed {
                tracing::info!(object = %key, "deleted");
                rollout::delete(&cx.kube, resource, key).await?;
            }
            let text = format!("{} objects are being deleted", doomed.len());
            let found = Finding::no(Kind::Removed, Reason::Removing, text);
            tell(mesh, cx, world, found).await?;
            Ok(Action::requeue(Duration::from_secs(1)))
        }
        Step::Finish { kept, left } => {
            tell_end(mesh, cx, (&kept, &left)).await;
            if world.rival.is_none() {
                access::close(&cx.kube).await?;
            }
            set_finalizers(mesh, cx, |all| {
                all.retain(|finalizer| finalizer != FINALIZER)
            })
            .await?;
            Ok(Action::await_change())
        }
    }
}

/// Reports the one condition of a removal.
async fn tell(
    mesh: &MeshOperator,
    cx: &Context,
    world: &World,
    found: Finding,
) -> Result<(), Error> {
    let found = [found];
    let status = status::compose(mesh, None, &found, world);
    if status::publish(&cx.kube, mesh, &status).await? {
        cx.tell_changes(mesh, &found).await;
    }
    Ok(())
}

/// Names what stays.
async fn tell_end(
    mesh: &MeshOperator,
    cx: &Context,
    (kept, left): (&[String], &[crate::object::Key]),
) {
    if !kept.is_empty() {
        let namespace = crate::resolve::namespace(&mesh.spec);
        let note = format!(
            "Secrets {} stay in namespace {namespace}, for the next mesh; so do the definitions of all kinds",
            kept.join(", ")
        );
        cx.tell(mesh, EventType::Normal, ("Removed", &note)).await;
    }
    if !left.is_empty() {
        let names: Vec<String> = left.iter().map(ToString::to_string).collect();
        let note = format!(
            "these objects are still there after the longest time: {}",
            names.join(", ")
        );
        cx.tell(mesh, EventType::Warning, ("RemovalIncomplete", &note))
            .await;
    }
}

/// Changes the finalizers, unless somebody else has changed the object meanwhile.
async fn set_finalizers(
    mesh: &MeshOperator,
    cx: &Context,
    change: impl FnOnce(&mut Vec<String>),
) -> Result<(), Error> {
    let mut finalizers = mesh.finalizers().to_vec();
    change(&mut finalizers);
    let patch = json!({"metadata": {
        "finalizers": finalizers,
        "resourceVersion": mesh.metadata.resource_version,
    }});
    let api = Api::<MeshOperator>::all(cx.kube.clone());
    api.patch(
        &mesh.name_any(),
        &PatchParams::default(),
        &Patch::Merge(&patch),
    )
    .await?;
    Ok(())
}
