//! One request, one connection.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use hickory_resolver::TokioResolver;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::util::BoxCloneSyncService;

/// Patience of one request.
const LIMIT: Duration = Duration::from_secs(10);

/// An HTTP client that finds its servers by DNS as the pod's `resolv.conf` says.
///
/// Not the C library's resolver: a static program has none.
pub(crate) type HttpClient = Client<HttpConnector<Names>, Empty<Bytes>>;
type Names = BoxCloneSyncService<Name, std::vec::IntoIter<SocketAddr>, anyhow::Error>;

/// A client that keeps at most so many idle connections.
pub(crate) fn client(idle: usize) -> Result<HttpClient> {
    let resolver = TokioResolver::builder_tokio()?.build()?;
    let names = BoxCloneSyncService::new(tower::service_fn(move |name: Name| {
        let resolver = resolver.clone();
        async move { addresses(&resolver, name.as_str()).await }
    }));
    let connector = HttpConnector::new_with_resolver(names);
    Ok(Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(idle)
        .build(connector))
}

async fn addresses(resolver: &TokioResolver, name: &str) -> Result<std::vec::IntoIter<SocketAddr>> {
    let found = resolver.lookup_ip(name).await?;
    Ok(found
        .iter()
        .map(|address| SocketAddr::new(address, 0))
        .collect::<Vec<_>>()
        .into_iter())
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// Sends one request.
pub(crate) async fn send(client: &HttpClient, request: Request<Empty<Bytes>>) -> Result<Answer> {
    let exchange = async {
        let response = client.request(request).await?;
        let status = response.status().as_u16();
        Ok(Answer {
            status,
            body: response.into_body().collect().await?.to_bytes(),
        })
    };
    timeout(LIMIT, exchange)
        .await
        .unwrap_or_else(|_| Err(anyhow!("no answer within {LIMIT:?}")))
}

/// What to send.
#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    url: String,
    #[arg(long, default_value = "GET")]
    method: String,
    /// A header, as `name: value`.
    #[arg(long = "header")]
    headers: Vec<String>,
    /// End badly unless the answer is 200.
    #[arg(long)]
    must_succeed: bool,
}

/// Sends one request and prints `{"status", "body"}` or `{"error"}`.
pub(crate) async fn once(asked: &Asked) -> Result<()> {
    let mut request = Request::builder()
        .method(asked.method.as_str())
        .uri(&asked.url);
    for header in &asked.headers {
        let (name, value) = header
            .split_once(':')
            .context("a header is `name: value`")?;
        request = request.header(name.trim(), value.trim());
    }
    let answer = send(&client(0)?, request.body(Empty::new())?).await;
    let good = answer.as_ref().is_ok_and(|answer| answer.status == 200);
    let printed = match answer {
        Ok(answer) => {
            json!({"status": answer.status, "body": String::from_utf8_lossy(&answer.body)})
        }
        Err(fault) => json!({"error": format!("{fault:#}")}),
    };
    println!("{printed}");
    ensure!(good || !asked.must_succeed, "no good answer");
    Ok(())
}

/// The address that `name:port` stands for.
pub(crate) async fn address(text: &str) -> Result<SocketAddr> {
    // The resolver would ask for an address as if it were a name.
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (name, port) = text.rsplit_once(':').context("an address is `name:port`")?;
    let resolver = TokioResolver::builder_tokio()?.build()?;
    let found = addresses(&resolver, name).await?.next();
    let found = found.context("no address")?;
    Ok(SocketAddr::new(found.ip(), port.parse()?))
}

/// Prints the first line that the server sends, with the milliseconds that it took.
pub(crate) async fn banner(address: &str) -> Result<()> {
    let address = self::address(address).await?;
    let began = std::time::Instant::now();
    let stream = TcpStream::connect(address).await?;
    let mut line = String::new();
    let read = timeout(LIMIT, BufReader::new(stream).read_line(&mut line)).await;
    read.context("no line came")??;
    println!(
        "{}",
        json!({"line": line.trim_end(), "milliseconds": began.elapsed().as_millis() as u64})
    );
    Ok(())
}
