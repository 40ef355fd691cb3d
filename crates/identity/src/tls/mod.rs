//! rustls configurations, one function for each role.
//!
//! The mesh's own connections are TLS 1.3 only, X25519MLKEM768 first, never resumed: a resumed
//! session would skip the certificate check and outlive a revoked identity (CVE-2025-23419's
//! class). 0-RTT is never offered (RFC 8446 §8).

mod client;
mod server;
mod verify;

pub use client::{control_client, mesh_client, outside_client, plain_client};
pub use server::{ClientCertificate, mesh_server, outside_server, plain_server};
pub use verify::{Names, Peers, Untrusted};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;

/// The one crypto provider of every program, passed explicitly wherever rustls wants one.
///
/// AES-128 before AES-256: as strong as the P-256 signatures and the CPU's cheaper choice.
pub fn provider() -> CryptoProvider {
    use aws_lc_rs::{cipher_suite as suite, kx_group};
    CryptoProvider {
        cipher_suites: vec![
            suite::TLS13_AES_128_GCM_SHA256,
            suite::TLS13_AES_256_GCM_SHA384,
            suite::TLS13_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    }
}

/// TLS 1.3 only: between our own programs.
static MESH_VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&TLS13];
/// TLS 1.2 too: towards the rest of the world.
static PLAIN_VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// Which versions a connection outside the mesh may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Versions {
    /// TLS 1.3.
    Newest,
    /// TLS 1.2 too.
    Both,
}

impl Versions {
    fn list(self) -> &'static [&'static rustls::SupportedProtocolVersion] {
        match self {
            Self::Newest => MESH_VERSIONS,
            Self::Both => PLAIN_VERSIONS,
        }
    }
}

fn shared_provider() -> Arc<CryptoProvider> {
    Arc::new(provider())
}

fn protocols(alpn: &[&[u8]]) -> Vec<Vec<u8>> {
    alpn.iter().map(|name| name.to_vec()).collect()
}
