//! The certificate authority: the only code that holds the signing key.
//!
//! Flows in: the CA's Secret, a caller's token with the keys that may have signed it, and a signing
//! request. Flows out: a certificate that says who the caller is and nothing that the caller wished
//! for, or a [`Refused`] with a code. authenticate → check → issue, each pure but for the random
//! serial numbers; the clock is an argument. Must never reach the network or log a key or token.

mod refused;

mod authenticate;
mod check;
mod issue;
mod keys;

#[cfg(test)]
mod tests;

pub use authenticate::{AUDIENCE, Authority, BoundPod, Caller, issuer_of};
pub use check::Checked;
pub use issue::{Issued, SHORTEST_TTL};
pub use keys::{InvalidCa, Material, Signer};
pub use refused::Refused;
