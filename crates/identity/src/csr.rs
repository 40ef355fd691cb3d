//! A fresh key and the request to sign it.

use crate::spiffe::SpiffeId;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use std::fmt;

/// A new private key, and the certificate signing request for it.
#[derive(Clone)]
pub struct Request {
    /// PKCS#8 PEM. Stays in the pod.
    pub key_pem: String,
    /// PKCS#10 PEM. Goes to the CA.
    pub csr_pem: String,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("csr_pem", &self.csr_pem)
            .finish_non_exhaustive()
    }
}

/// Makes an ECDSA P-256 key and a request whose only name is `id`.
pub fn request(id: &SpiffeId) -> Request {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
        .expect("the provider makes P-256 keys from the kernel's random numbers");
    let uri = id.as_str().try_into().expect("a SPIFFE id is ASCII");
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(uri)];
    let csr = params
        .serialize_request(&key)
        .expect("one URI name is a valid request");
    let csr_pem = csr
        .pem()
        .expect("a request that was just encoded is PEM-encodable");
    Request {
        key_pem: key.serialize_pem(),
        csr_pem,
    }
}
