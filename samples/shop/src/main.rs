//! The shop: a small application of several services, one program in several roles.
//!
//! ```text
//!            ┌─► catalog
//! load ─► frontend ─► reviews (v1 v2 v3) ─► ratings (gRPC)
//!            ├─► cart (gRPC)
//!            └─► payment
//! ```
//!
//! Every service tells in its answer who it is and who called it ([`hop`]); the frontend collects
//! that. Nothing here knows of a mesh: callers come from the header `x-forwarded-client-cert`, which
//! is there when a proxy has put it there.

mod cart;
mod catalog;
mod client;
mod frontend;
mod grpc;
mod hop;
mod load;
mod payment;
mod ratings;
mod reviews;
mod serve;
#[cfg(test)]
mod tests;

use anyhow::Result;
use clap::{Parser, Subcommand};
use client::{Client, Peers};
use hop::Me;
use std::sync::Arc;

/// A service of the shop.
#[derive(Debug, Parser)]
#[command(name = "weft-shop", version)]
struct Settings {
    #[command(subcommand)]
    role: Role,
    /// Who this pod is, for its answers.
    #[command(flatten)]
    me: Me,
    /// Where the other services are.
    #[command(flatten)]
    peers: Peers,
    /// Port of the service.
    #[arg(long, env = "SHOP_PORT", default_value_t = 8080, global = true)]
    port: u16,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Role {
    /// What a browser sees: asks all others.
    Frontend,
    /// Products and their prices.
    Catalog,
    /// What people think of a product; from v2 on with stars.
    Reviews,
    /// Stars, over gRPC.
    Ratings,
    /// What somebody wants to buy, over gRPC.
    Cart,
    /// Takes the money.
    Payment,
    /// Visits the frontend all the time.
    Load {
        /// Visits in one second.
        #[arg(long, env = "SHOP_RATE", default_value_t = 5.0)]
        rate: f64,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Settings {
        role,
        mut me,
        peers,
        port,
    } = Settings::parse();
    me.service = role.name().to_owned();
    let me = Arc::new(me);
    let peers = Arc::new(Client::new(peers)?);
    let router = match role {
        Role::Frontend => frontend::router(me, peers),
        Role::Catalog => catalog::router(me),
        Role::Reviews => reviews::router(me, peers),
        Role::Ratings => ratings::router(me),
        Role::Cart => cart::router(me),
        Role::Payment => payment::router(me),
        Role::Load { rate } => load::start(rate, peers),
    };
    serve::until_told_to_end(router, port).await
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::Catalog => "catalog",
            Self::Reviews => "reviews",
            Self::Ratings => "ratings",
            Self::Cart => "cart",
            Self::Payment => "payment",
            Self::Load { .. } => "load",
        }
    }
}
