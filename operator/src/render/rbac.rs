//! Who may do what: ServiceAccounts, roles and bindings of the mesh's programs.
//!
//! The chart's ClusterRole of the operator must contain every rule here, because Kubernetes lets
//! nobody grant what they do not hold.

use super::{CONTROL, INJECTOR, meta};
use crate::object::Object;
use crate::resolve::Mesh;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

const READ: &[&str] = &["get", "list", "watch"];

pub(super) fn control(mesh: &Mesh) -> Vec<Object> {
    let istio = [
        "networking.istio.io",
        "security.istio.io",
        "telemetry.istio.io",
    ];
    let cluster = vec![
        rule(
            &[""],
            &["services", "endpoints", "pods", "nodes", "namespaces"],
            READ,
        ),
        rule(&["discovery.k8s.io"], &["endpointslices"], READ),
        // Reading rules and writing their status; `*/status` cannot be said for single kinds.
        rule(&istio, &["*"], &["get", "list", "watch", "patch", "update"]),
        // A condition on a Service that cannot be applied.
        rule(&[""], &["services/status"], &["patch"]),
        rule(&["authentication.k8s.io"], &["tokenreviews"], &["create"]),
        // The keys that sign service-account tokens.
        PolicyRule {
            non_resource_urls: Some(texts(&[
                "/.well-known/openid-configuration",
                "/openid/v1/jwks",
            ])),
            verbs: texts(&["get"]),
            ..PolicyRule::default()
        },
    ];
    let local = vec![
        named("secrets", &["weft-ca"]),
        named("configmaps", &["weft-mesh", "weft-ca-roots"]),
        rule(
            &["coordination.k8s.io"],
            &["leases"],
            &["get", "list", "watch", "create", "patch", "update"],
        ),
    ];
    all(mesh, CONTROL, cluster, local)
}

pub(super) fn injector(mesh: &Mesh) -> Vec<Object> {
    let source = mesh.injection.template_source.name.as_str();
    let cluster = vec![
        rule(&[""], &["namespaces"], READ),
        rule(&["apps"], &["replicasets"], READ),
    ];
    let local = vec![
        named("secrets", &["weft-injector-tls"]),
        named("configmaps", &["weft-injection", source]),
        // It tells the author of a template what is wrong with it.
        rule(&["events.k8s.io"], &["events"], &["create", "patch"]),
    ];
    all(mesh, INJECTOR, cluster, local)
}

/// A ServiceAccount with its cluster-wide and its local rules.
fn all(mesh: &Mesh, name: &str, cluster: Vec<PolicyRule>, local: Vec<PolicyRule>) -> Vec<Object> {
    let account = ServiceAccount {
        metadata: meta::namespaced(mesh, name),
        ..ServiceAccount::default()
    };
    let cluster_role = ClusterRole {
        metadata: meta::cluster_wide(mesh, name),
        rules: Some(cluster),
        ..ClusterRole::default()
    };
    let cluster_binding = ClusterRoleBinding {
        metadata: meta::cluster_wide(mesh, name),
        role_ref: role_ref("ClusterRole", name),
        subjects: Some(vec![subject(mesh, name)]),
    };
    let role = Role {
        metadata: meta::namespaced(mesh, name),
        rules: Some(local),
    };
    let binding = RoleBinding {
        metadata: meta::namespaced(mesh, name),
        role_ref: role_ref("Role", name),
        subjects: Some(vec![subject(mesh, name)]),
    };
    vec![
        Object::new(&account),
        Object::new(&cluster_role),
        Object::new(&cluster_binding),
        Object::new(&role),
        Object::new(&binding),
    ]
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

fn subject(mesh: &Mesh, name: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        namespace: Some(mesh.namespace.clone()),
        ..Subject::default()
    }
}

/// Reading of single objects; a watch needs a field selector with the name.
fn named(resource: &str, names: &[&str]) -> PolicyRule {
    PolicyRule {
        resource_names: Some(texts(names)),
        ..rule(&[""], &[resource], READ)
    }
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(texts(groups)),
        resources: Some(texts(resources)),
        verbs: texts(verbs),
        ..PolicyRule::default()
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
