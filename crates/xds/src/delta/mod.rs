//! The incremental variant: both ends as pure state machines over its messages.

mod server;
mod session;
#[cfg(test)]
mod tests;

pub use crate::interest::Excess;
pub use server::{Answer, Part, Subscription};
pub use session::{Received, Session, Update};
