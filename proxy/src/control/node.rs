//! How this proxy introduces itself to the control plane.

use crate::bootstrap::Bootstrap;
use weft_proto::pb::envoy::config::core::v3::Node;
use weft_proto::typed_struct::{nested, object, string};

/// The xDS node: Istio's id and metadata keys, and two of ours.
pub fn node(from: &Bootstrap) -> Node {
    let pod = &from.pod;
    let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
    let labels = pod.labels.iter();
    let labels = object(labels.map(|(key, value)| (key.as_str(), string(value))));
    let metadata = object([
        ("NAME", string(&pod.name)),
        ("NAMESPACE", string(&pod.namespace)),
        ("SERVICE_ACCOUNT", string(&pod.service_account)),
        ("WORKLOAD_NAME", string(&pod.workload)),
        ("OWNER", string(&pod.owner)),
        ("NODE_NAME", string(&pod.node)),
        ("INSTANCE_IPS", string(addresses.join(","))),
        ("CLUSTER_ID", string(&from.cluster)),
        ("ISTIO_VERSION", string(&from.version)),
        ("WEFT_VERSION", string(&from.version)),
        ("WEFT_REVISION", string(&from.revision)),
        ("DNS_CAPTURE", string(from.captures_dns.to_string())),
        ("LABELS", nested(labels)),
    ]);
    let namespace = &pod.namespace;
    let first = addresses.first().map_or("", String::as_str);
    Node {
        id: format!(
            "{}~{first}~{}.{namespace}~{namespace}.svc.cluster.local",
            from.role.name(),
            pod.name
        ),
        cluster: format!("{}.{namespace}", pod.workload),
        metadata: Some(metadata),
        user_agent_name: "weft-proxy".into(),
        ..Node::default()
    }
}
