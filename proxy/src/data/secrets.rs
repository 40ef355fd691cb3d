//! The workload's own certificate, as `control` hands it over.

use arc_swap::ArcSwapOption;
use std::sync::Arc;
use weft_identity::Identity;

/// Where workers read the current identity; `control` stores a new one at each rotation.
///
/// Connections that are open keep what they were made with; new ones take the new identity.
#[derive(Debug, Default)]
pub struct Secrets {
    current: ArcSwapOption<Identity>,
}

impl Secrets {
    /// The identity now; `None` before the first certificate.
    pub fn current(&self) -> Option<Arc<Identity>> {
        self.current.load_full()
    }

    /// Uses `identity` for every connection from now on; `None` when it has expired.
    pub fn store(&self, identity: Option<Arc<Identity>>) {
        self.current.store(identity);
    }
}
