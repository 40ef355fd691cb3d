//! Who a workload is: SPIFFE names, certificates, their rotation, and the TLS settings that
//! prove them.
//!
//! In flow PEM text, clocks and jitter, as arguments; out flow types that cannot be wrong and
//! rustls configurations. No I/O, no clock, no randomness but that of fresh keys, and never a
//! process-wide crypto provider: [`tls::provider`] is always passed explicitly.

pub mod cert;
pub mod csr;
pub mod rotation;
pub mod spiffe;
pub mod tls;

pub use cert::{Identity, InvalidIdentity, Leaf};
pub use rotation::Rotation;
pub use spiffe::{InvalidName, InvalidSpiffeId, Namespace, ServiceAccount, SpiffeId, TrustDomain};
