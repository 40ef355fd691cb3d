//! Type URLs of the resources and messages that our programs exchange.

/// Listener (LDS).
pub const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
/// Route configuration (RDS).
pub const ROUTE: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
/// Cluster (CDS).
pub const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
/// Endpoints of one cluster (EDS).
pub const ENDPOINTS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// Certificates and roots (SDS).
pub const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
/// Answers to DNS queries (Istio's NDS).
pub const NAMES: &str = "type.googleapis.com/istio.networking.nds.v1.NameTable";
/// An untyped configuration in its older, most used form.
pub const TYPED_STRUCT: &str = "type.googleapis.com/udpa.type.v1.TypedStruct";
/// An untyped configuration in its newer form.
pub const XDS_TYPED_STRUCT: &str = "type.googleapis.com/xds.type.v3.TypedStruct";
