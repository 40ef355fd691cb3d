//! TLS that we begin.

use super::{Cache, PEER_EXCHANGE, Unusable, agreed, key, names, peer, peers, versions};
use crate::config::{TlsClient, TlsIdentity, TlsRoots};
use crate::data::conn::PeerIdentity;
use crate::data::dial::Offer;
use crate::data::stream::{Plain, Stream};
use crate::data::worker::Worker;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use weft_identity::Identity;
use weft_identity::tls::{Names, mesh_client, outside_client};

type Key = (usize, Offer);

/// Client configurations by settings and offer; the settings are kept with their address.
#[derive(Debug, Default)]
pub(super) struct Clients(Cache<Key, (Arc<TlsClient>, Arc<ClientConfig>)>);

impl Clients {
    pub(super) fn forget(&self) {
        self.0.forget();
    }
}

/// A TLS client that is ready to begin.
#[derive(Debug)]
pub struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Client {
    /// TLS as `tls` says towards `address`.
    ///
    /// # Errors
    /// [`Unusable`] if the settings make no TLS.
    pub fn new(
        tls: &Arc<TlsClient>,
        offer: Offer,
        worker: &Worker,
        address: IpAddr,
        sni_host: Option<&str>,
    ) -> Result<Self, Unusable> {
        let identity = worker.secrets.current();
        let key = (Arc::as_ptr(tls).addr(), offer);
        let make = || Ok((Arc::clone(tls), config(tls, offer, identity.as_deref())?));
        let (_, config) = worker.tls.clients.0.get(key, identity.as_ref(), make)?;
        let sni = tls.sni.as_deref().or(sni_host.filter(|_| tls.auto_sni));
        let name = match sni {
            Some(name) => ServerName::try_from(name.to_owned())
                .map_err(|_| Unusable::ServerName(name.to_owned()))?,
            None => ServerName::from(address),
        };
        Ok(Self { config, name })
    }
}

/// Shakes hands on `socket`.
///
/// # Errors
/// What went wrong; a server that is not who it should be is among it.
pub async fn connect(
    socket: Plain,
    client: Client,
    worker: &Worker,
) -> io::Result<(Stream, Option<Arc<str>>, Option<PeerIdentity>)> {
    let stream = TlsConnector::from(client.config)
        .connect(client.name, socket)
        .await?;
    let state = stream.get_ref().1;
    let (alpn, peer) = (agreed(state, &worker.report), peer(state, &worker.report));
    Ok((Stream::Client(Box::new(stream)), alpn, peer))
}

/// Whether `tls`, which brings certificates and roots of its own, can be used.
///
/// # Errors
/// Why not.
pub fn check(tls: &TlsClient) -> Result<(), Unusable> {
    config(tls, Offer::Http1, None).map(drop)
}

fn config(
    tls: &TlsClient,
    offer: Offer,
    identity: Option<&Identity>,
) -> Result<Arc<ClientConfig>, Unusable> {
    let alpn = protocols(tls, offer);
    match (&tls.identity, &tls.roots) {
        (Some(TlsIdentity::Workload), Some(TlsRoots::Mesh)) => {
            let identity = identity.ok_or(Unusable::NoIdentity)?;
            Ok(mesh_client(identity, peers(&tls.sans, identity)?, &alpn))
        }
        (own, Some(TlsRoots::Pem(pem))) => {
            let roots = weft_identity::cert::roots(pem)
                .map_err(|error| Unusable::Material(error.to_string()))?;
            let key = own.as_ref().map(|own| key(own, identity)).transpose()?;
            let names = match (tls.auto_san, &tls.sans[..]) {
                (true, []) => Names::Asked,
                (_, sans) => names(sans),
            };
            let versions = versions(tls.tls12);
            Ok(outside_client(key, (roots, names), versions, &alpn))
        }
        (_, None) => Err(Unusable::Unsupported(
            "TLS without roots would trust anybody; set trusted_ca or caCertificates",
        )),
        (_, Some(TlsRoots::Secret(_))) => Err(Unusable::Unsupported(super::SECRET)),
        (Some(TlsIdentity::Pem { .. } | TlsIdentity::Secret(_)) | None, Some(TlsRoots::Mesh)) => {
            Err(Unusable::Unsupported(
                "the mesh's roots go with the workload's own certificate; use ISTIO_MUTUAL",
            ))
        }
    }
}

/// A mesh peer is offered what the connection carries (Istio's `istio.alpn` filter).
fn protocols(tls: &TlsClient, offer: Offer) -> Vec<&[u8]> {
    let mesh = tls.alpn.iter().any(|name| &**name == "istio");
    match (mesh, offer) {
        (true, Offer::Http1) => vec![b"istio-http/1.1", b"istio", b"http/1.1"],
        (true, Offer::Http2) => vec![b"istio-h2", b"istio", b"h2"],
        (true, Offer::Tcp) if tls.alpn.iter().any(|name| &**name == PEER_EXCHANGE) => {
            vec![PEER_EXCHANGE.as_bytes(), b"istio"]
        }
        (true, Offer::Tcp) => vec![b"istio"],
        (false, _) => tls.alpn.iter().map(|name| name.as_bytes()).collect(),
    }
}
