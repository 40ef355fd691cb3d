//! Server sides: the mesh's inbound port, the control plane, a gateway.

use super::verify::{Accept, ClientVerifier, Names, Peers};
use super::{MESH_VERSIONS, PLAIN_VERSIONS, Versions, protocols, shared_provider};
use crate::cert::Identity;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientCertificate {
    /// A handshake without one fails: the mesh's inbound port.
    Required,
    /// One that is shown must be right: the control plane's port, whose CA is asked before there is one.
    Optional,
}

/// TLS 1.3 with `identity`'s certificate; clients are verified against its roots and must be among `peers`.
pub fn mesh_server(
    identity: &Identity,
    client: ClientCertificate,
    peers: Peers,
    alpn: &[&[u8]],
) -> Arc<ServerConfig> {
    let verifier = ClientVerifier::new(identity.roots().clone(), Accept::Mesh(peers), client);
    let mut config = ServerConfig::builder_with_provider(shared_provider())
        .with_protocol_versions(MESH_VERSIONS)
        .expect("the provider has suites and groups for TLS 1.3")
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(
            identity.certified_key().clone(),
        )));
    config.alpn_protocols = protocols(alpn);
    never_resume(&mut config);
    Arc::new(config)
}

/// TLS 1.2 and 1.3 without client certificates: a gateway's HTTPS port, the webhook.
pub fn plain_server(key: Arc<CertifiedKey>, alpn: &[&[u8]]) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(shared_provider())
        .with_protocol_versions(PLAIN_VERSIONS)
        .expect("the provider has suites and groups for TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = protocols(alpn);
    Arc::new(config)
}

/// TLS with `key`; clients are verified if they show a certificate, or must show one, that the roots
/// have signed and the names accept. Without roots nobody is asked for one.
pub fn outside_server(
    key: Arc<CertifiedKey>,
    clients: Option<(Arc<RootCertStore>, Names, ClientCertificate)>,
    versions: Versions,
    alpn: &[&[u8]],
) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(shared_provider())
        .with_protocol_versions(versions.list())
        .expect("the provider has suites and groups for TLS 1.2 and 1.3");
    let builder = match clients {
        Some((roots, names, client)) => builder.with_client_cert_verifier(Arc::new(
            ClientVerifier::new(roots, Accept::Outside(names), client),
        )),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = protocols(alpn);
    never_resume(&mut config);
    Arc::new(config)
}

fn never_resume(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
}
