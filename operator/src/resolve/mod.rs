//! From the spec that a user wrote to values for everything.
//!
//! Flows in: a MeshOperator, what an earlier installation pinned, where the operator's image came
//! from. Flows out: a [`Mesh`] and the names of fields and keys that do nothing. Pure. What is
//! decided here depends on the mesh's version, never on the operator's.

mod gateways;
mod injection;
mod mesh;
mod paths;
mod sources;
#[cfg(test)]
mod tests;
mod unsupported;

pub(crate) use mesh::namespace;

use crate::images::Origin;
use crate::versions;
use serde_json::Value;
use std::collections::BTreeMap;
use weft_api::injection::InjectionSettings;
use weft_api::operator::{
    FailurePolicy, ImagePullPolicy, KubernetesResources, MeshOperator, MeshOperatorSpec,
    ReinvocationPolicy,
};
use weft_api::settings::MeshSettings;

/// A mesh with nothing left open.
#[derive(Clone, Debug, PartialEq)]
pub struct Mesh {
    /// Name of the MeshOperator.
    pub name: String,
    /// Namespace of the control plane.
    pub namespace: String,
    /// Version of the mesh.
    pub version: String,
    /// The same as a label value.
    pub revision: String,
    /// The control plane.
    pub control: Program,
    /// The webhook's server.
    pub injector: Program,
    /// Proxies at the edge.
    pub gateways: Vec<Gateway>,
    /// For images of the control plane and the injector.
    pub image_pull_secrets: Vec<String>,
    /// What the control plane reads.
    pub settings: MeshSettings,
    /// What the injector reads.
    pub injection: InjectionSettings,
    /// What the API server needs to know of the injector.
    pub webhook: Webhook,
    /// Lives of certificates.
    pub lives: Lives,
}

/// One Deployment of the mesh.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// Image.
    pub image: String,
    /// Of that image.
    pub pull_policy: ImagePullPolicy,
    /// Pods.
    pub replicas: i32,
    /// What else the user wants of them.
    pub k8s: KubernetesResources,
}

/// A proxy at the edge.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// For which way.
    pub side: Side,
    /// Name of its Deployment and Service.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Labels of its pods, which Gateway objects select.
    pub labels: BTreeMap<String, String>,
    /// How it runs.
    pub program: Program,
}

/// Which way traffic goes at the edge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// Into the mesh.
    Ingress,
    /// Out of it.
    Egress,
}

impl Side {
    /// Labels as Istio's gateways have them.
    fn labels(self, name: &str) -> BTreeMap<String, String> {
        let istio = match self {
            Self::Ingress => "ingressgateway",
            Self::Egress => "egressgateway",
        };
        [("app", name), ("istio", istio)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }
}

impl Gateway {
    /// Where it stands in `spec.components`.
    pub fn component(&self) -> String {
        let list = match self.side {
            Side::Ingress => "ingressGateways",
            Side::Egress => "egressGateways",
        };
        format!("{list}[{}]", self.name)
    }
}

/// The injector's place in admission.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Webhook {
    /// What happens to a pod while no injector answers.
    pub failure_policy: FailurePolicy,
    /// Whether it is asked again after others.
    pub reinvocation: ReinvocationPolicy,
    /// Longest time for an answer.
    pub timeout_seconds: i32,
}

/// Lives of certificates that the operator makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lives {
    /// Root.
    pub root: std::time::Duration,
    /// Issuer of workload certificates.
    pub issuer: std::time::Duration,
    /// The injector's own certificate.
    pub webhook: std::time::Duration,
}

/// A mesh and what of its spec does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The mesh.
    pub mesh: Mesh,
    /// Keys of `values` and `meshConfig` that nothing understands.
    pub unknown_keys: Vec<String>,
    /// Fields whose machinery does not exist yet.
    pub unsupported: Vec<String>,
}

/// Why a spec describes no mesh.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A version that this operator cannot bring.
    #[error(
        "version {version} is unknown to this operator; set spec.version to one of {known}, or upgrade the operator",
        known = versions::KNOWN.join(", ")
    )]
    UnknownVersion {
        /// What was asked for.
        version: String,
    },
    /// Two objects would have one name.
    #[error(
        "gateway {name} of namespace {namespace} has the name of another program of the mesh; give it another name"
    )]
    GatewayName {
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// A key of `values` or `meshConfig` whose value does not fit its field.
    #[error("spec.values or spec.meshConfig holds a value of the wrong kind: {reason}; correct it")]
    Unreadable {
        /// What the parser says.
        reason: String,
    },
}

/// Decides everything that `object` leaves open.
///
/// # Errors
/// If it describes no mesh that this operator can bring.
pub fn resolve(object: &MeshOperator, own_image: &str) -> Result<Resolved, Refused> {
    let written = serde_json::to_value(&object.spec).expect("a spec that was read is JSON");
    let mut filled = written.clone();
    let unknown_keys = sources::fill_absent(&mut filled);
    let spec: MeshOperatorSpec = typed(filled)?;
    let version = version(object, &spec)?;
    let mesh = mesh::mesh(object, &spec, version, &Origin::of(own_image));
    gateways::check(&mesh.gateways, &mesh.namespace)?;
    Ok(Resolved {
        mesh,
        unknown_keys,
        unsupported: unsupported::fields(&written),
    })
}

/// The version that `object` stands for.
fn version(object: &MeshOperator, spec: &MeshOperatorSpec) -> Result<&'static str, Refused> {
    let status = object.status.as_ref();
    let pinned = status.and_then(|status| status.version.as_ref()?.pinned.as_deref());
    let wanted = spec.version.as_deref();
    versions::pick(wanted, pinned).ok_or_else(|| Refused::UnknownVersion {
        version: wanted.or(pinned).unwrap_or_default().to_owned(),
    })
}

fn typed(filled: Value) -> Result<MeshOperatorSpec, Refused> {
    serde_json::from_value(filled).map_err(|error| Refused::Unreadable {
        reason: error.to_string(),
    })
}
