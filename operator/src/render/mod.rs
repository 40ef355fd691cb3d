//! From a resolved mesh to Kubernetes objects.
//!
//! Flows in: a [`Mesh`] and the certificates that exist. Flows out: typed objects, in the order in
//! which they are applied. Pure; a mesh of the same version gives the same objects with every later
//! operator. Golden files hold that: `operator/tests/golden`.

mod customise;
mod edge;
mod gateway;
mod meta;
mod network;
mod rbac;
mod settings;
mod webhook;
mod workload;

pub use customise::Unreadable;
pub use edge::gateways;
pub use meta::labels;
pub(crate) use settings::ROOTS;
pub use settings::roots_map;
pub use webhook::configuration as webhook;

use crate::object::Object;
use crate::resolve::Mesh;

/// Name of the control plane's objects.
pub const CONTROL: &str = "weft-control";
/// Name of the injector's objects.
pub const INJECTOR: &str = "weft-injector";

/// Everything in the mesh's namespace and its roles, but Secrets and the webhook configuration.
///
/// # Errors
/// If the user's `k8s` settings of a component are not what Kubernetes expects there.
pub fn objects(mesh: &Mesh) -> Result<Vec<Object>, Unreadable> {
    let mut objects = vec![
        Object::new(&settings::mesh_map(mesh)),
        Object::new(&settings::injection_map(mesh)),
    ];
    objects.extend(rbac::control(mesh));
    objects.extend(rbac::injector(mesh));
    objects.extend([
        network::control_service(mesh)?,
        network::injector_service(mesh)?,
    ]);
    objects.extend(network::budgets(mesh)?);
    objects.push(workload::control(mesh)?);
    objects.push(workload::injector(mesh)?);
    Ok(objects)
}
