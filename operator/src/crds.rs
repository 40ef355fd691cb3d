//! Definitions of kinds: added and extended, never taken back.

use crate::rollout::MANAGER;
use crate::versions;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions::is_crd_established};
use kube::{Api, Client, ResourceExt};
use std::time::Duration;

/// Annotation with the version of Weft that a definition came with.
const VERSION: &str = "weft.mesh/crd-version";

/// How long a definition may take to be served.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time until definitions that could not be brought are tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// What is done about one definition.
#[derive(Debug, Eq, PartialEq)]
enum Decision {
    /// It is missing, or older and ours.
    Apply,
    /// It is as new, or newer, or somebody else's.
    Keep,
}

/// Brings every definition that is missing or older, and waits until they are served. One that the API
/// server refuses, or that it does not serve in time, is named in the log and keeps no other.
///
/// Tells whether all are there.
pub async fn bring(kube: &Client) -> bool {
    let api = Api::<CustomResourceDefinition>::all(kube.clone());
    let mut brought = Vec::new();
    let mut all = true;
    for wanted in weft_api::crds() {
        let name = wanted.name_any();
        match bring_one(&api, wanted).await {
            Ok(()) => brought.push(name),
            Err(error) => {
                all = false;
                tracing::error!(
                    definition = name, %error,
                    "a definition of a kind cannot be brought; objects of this kind have no effect until it can"
                );
            }
        }
    }
    for name in brought {
        all &= served(&api, &name).await;
    }
    all
}

/// Tries again now and then until every definition is there.
pub async fn keep_bringing(kube: Client) {
    loop {
        tokio::time::sleep(AGAIN).await;
        if bring(&kube).await {
            return;
        }
    }
}

async fn bring_one(
    api: &Api<CustomResourceDefinition>,
    mut wanted: CustomResourceDefinition,
) -> Result<(), kube::Error> {
    let name = wanted.name_any();
    let annotations = wanted.annotations_mut();
    annotations.insert(VERSION.to_owned(), versions::OPERATOR.to_owned());
    let live = api.get_opt(&name).await?;
    if decide(live.as_ref(), &wanted) == Decision::Apply {
        tracing::info!(definition = name, "bringing a definition");
        let ours = PatchParams::apply(MANAGER).force();
        api.patch(&name, &ours, &Patch::Apply(&wanted)).await?;
    }
    Ok(())
}

/// Waits until the API server serves a definition, but not for ever.
async fn served(api: &Api<CustomResourceDefinition>, name: &str) -> bool {
    let established = await_condition(api.clone(), name, is_crd_established());
    let served = matches!(tokio::time::timeout(PATIENCE, established).await, Ok(Ok(_)));
    if !served {
        tracing::warn!(definition = name, "a definition is not served yet");
    }
    served
}

/// A definition that others brought, such as Istio's own of the same kind, is left to them.
fn decide(live: Option<&CustomResourceDefinition>, wanted: &CustomResourceDefinition) -> Decision {
    let Some(live) = live else {
        return Decision::Apply;
    };
    let ours = live.spec.group == "weft.mesh" || live.annotations().contains_key(VERSION);
    let version = |crd: &CustomResourceDefinition| parsed(crd.annotations().get(VERSION));
    let newer = version(live) > version(wanted);
    if ours && !newer && !same(live, wanted) {
        Decision::Apply
    } else {
        Decision::Keep
    }
}

/// Whether both say the same, with the version that they came with.
fn same(live: &CustomResourceDefinition, wanted: &CustomResourceDefinition) -> bool {
    let schemas = |crd: &CustomResourceDefinition| {
        crd.spec
            .versions
            .iter()
            .map(|v| (v.name.clone(), v.schema.clone()))
            .collect::<Vec<_>>()
    };
    live.annotations().get(VERSION) == wanted.annotations().get(VERSION)
        && schemas(live) == schemas(wanted)
}

fn parsed(version: Option<&String>) -> Vec<u64> {
    let parts = version.into_iter().flat_map(|version| version.split('.'));
    parts.map(|part| part.parse().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(group: &str, version: Option<&str>) -> CustomResourceDefinition {
        let mut crd = weft_api::crds().remove(0);
        crd.spec.group = group.to_owned();
        if let Some(version) = version {
            crd.annotations_mut()
                .insert(VERSION.to_owned(), version.to_owned());
        }
        crd
    }

    #[test]
    fn a_definition_is_never_taken_back() {
        let wanted = definition("security.istio.io", Some("0.2.0"));
        let table = [
            (None, Decision::Apply),
            (
                Some(definition("security.istio.io", Some("0.1.0"))),
                Decision::Apply,
            ),
            (
                Some(definition("security.istio.io", Some("0.2.0"))),
                Decision::Keep,
            ),
            (
                Some(definition("security.istio.io", Some("0.10.0"))),
                Decision::Keep,
            ), // newer
            (Some(definition("security.istio.io", None)), Decision::Keep), // Istio's own
            (Some(definition("weft.mesh", None)), Decision::Apply),        // from the chart
        ];
        for (live, expected) in table {
            assert_eq!(
                decide(live.as_ref(), &wanted),
                expected,
                "{:?}",
                live.map(|l| l.metadata)
            );
        }
    }
}
