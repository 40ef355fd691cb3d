//! One bridge, one network namespace for each node, and the routes between their pods; IPv4 and IPv6 side by side.

use anyhow::Result;

use super::layout::{BRIDGE, HOST, Node, SERVICES};
use crate::command::run;

/// Lays the whole network.
pub(super) fn lay(nodes: u8) -> Result<()> {
    run(&format!("ip link add {BRIDGE} type bridge"))?;
    for address in HOST {
        run(&format!(
            "ip address add {address} dev {BRIDGE} {}",
            no_detection(address)
        ))?;
    }
    run(&format!("ip link set {BRIDGE} up"))?;
    for node in Node::all(nodes) {
        attach(node)?;
    }
    for node in Node::all(nodes) {
        route(node, nodes)?;
    }
    Ok(())
}

/// Puts a node on the bridge.
fn attach(node: Node) -> Result<()> {
    let (n, namespace) = (node.0, node.namespace());
    run(&format!("ip netns add {namespace}"))?;
    run(&format!(
        "ip link add weft{n} type veth peer name eth0 netns {namespace}"
    ))?;
    run(&format!("ip link set weft{n} master {BRIDGE} up"))?;
    run(&format!("ip -n {namespace} link set lo up"))?;
    for (address, length) in node.addresses().iter().zip([24, 64]) {
        run(&format!(
            "ip -n {namespace} address add {address}/{length} dev eth0 {}",
            no_detection(address)
        ))?;
    }
    run(&format!("ip -n {namespace} link set eth0 up"))?;
    run(&format!(
        "{} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
        node.enter()
    ))?;
    // kube-proxy rewrites a service's address after routing, so a route must exist although nothing answers there.
    for services in SERVICES {
        run(&format!("ip -n {namespace} route add {services} dev eth0"))?;
    }
    Ok(())
}

/// Tells the host and the other nodes where this node's pods are.
fn route(node: Node, nodes: u8) -> Result<()> {
    for (pods, via) in node.pods().iter().zip(node.addresses()) {
        run(&format!("ip route add {pods} via {via}"))?;
        for other in Node::all(nodes).filter(|other| other.0 != node.0) {
            run(&format!(
                "ip -n {} route add {pods} via {via}",
                other.namespace()
            ))?;
        }
    }
    Ok(())
}

/// Without duplicate address detection an IPv6 address can be used at once.
fn no_detection(address: &str) -> &'static str {
    if address.contains(':') { "nodad" } else { "" }
}
