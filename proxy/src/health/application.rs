//! The application beside the proxy: what it is asked, and how it is reached.

use super::Probe;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

/// Longest time for a scrape of the application.
const SCRAPE: Duration = Duration::from_secs(8);
/// More metrics than this are not passed on.
const LARGEST: usize = 64 << 20;

/// A setting about the application that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {error}")]
pub struct BadSetting {
    variable: &'static str,
    error: serde_json::Error,
}

/// The application beside the proxy.
#[derive(Debug)]
pub struct Application {
    /// The pod's first address.
    pub address: IpAddr,
    probes: BTreeMap<String, Probe>,
    scrape: Option<Scrape>,
}

/// Where its metrics are.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Scrape {
    /// Port, as the annotation has it.
    pub port: String,
    /// Path, `/metrics` by default.
    #[serde(default)]
    pub path: String,
}

impl Application {
    /// The application at `address` with the settings `WEFT_APP_PROBES` and `WEFT_APP_METRICS`.
    ///
    /// # Errors
    /// Which of them is not what it should be.
    pub fn new(address: IpAddr, probes: &str, metrics: &str) -> Result<Self, BadSetting> {
        let bad = |variable| move |error| BadSetting { variable, error };
        let scrape = match metrics {
            "" => None,
            text => Some(serde_json::from_str(text).map_err(bad("WEFT_APP_METRICS"))?),
        };
        Ok(Self {
            address,
            probes: serde_json::from_str(probes).map_err(bad("WEFT_APP_PROBES"))?,
            scrape,
        })
    }

    /// The application's probe behind `path`.
    pub fn probe(&self, path: &str) -> Option<&Probe> {
        self.probes.get(path)
    }

    /// The application's metrics; `None` without any, or when it does not answer.
    pub async fn metrics(&self) -> Option<String> {
        let scrape = self.scrape.as_ref()?;
        let asked = tokio::time::timeout(SCRAPE, self.scraped(scrape)).await;
        let text = match asked {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                tracing::warn!(%error, port = scrape.port, "no metrics from the application");
                return None;
            }
            Err(_) => {
                tracing::warn!(
                    port = scrape.port,
                    "no metrics from the application in {SCRAPE:?}"
                );
                return None;
            }
        };
        Some(text)
    }

    async fn scraped(&self, scrape: &Scrape) -> io::Result<String> {
        let port = scrape.port.parse().map_err(io::Error::other)?;
        let socket = connect(SocketAddr::new(self.address, port)).await?;
        let path = if scrape.path.is_empty() {
            "/metrics"
        } else {
            &scrape.path
        };
        let request = Request::get(path)
            .header("host", SocketAddr::new(self.address, port).to_string())
            .header("accept", "text/plain;version=0.0.4")
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let answer = exchange(socket, request).await?;
        if answer.status() != StatusCode::OK {
            return Err(io::Error::other(format!("status {}", answer.status())));
        }
        let mut text = String::from_utf8_lossy(answer.body()).into_owned();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Ok(text)
    }
}

/// Connects from the address whose packets are not captured again.
pub(super) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let (socket, source): (_, IpAddr) = match address {
        SocketAddr::V4(_) => (TcpSocket::new_v4()?, Ipv4Addr::new(127, 0, 0, 6).into()),
        SocketAddr::V6(_) => (
            TcpSocket::new_v6()?,
            Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6).into(),
        ),
    };
    // Without `init` there is no ::6, and no capture to get around either.
    if let Err(error) = socket.bind(SocketAddr::new(source, 0)) {
        tracing::debug!(%error, %source, "asking the application from an address of the system's choice");
    }
    socket.connect(address).await
}

/// One request on a connection of its own.
pub(super) async fn exchange<S>(
    socket: S,
    request: Request<Empty<Bytes>>,
) -> io::Result<Response<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .map_err(io::Error::other)?;
    // Ends when the sender is dropped at the end of this function, or the peer closes.
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(io::Error::other);
    let collected = match answer {
        Ok(answer) => {
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LARGEST).collect().await;
            body.map(|body| Response::from_parts(head, body.to_bytes()))
                .map_err(io::Error::other)
        }
        Err(error) => Err(error),
    };
    driver.abort();
    collected
}
