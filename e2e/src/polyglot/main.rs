//! Polyglot in Rust: `serve` speaks HTTP/1.1, WebSocket, HTTP/2 and gRPC; `client` tries each of them on each server.
//!
//! Its siblings in other languages are in `e2e/polyglot`. It knows nothing of the mesh, like any application.

#![allow(clippy::print_stdout, reason = "its output is what the tests read")]

mod client;
mod dial;
mod grpc;
mod pattern;
mod serve;

use anyhow::Result;
use clap::Parser;

const LANGUAGE: &str = "rust";
const HTTP: u16 = 8080;
const WEBSOCKET: u16 = 8081;
const HTTP2: u16 = 8082;
const GRPC: u16 = 8083;

#[derive(Debug, Parser)]
enum Role {
    Serve,
    Client {
        /// The length of long bodies.
        mebibytes: u64,
        /// Each as `NAME=HOST`.
        servers: Vec<String>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Role::parse() {
        Role::Serve => serve::all().await,
        Role::Client { mebibytes, servers } => client::run(mebibytes << 20, &servers).await,
    }
}
