//! Shows what a mesh is for: who spoke to whom, as whom, how it was protected, and what that cost.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::Value;

use super::metrics::samples;
use super::{NAMESPACE, SYSTEM};
use crate::target::Target;

/// Prints all of it.
pub(super) fn all(target: &Target) -> Result<()> {
    let pods = pods(target)?;
    println!("\nWho called whom (istio_requests_total, as the called side counted)");
    requests(target, &pods)?;
    println!("\nHow it was protected (access log: caller, called, TLS version)");
    hops(target, &pods);
    println!("\nCertificates and memory of each proxy");
    proxies(target, &pods)
}

/// Prints what to try next.
pub(super) fn next_commands(target: &Target) {
    println!(
        "\nTry next:
  {}
  kubectl get meshoperator mesh -o wide
  kubectl --namespace {NAMESPACE} get pods
  kubectl --namespace {NAMESPACE} logs deployment/frontend --container weft-proxy
  kubectl --namespace {NAMESPACE} port-forward deployment/frontend 15000   # then curl localhost:15000/help
  kubectl --namespace {SYSTEM} delete deployment weft-control           # the operator brings it back
  cargo xtask demo down",
        target.export()
    );
}

fn pods(target: &Target) -> Result<Vec<String>> {
    let names = target.kubectl(&format!(
        "get pods --namespace {NAMESPACE} -l weft.mesh/injected=true -o name"
    ))?;
    Ok(names
        .lines()
        .filter_map(|name| name.strip_prefix("pod/"))
        .map(str::to_owned)
        .collect())
}

fn requests(target: &Target, pods: &[String]) -> Result<()> {
    let mut counts = BTreeMap::<_, f64>::new();
    for pod in pods {
        let page = format!(
            "get --raw /api/v1/namespaces/{NAMESPACE}/pods/{pod}:15090/proxy/stats/prometheus"
        );
        for sample in samples(&target.kubectl(&page)?, "istio_requests_total") {
            let label = |key: &str| sample.labels.get(key).cloned().unwrap_or_default();
            if label("reporter") == "destination" {
                let how = (label("connection_security_policy"), label("response_code"));
                *counts
                    .entry((label("source_workload"), label("destination_workload"), how))
                    .or_default() += sample.value;
            }
        }
    }
    for ((source, destination, (policy, code)), count) in counts {
        println!("  {source:>14} → {destination:<14} {policy:<12} {code}  {count:>6}");
    }
    Ok(())
}

fn hops(target: &Target, pods: &[String]) {
    let mut seen = BTreeSet::new();
    for pod in pods {
        // A pod that has just gone has no log; the others tell the story.
        let log = target
            .kubectl(&format!(
                "logs --namespace {NAMESPACE} {pod} --container weft-proxy"
            ))
            .unwrap_or_default();
        seen.extend(
            log.lines()
                .filter_map(|line| line.strip_prefix("hop "))
                .filter(|hop| hop.contains("TLSv"))
                .map(str::to_owned),
        );
    }
    for hop in seen {
        println!("  {}", hop.split(' ').collect::<Vec<_>>().join("  "));
    }
}

fn proxies(target: &Target, pods: &[String]) -> Result<()> {
    let memory = memory(target)?;
    for pod in pods {
        let certificate = leaf(target, pod).unwrap_or_default();
        let bytes = memory.get(pod).copied().unwrap_or_default();
        println!(
            "  {pod:<32} {:>6.1} MB  serial {}  valid {} – {}",
            bytes as f64 / 1e6,
            certificate["serial_number"].as_str().unwrap_or("?"),
            certificate["valid_from"].as_str().unwrap_or("?"),
            certificate["expiration_time"].as_str().unwrap_or("?"),
        );
    }
    Ok(())
}

/// Each pod's proxy and its working set in bytes, as the kubelets measure it.
fn memory(target: &Target) -> Result<BTreeMap<String, u64>> {
    let mut memory = BTreeMap::new();
    for node in target
        .kubectl("get nodes -o name")?
        .lines()
        .filter_map(|name| name.strip_prefix("node/"))
    {
        let summary: Value = serde_json::from_str(&target.kubectl(&format!(
            "get --raw /api/v1/nodes/{node}/proxy/stats/summary"
        ))?)?;
        for pod in summary["pods"].as_array().into_iter().flatten() {
            let name = pod["podRef"]["name"].as_str().unwrap_or_default();
            let containers = pod["containers"].as_array().into_iter().flatten();
            let proxy = containers
                .into_iter()
                .find(|container| container["name"] == "weft-proxy");
            memory.extend(proxy.and_then(|proxy| {
                Some((
                    name.to_owned(),
                    proxy["memory"]["workingSetBytes"].as_u64()?,
                ))
            }));
        }
    }
    Ok(memory)
}

/// The leaf certificate of a pod's proxy, from its admin port.
fn leaf(target: &Target, pod: &str) -> Result<Value> {
    let certs: Value = serde_json::from_str(&admin(target, pod, "/certs")?)?;
    Ok(certs["certificates"][0]["cert_chain"][0].clone())
}

/// Gets a page of a proxy's admin port, which listens on the pod's loopback only.
fn admin(target: &Target, pod: &str, path: &str) -> Result<String> {
    let mut forward = target
        .kubectl_command()
        .args(["port-forward", "--namespace", NAMESPACE, pod, ":15000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let page = forwarded(
        BufReader::new(forward.stdout.take().context("its output")?),
        path,
    );
    forward.kill()?;
    forward.wait()?;
    page
}

/// Reads `Forwarding from 127.0.0.1:40123 -> 15000`, then the page.
fn forwarded(mut said: impl BufRead, path: &str) -> Result<String> {
    let mut line = String::new();
    said.read_line(&mut line)?;
    let address = line
        .split_whitespace()
        .nth(2)
        .context("kubectl did not say where it listens")?;
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .context("not an HTTP answer")?;
    // A chunked body has its length before it; JSON begins with a brace.
    let (start, end) = (
        body.find('{').context("not JSON")?,
        body.rfind('}').context("not JSON")?,
    );
    Ok(body[start..=end].to_owned())
}
