//! Connections by name.

use anyhow::{Context, Result};
use hickory_resolver::TokioResolver;
use tokio::net::TcpStream;

/// Connects to a name, as the pod's `resolv.conf` says; not by the C library, which a static program has not.
pub(crate) async fn dial(host: &str, port: u16) -> Result<TcpStream> {
    let found = TokioResolver::builder_tokio()?
        .build()?
        .lookup_ip(host)
        .await?;
    let address = found
        .iter()
        .next()
        .with_context(|| format!("{host} has no address"))?;
    TcpStream::connect((address, port))
        .await
        .with_context(|| format!("{address}:{port}"))
}
