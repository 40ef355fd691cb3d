//! `weft-echo`: a server that answers with what it saw, and a client that says what it got.
//!
//! It knows nothing of the mesh, like any application.

#![allow(clippy::print_stdout, reason = "its output is what the tests read")]

mod answer;
mod call;
mod load;
mod serve;
mod tls;

use std::net::SocketAddr;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
enum Role {
    #[command(subcommand)]
    Serve(Server),
    /// Send one request and print its answer as JSON.
    Call(call::Asked),
    /// Open a TCP connection and print the first line that comes.
    Banner { address: String },
    /// Open a TLS connection and print the name by which the server was asked.
    Tls { address: String, name: String },
    /// Terminate the `load` of this container.
    Stop,
    /// Send requests until told to terminate, then print a report as JSON.
    Load {
        url: String,
        /// Requests per second.
        #[arg(long, default_value_t = 20)]
        rate: u32,
    },
}

#[derive(Debug, Subcommand)]
enum Server {
    /// Answer each HTTP request with a JSON description of it.
    Http {
        #[arg(default_value = "[::]:8080")]
        address: SocketAddr,
    },
    /// Speak first, as mail and database servers do, then echo.
    Tcp {
        #[arg(default_value = "[::]:9000")]
        address: SocketAddr,
    },
    /// Tell each TLS client by which name it asked.
    Tls {
        #[arg(default_value = "[::]:9443")]
        address: SocketAddr,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Role::parse() {
        Role::Serve(Server::Http { address }) => serve::http(address).await,
        Role::Serve(Server::Tcp { address }) => serve::banner(address).await,
        Role::Serve(Server::Tls { address }) => tls::serve(address).await,
        Role::Tls { address, name } => tls::call(&address, &name).await,
        Role::Call(asked) => call::once(&asked).await,
        Role::Banner { address } => call::banner(&address).await,
        Role::Stop => load::stop(),
        Role::Load { url, rate } => load::run(&url, rate).await,
    }
}
