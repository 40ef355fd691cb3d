//! A connection to the control plane: its name is looked up and verified every time.

use hickory_resolver::TokioResolver;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use weft_identity::{Identity, InvalidIdentity, tls};

/// Time for one attempt: name, connection, handshake.
const PATIENCE: Duration = Duration::from_secs(5);
/// A control plane that is gone without a word is noticed after about twice this.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Where the control plane is, and by which roots its certificate is verified.
#[derive(Clone, Debug)]
pub struct Control {
    /// Host name or address; also the name in the certificate.
    pub host: String,
    /// Port.
    pub port: u16,
    /// File of the mesh's roots, read at every connection.
    pub roots: PathBuf,
}

/// Why there is no connection to the control plane.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The roots file cannot be read.
    #[error("read the mesh's roots {}: {error}; is the ConfigMap weft-ca-roots in this namespace?", .path.display())]
    NoRoots {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The roots file has no usable certificate.
    #[error("the mesh's roots {}: {error}", .path.display())]
    BadRoots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: InvalidIdentity,
    },
    /// No connection.
    #[error("connect to the control plane {host}:{port}: {reason}")]
    Connect {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// Name, connection or certificate.
        reason: String,
    },
}

impl Control {
    /// The PEM text of the mesh's roots now.
    ///
    /// # Errors
    /// [`Unreachable::NoRoots`].
    pub fn roots_pem(&self) -> Result<String, Unreachable> {
        read(&self.roots)
    }

    /// Connects; with `identity` if there is one, without before the first certificate.
    ///
    /// # Errors
    /// What is missing or does not answer.
    pub async fn connect(&self, identity: Option<&Identity>) -> Result<Channel, Unreachable> {
        let path = self.roots.clone();
        let roots = weft_identity::cert::roots(&self.roots_pem()?)
            .map_err(|error| Unreachable::BadRoots { path, error })?;
        let config = tls::control_client(roots, identity, &[b"h2"]);
        let (host, port) = (self.host.clone(), self.port);
        let connector = tower::service_fn(move |_| {
            let (host, connector) = (host.clone(), TlsConnector::from(Arc::clone(&config)));
            async move { dial(&host, port, connector).await.map(TokioIo::new) }
        });
        let fail = |reason: String| Unreachable::Connect {
            host: self.host.clone(),
            port,
            reason,
        };
        // The scheme is plain because the connector already does TLS.
        let endpoint = Endpoint::from_shared(format!("http://{}:{port}", bracketed(&self.host)))
            .map_err(|error| fail(error.to_string()))?
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true);
        match tokio::time::timeout(PATIENCE, endpoint.connect_with_connector(connector)).await {
            Ok(connected) => connected.map_err(|error| fail(causes(&error))),
            Err(_) => Err(fail(format!("no answer within {PATIENCE:?}"))),
        }
    }
}

fn read(path: &Path) -> Result<String, Unreachable> {
    std::fs::read_to_string(path).map_err(|error| Unreachable::NoRoots {
        path: path.to_owned(),
        error,
    })
}

fn bracketed(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => format!("[{host}]"),
        Ok(IpAddr::V4(_)) | Err(_) => host.to_owned(),
    }
}

async fn dial(host: &str, port: u16, tls: TlsConnector) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| io::Error::other(format!("`{host}` is not a host name")))?;
    let mut last = io::Error::other(format!("{host} has no address"));
    for address in addresses(host).await? {
        match TcpStream::connect(SocketAddr::new(address, port)).await {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return tls.connect(name, socket).await;
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// By the pod's own `resolv.conf`, read anew: a static binary has no resolver of the system.
async fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let resolver = TokioResolver::builder_tokio()
        .and_then(|builder| builder.build())
        .map_err(|error| io::Error::other(format!("/etc/resolv.conf: {error}")))?;
    let found = resolver
        .lookup_ip(host)
        .await
        .map_err(|error| io::Error::other(format!("look up {host}: {error}")))?;
    Ok(found.iter().collect())
}

/// An error with what is behind it; the outermost of tonic's says only "transport error".
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(cause) = inner {
        text = format!("{text}: {cause}");
        inner = cause.source();
    }
    text
}
