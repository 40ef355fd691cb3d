//! `weft-proxy init`: makes the kernel redirect a pod's connections to the proxy, then exits.
//!
//! [`Settings`] become [`Rules`] (pure), rules become one nftables transaction (pure), and
//! [`capture`] hands that to the kernel over netlink. Needs `NET_ADMIN` and nothing else: no
//! `nft` or `iptables` program, no file, no network.

mod attribute;
mod loopback;
mod netlink;
mod nft;
mod rules;
mod settings;

#[cfg(test)]
pub(crate) mod tests;

pub use netlink::Error;
pub use rules::{Match, Rule, Rules, Verdict};
pub use settings::{Invalid, Ports, Ranges, Settings};

/// Puts the rules of `settings` in force in this network namespace, in place of earlier ones of ours.
///
/// All or nothing, and idempotent: running it again with equal settings changes nothing.
///
/// # Errors
/// What the kernel refused, and what to do about it; the earlier rules are then still in force.
pub fn capture(settings: &Settings) -> Result<(), Error> {
    loopback::add_app_source()?;
    netlink::commit(&nft::transaction(&Rules::new(settings)))
}
