//! A pod's own ports, through the API server, so that loopback ports are reached too.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde::Deserialize;

use crate::App;

/// A leaf certificate as the proxy's `/certs` tells of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Certificate {
    /// In hexadecimal digits.
    pub serial_number: String,
}

/// Gets a page of the admin port of an application's first pod.
///
/// # Errors
/// When nothing listens there.
pub async fn admin(app: &App, path: &str) -> Result<String> {
    page(app, 15000, path).await
}

/// The workload certificates that the proxy of an application's first pod holds.
///
/// # Errors
/// When the proxy does not answer, or not as Envoy's admin interface would.
pub async fn certificates(app: &App) -> Result<Vec<Certificate>> {
    #[derive(Deserialize)]
    struct Certs {
        certificates: Vec<Pair>,
    }
    #[derive(Deserialize)]
    struct Pair {
        #[serde(default)]
        cert_chain: Vec<Certificate>,
    }
    let text = admin(app, "/certs").await?;
    let certs: Certs = serde_json::from_str(&text).with_context(|| text.clone())?;
    Ok(certs
        .certificates
        .into_iter()
        .filter_map(|pair| pair.cert_chain.into_iter().next())
        .collect())
}

/// Gets a page of a port of an application's first pod, past the mesh.
///
/// # Errors
/// When nothing listens there.
pub async fn page(app: &App, port: u16, path: &str) -> Result<String> {
    let pods: Api<Pod> = Api::namespaced(app.namespace.cluster.client.clone(), &app.namespace.name);
    let pod = app.pod().await?;
    let mut forwarder = pods.portforward(&pod, &[port]).await?;
    let stream = forwarder
        .take_stream(port)
        .context("the forwarded stream")?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", "localhost")
        .body(Empty::<Bytes>::new())?;
    let response = sender
        .send_request(request)
        .await
        .with_context(|| format!("{pod}:{port}{path}"))?;
    let body = response.into_body().collect().await?.to_bytes();
    driver.abort();
    Ok(String::from_utf8_lossy(&body).into_owned())
}
