//! Certificates that the operator makes: root and issuer of the mesh, and the webhook's.
//!
//! Flows in: what the Secrets hold, and the time. Flows out: what they should hold. Pure but for
//! the making of keys. Must never log or report key material, and never replace what it cannot read.

mod make;
mod mesh;
#[cfg(test)]
mod tests;
mod webhook;

pub use make::CannotMake;
pub use mesh::{Authority, Facts, authority, issue, make_all};
pub use webhook::{
    Step as WebhookStep, not_after as webhook_not_after, step as webhook_step,
    waits as webhook_waits,
};

use std::collections::BTreeMap;

/// The texts of a Secret by key.
pub type Texts = BTreeMap<String, String>;

/// Name of the Secret with the issuer, in the shape of Istio's `cacerts`.
pub const ISSUER: &str = "weft-ca";
/// Name of the Secret with the root and its key.
pub const ROOT: &str = "weft-ca-root";
/// Name of the Secret with the webhook's certificate.
pub const WEBHOOK: &str = "weft-injector-tls";
