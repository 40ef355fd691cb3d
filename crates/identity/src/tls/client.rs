//! Client sides: towards the mesh, the control plane, the rest of the world.

use super::verify::{Accept, Names, Peers, ServerVerifier};
use super::{MESH_VERSIONS, PLAIN_VERSIONS, Versions, protocols, shared_provider};
use crate::cert::Identity;
use rustls::client::Resumption;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// TLS 1.3 with `identity`'s certificate; the server must be among `peers`, whatever name it is called by.
pub fn mesh_client(identity: &Identity, peers: Peers, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let verifier = ServerVerifier::new(identity.roots().clone(), Accept::Mesh(peers));
    let mut config = ClientConfig::builder_with_provider(shared_provider())
        .with_protocol_versions(MESH_VERSIONS)
        .expect("the provider has suites and groups for TLS 1.3")
        .dangerous() // rustls' word for a verifier of one's own; ours is stricter than its own
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(
            identity.certified_key().clone(),
        )));
    config.alpn_protocols = protocols(alpn);
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// TLS 1.3 towards the control plane, which is verified by its DNS name.
///
/// `identity` is `None` before the first certificate: the CA takes a token instead.
pub fn control_client(
    roots: Arc<RootCertStore>,
    identity: Option<&Identity>,
    alpn: &[&[u8]],
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(shared_provider())
        .with_protocol_versions(MESH_VERSIONS)
        .expect("the provider has suites and groups for TLS 1.3")
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(
            identity.certified_key().clone(),
        ))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols(alpn);
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// TLS 1.2 and 1.3 towards a server outside the mesh, verified by DNS name against `roots`.
pub fn plain_client(roots: Arc<RootCertStore>, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(shared_provider())
        .with_protocol_versions(PLAIN_VERSIONS)
        .expect("the provider has suites and groups for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols(alpn);
    Arc::new(config)
}

/// TLS towards a server outside the mesh that `roots` have signed and `names` accept, with a client
/// certificate if there is a `key`.
pub fn outside_client(
    key: Option<Arc<CertifiedKey>>,
    (roots, names): (Arc<RootCertStore>, Names),
    versions: Versions,
    alpn: &[&[u8]],
) -> Arc<ClientConfig> {
    let verifier = ServerVerifier::new(roots, Accept::Outside(names));
    let builder = ClientConfig::builder_with_provider(shared_provider())
        .with_protocol_versions(versions.list())
        .expect("the provider has suites and groups for TLS 1.2 and 1.3")
        .dangerous() // rustls' word for a verifier of one's own
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match key {
        Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols(alpn);
    config.resumption = Resumption::disabled();
    Arc::new(config)
}
