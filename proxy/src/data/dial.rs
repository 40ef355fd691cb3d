//! Connecting to a chosen host: source address, keep-alive, TLS, and who answered.

use super::choose::{Host, Upstream};
use super::conn::PeerIdentity;
use super::stream::{Plain, Stream};
use super::tls::{self, Client};
use super::worker::Worker;
use crate::config::{Cluster, Endpoint, TlsClient};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// What the connection will carry; decides the ALPN offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offer {
    /// HTTP/1.1; mesh peers are offered `istio-http/1.1`, `istio`, `http/1.1`.
    Http1,
    /// HTTP/2; mesh peers are offered `istio-h2`, `istio`, `h2`.
    Http2,
    /// Bytes; mesh peers are offered `istio`.
    Tcp,
}

/// A connection to a host.
#[derive(Debug)]
pub struct Dialled {
    /// The connection.
    pub stream: Stream,
    /// What ALPN agreed on.
    pub alpn: Option<Arc<str>>,
    /// Who is at its ends.
    pub ends: Rc<Ends>,
}

/// Who is at the ends of a connection to a host.
#[derive(Debug, Default)]
pub struct Ends {
    /// Our address.
    pub local: Option<SocketAddr>,
    /// The host's verified certificate.
    pub peer: Option<PeerIdentity>,
}

/// Why no connection was made; flag `UF` in access logs.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The TCP connection failed.
    #[error("connect {address}: {error}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Not connected, TLS included, within the cluster's time.
    #[error("connect {address}: no connection within {limit:?}")]
    Timeout {
        /// Where to.
        address: SocketAddr,
        /// The cluster's `connect_timeout`.
        limit: Duration,
    },
    /// The TLS handshake failed; the peer may not be who it should be.
    #[error("TLS with {address}: {error}")]
    Tls {
        /// Where to.
        address: SocketAddr,
        /// What failed.
        error: io::Error,
    },
    /// TLS cannot begin with these settings, such as before the first certificate.
    #[error("TLS with {address}: {reason}")]
    Settings {
        /// Where to.
        address: SocketAddr,
        /// What is missing.
        reason: String,
    },
}

/// Connects to `host` as its cluster says.
///
/// `sni_host` is the request's host without port, for clusters with `auto_sni`.
///
/// # Errors
/// [`DialError`]; the caller reports it to the host as `Outcome::ConnectFailed`.
pub async fn connect(
    worker: &Worker,
    upstream: &Upstream,
    host: &Host,
    offer: Offer,
    sni_host: Option<&str>,
) -> Result<Dialled, DialError> {
    let address = host.address();
    let cluster = &upstream.config;
    let tls = tls_for(cluster, &host.endpoint);
    let client = tls
        .map(|tls| Client::new(tls, offer, worker, address.ip(), sni_host))
        .transpose()
        .map_err(|reason| DialError::Settings {
            address,
            reason: reason.to_string(),
        })?;
    let limit = cluster.connect_timeout;
    tokio::time::timeout(limit, established(worker, cluster, address, client))
        .await
        .unwrap_or(Err(DialError::Timeout { address, limit }))
        .inspect(|dialled| made(dialled, upstream))
        .inspect_err(|error| count(error, upstream))
}

fn made(dialled: &Dialled, upstream: &Upstream) {
    upstream.stats.cx_total.increment();
    if matches!(dialled.stream, Stream::Client(_)) {
        upstream.stats.ssl_handshake.increment();
    }
}

fn count(error: &DialError, upstream: &Upstream) {
    let stats = &upstream.stats;
    stats.cx_connect_fail.increment();
    match error {
        DialError::Timeout { .. } => stats.cx_connect_timeout.increment(),
        DialError::Tls { .. } | DialError::Settings { .. } => stats.ssl_error.increment(),
        DialError::Connect { .. } => {}
    }
}

/// Envoy `transport_socket_matches`: the first whose labels the endpoint has, else the cluster's.
fn tls_for<'a>(cluster: &'a Cluster, endpoint: &Endpoint) -> Option<&'a Arc<TlsClient>> {
    let has = |(key, value)| endpoint.transport_match.get(key) == Some(value);
    let matched = cluster
        .tls_matches
        .iter()
        .find(|wanted| wanted.labels.iter().all(has));
    matched
        .map_or(&cluster.tls, |matched| &matched.tls)
        .as_ref()
}

async fn established(
    worker: &Worker,
    cluster: &Cluster,
    address: SocketAddr,
    client: Option<Client>,
) -> Result<Dialled, DialError> {
    let socket = tcp(cluster, address)
        .await
        .map_err(|error| DialError::Connect { address, error })?;
    // Only for logs.
    let local = socket.local_addr().ok();
    let Some(client) = client else {
        return Ok(Dialled {
            stream: socket.into(),
            alpn: None,
            ends: Rc::new(Ends { local, peer: None }),
        });
    };
    let (stream, alpn, peer) =
        tls::connect(Plain::new(socket, Vec::new()).read_ahead(), client, worker)
            .await
            .map_err(|error| DialError::Tls { address, error })?;
    let ends = Rc::new(Ends { local, peer });
    Ok(Dialled { stream, alpn, ends })
}

async fn tcp(cluster: &Cluster, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(source) = source_for(cluster.bind_source, address) {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    socket.set_nodelay(true)?;
    if let Some((idle, interval, probes)) = cluster.keepalive {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let keepalive = TcpKeepalive::new()
            .with_time(seconds(idle))
            .with_interval(seconds(interval))
            .with_retries(probes);
        SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    }
    socket.connect(address).await
}

/// A cluster names one source; its twin of the other family stands for it there
/// (`127.0.0.6` and `::6`).
fn source_for(source: Option<IpAddr>, towards: SocketAddr) -> Option<IpAddr> {
    match (source?, towards) {
        (IpAddr::V4(source), SocketAddr::V6(_)) if source == Ipv4Addr::new(127, 0, 0, 6) => {
            Some(Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6).into())
        }
        (source, towards) => (source.is_ipv4() == towards.is_ipv4()).then_some(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{EndpointHealth, TlsMatch};
    use crate::data::test_conn;

    #[test]
    #[rustfmt::skip]
    fn the_source_address_is_of_the_same_family() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let table = [
            (Some("127.0.0.6"), "10.0.0.1:80", Some("127.0.0.6")),
            (Some("127.0.0.6"), "[fd00::1]:80", Some("::6")),
            (Some("10.0.0.9"),  "[fd00::1]:80", None),
            (None,              "10.0.0.1:80", None),
        ];
        for (source, towards, expected) in table {
            assert_eq!(source_for(source.map(ip), towards.parse().unwrap()), expected.map(ip), "{source:?} {towards}");
        }
    }

    #[test]
    fn the_first_match_on_an_endpoints_labels_decides_tls() {
        let tls = |sni: &str| {
            Some(Arc::new(TlsClient {
                identity: None,
                roots: None,
                sans: Vec::new(),
                sni: Some(sni.into()),
                auto_sni: false,
                auto_san: false,
                tls12: false,
                alpn: Vec::new(),
            }))
        };
        let labels = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| (Arc::from(*k), Arc::from(*v)))
                .collect()
        };
        let cluster = Cluster {
            tls_matches: vec![
                TlsMatch {
                    labels: labels(&[("tlsMode", "istio")]),
                    tls: tls("mesh"),
                },
                TlsMatch {
                    labels: labels(&[]),
                    tls: None,
                },
            ],
            tls: tls("never"),
            ..test_conn::cluster("a")
        };
        let chosen = |pairs| {
            let endpoint = Endpoint {
                address: "10.0.0.1:80".parse().unwrap(),
                weight: 1,
                health: EndpointHealth::Healthy,
                transport_match: labels(pairs),
                workload: None,
            };
            tls_for(&cluster, &endpoint).and_then(|tls| tls.sni.clone())
        };
        assert_eq!(
            chosen(&[("tlsMode", "istio"), ("other", "x")]).as_deref(),
            Some("mesh")
        );
        assert_eq!(chosen(&[("tlsMode", "disabled")]), None);
    }
}
