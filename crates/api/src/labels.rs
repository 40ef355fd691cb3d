//! Every label and annotation key, with its meaning.

/// On a namespace: `enabled` or `disabled`. On a pod: `true` or `false`.
pub const INJECT: &str = "weft.mesh/inject";
/// Istio's alias on a namespace: `enabled` or `disabled`.
pub const ISTIO_INJECTION: &str = "istio-injection";
/// Istio's alias on a pod, label or annotation: `true` or `false`.
pub const ISTIO_INJECT: &str = "sidecar.istio.io/inject";
/// Label of every injected pod; selectors and the operator count by it.
pub const INJECTED: &str = "weft.mesh/injected";
/// Annotation of an injected pod: JSON that says what was added, for which revision.
pub const STATUS: &str = "weft.mesh/status";
/// Mesh revision of an object or a pod.
pub const REVISION: &str = "weft.mesh/revision";
/// Name of the MeshOperator that an object belongs to.
pub const OWNER: &str = "weft.mesh/owner";
/// `istio` on pods that speak mesh mTLS.
pub const TLS_MODE: &str = "security.istio.io/tlsMode";
/// Istio's canonical service name.
pub const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
/// Istio's canonical service revision.
pub const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";
/// Label of everything that the operator makes.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotation of a pod that was looked at and left alone: the reason.
pub const SKIPPED: &str = "weft.mesh/skipped";
/// Annotation of a pod: names of the templates that it wants, comma-separated.
pub const TEMPLATES: &str = "weft.mesh/templates";
/// Istio's alias of [`TEMPLATES`].
pub const ISTIO_TEMPLATES: &str = "inject.istio.io/templates";
/// Annotation of a pod: `true` keeps the images that a template names for Istio's containers.
pub const KEEP_IMAGE: &str = "weft.mesh/keep-image";
/// Label of the pods of proxies at the edge: the name of the gateway. Only such pods get the
/// certificates of Gateways.
pub const GATEWAY: &str = "weft.mesh/gateway";
