//! What the API server itself says to a MeshOperator: each rule refuses with its field and remedy.
//!
//! Dry runs only: nothing of a running mesh changes.

use anyhow::{Context, Result, bail, ensure};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use weft_api::operator::MeshOperator;
use weft_e2e::Mesh;

/// Specs that describe no mesh, and a part of what the user reads.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("{profile: production, components: {pilot: {k8s: {replicaCount: 1}}}}", "replicaCount must be 2 or more"),
    ("{injection: {interception: {mode: CNI}}}", "components.cni.enabled: true"),
    ("{injection: {failurePolicy: Ignore, onOutage: Block}}", "onOutage Block contradicts"),
    ("{updateStrategy: {type: InPlace, canary: {}}}", "needs updateStrategy.type RevisionBased"),
    ("{updateStrategy: {canary: {analysis: {interval: 1h}}}}", "interval must not exceed"),
    ("{updateStrategy: {canary: {analysis: {checks: [{name: a, metric: SuccessRate}]}}}}", "exactly one of max, maxDelta and maxRatio"),
    ("{updateStrategy: {canary: {analysis: {checks: [{name: a, metric: PromQL, max: '1'}]}}}}", "query is needed for metric PromQL"),
    ("{dataPlane: {update: {method: Restart, maxUnavailable: 0}}}", "lets nothing restart"),
    ("{dataPlane: {update: {maxUnavailable: half}}}", "a percentage such as 25%"),
    ("{dataPlane: {update: {waves: [{name: a}]}}}", "each wave needs percent or namespaceSelector"),
    ("{dataPlane: {update: {waves: [{name: a, percent: 50}]}}}", "give the last one percent: 100"),
    ("{proxy: {resources: {requests: {cpu: '2'}, limits: {cpu: 1}}}}", "requests.cpu exceeds limits.cpu"),
    ("{proxy: {resources: {requests: {memory: 1Gi}, limits: {memory: 512Mi}}}}", "requests.memory exceeds limits.memory"),
    ("{proxy: {lifecycle: {minimumDrain: 1m}}}", "minimumDrain (5s if absent)"),
    ("{ca: {provider: CertManager}}", "ca.certManager is needed"),
    ("{ca: {externalSecret: {name: a}}}", "ca.externalSecret is needed"),
    ("{ca: {workloadCertTTL: 2161h}}", "must not exceed ca.issuerTTL"),
    ("{ca: {issuerTTL: 87601h}}", "must not exceed ca.rootTTL"),
    ("{ca: {workloadCertTTL: 29s}}", "must be 30s or more"),
];

#[tokio::test]
async fn a_meshoperator_that_cannot_work_is_refused_with_the_remedy() -> Result<()> {
    let meshes: Api<MeshOperator> = Api::all(Mesh::install(json!({})).await?.cluster.client);
    for (text, expected) in REFUSED {
        let spec: Value = serde_saphyr::from_str(text)?;
        let refusal = create(&meshes, "other", &spec).await;
        says(&spec, refusal, expected)?;
    }
    let long = "a".repeat(41);
    says(
        &json!({}),
        create(&meshes, &long, &json!({})).await,
        "at most 40 characters",
    )
}

#[tokio::test]
async fn a_change_that_would_break_a_running_mesh_is_refused() -> Result<()> {
    let meshes: Api<MeshOperator> = Api::all(Mesh::install(json!({})).await?.cluster.client);
    let table = [
        (
            json!({"namespace": "elsewhere"}),
            "spec.namespace cannot change",
        ),
        (
            json!({"meshConfig": {"trustDomain": "other.example"}}),
            "trustDomainAliases",
        ),
    ];
    for (spec, expected) in table {
        says(&spec, change(&meshes, &spec).await, expected)?;
    }
    let kept = json!({"meshConfig": {"trustDomain": "other.example", "trustDomainAliases": ["cluster.local"]}});
    change(&meshes, &kept)
        .await
        .context("the old trust domain is still accepted")
}

#[tokio::test]
async fn an_istio_operator_is_accepted_with_another_kind() -> Result<()> {
    let meshes: Api<MeshOperator> = Api::all(Mesh::install(json!({})).await?.cluster.client);
    let text = include_str!("../../../samples/meshoperators/istiooperator.yaml");
    let mesh: Value = serde_saphyr::from_str(text)?;
    create(&meshes, "seed", &mesh["spec"]).await?;
    Ok(())
}

/// Asks the API server whether it would take a new MeshOperator.
async fn create(meshes: &Api<MeshOperator>, name: &str, spec: &Value) -> Result<(), kube::Error> {
    let mesh = MeshOperator::new(
        name,
        serde_json::from_value(spec.clone()).expect("a readable spec"),
    );
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    meshes.create(&dry, &mesh).await.map(|_| ())
}

/// Asks the API server whether it would take a change of the running mesh.
async fn change(meshes: &Api<MeshOperator>, spec: &Value) -> Result<(), kube::Error> {
    let dry = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({ "spec": spec }));
    meshes.patch(weft_e2e::MESH, &dry, &patch).await.map(|_| ())
}

fn says(spec: &Value, outcome: Result<(), kube::Error>, expected: &str) -> Result<()> {
    match outcome {
        Ok(()) => bail!("{spec} was taken"),
        Err(kube::Error::Api(status)) => {
            ensure!(
                status.message.contains(expected),
                "{spec}: {}",
                status.message
            );
            Ok(())
        }
        Err(other) => Err(other.into()),
    }
}
