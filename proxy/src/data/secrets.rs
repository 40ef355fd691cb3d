//! The workload's own certificate, as `control` hands it over.

use arc_swap::ArcSwapOption;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;

/// Certificate, key and roots of this workload. A new value replaces it at each rotation.
#[derive(Debug)]
pub struct WorkloadIdentity {
    /// Leaf first, then intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
    /// Every root that peers may be signed by.
    pub roots: Vec<CertificateDer<'static>>,
}

/// Where workers read the current identity; `control` stores a new one at each rotation.
///
/// Connections that are open keep what they were made with; new ones take the new identity.
#[derive(Debug, Default)]
pub struct Secrets {
    current: ArcSwapOption<WorkloadIdentity>,
}

impl Secrets {
    /// The identity now; `None` before the first certificate.
    pub fn current(&self) -> Option<Arc<WorkloadIdentity>> {
        self.current.load_full()
    }

    /// Uses `identity` for every connection from now on; `None` when it has expired.
    pub fn store(&self, identity: Option<Arc<WorkloadIdentity>>) {
        self.current.store(identity);
    }
}
