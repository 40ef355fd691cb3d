//! Several served versions of one type.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::crd::merge_crds;

/// `crd`, which has one version, served and stored, with `others` served too by the same schema.
pub(crate) fn served(crd: CustomResourceDefinition, others: &[&str]) -> CustomResourceDefinition {
    let stored = crd.spec.versions[0].name.clone();
    let renamed = others.iter().map(|version| {
        let mut other = crd.clone();
        other.spec.versions[0].name = (*version).to_owned();
        other
    });
    let all = std::iter::once(crd.clone()).chain(renamed).collect();
    merge_crds(all, &stored).expect("copies differ in nothing but the version")
}
