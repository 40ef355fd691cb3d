//! What is measured: a chain of proxies, a load, and the figure that comes out.

use super::load::Generator;
use super::process::{LOAD_CORE, PROXY_CORE, Process, pinned};
use super::tools::Tools;
use super::{config, memory};
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Whose proxies stand in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Stock Envoy.
    Envoy,
    /// Ours.
    Weft,
}

impl Peer {
    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Weft => "weft",
        }
    }
}

/// The proxies between client and origin.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chain {
    /// One proxy, plaintext HTTP.
    Hop,
    /// Two proxies with mutual TLS between them, HTTP/1.1 or HTTP/2 inside.
    Pair(config::Carries),
}

/// What is taken from a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Figure {
    /// CPU of all proxies per request, µs.
    CpuPerRequest(Generator),
    /// Memory of one proxy with nothing to do, MB.
    IdleMemory,
    /// Memory that one idle connection costs, kB.
    IdleConnection,
    /// From the start of the program to the first accepted connection, ms.
    Start,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    /// Name of the row.
    pub(super) name: &'static str,
    /// Unit of its figures.
    pub(super) unit: &'static str,
    /// Goal for the ratio or the figure.
    pub(super) goal: &'static str,
    chain: Chain,
    figure: Figure,
}

const GET: Generator = Generator::Wrk {
    path: "/1k",
    close: false,
};
const BULK: Generator = Generator::Wrk {
    path: "/1m",
    close: false,
};
const CONNECT: Generator = Generator::Wrk {
    path: "/1k",
    close: true,
};
const STREAMS: Generator = Generator::H2load { path: "/1k" };

const fn row(name: &'static str, goal: &'static str, chain: Chain, load: Generator) -> Scenario {
    Scenario {
        name,
        unit: "CPU µs/request",
        goal,
        chain,
        figure: Figure::CpuPerRequest(load),
    }
}

/// Every row.
pub(super) static ALL: [Scenario; 11] = [
    row("plaintext hop", "0.42", Chain::Hop, GET),
    row(
        "mTLS pair over h2",
        "0.45",
        Chain::Pair(config::Carries::Http2),
        GET,
    ),
    row(
        "mTLS pair over h1",
        "0.45",
        Chain::Pair(config::Carries::Http1),
        GET,
    ),
    row(
        "mTLS pair over h2 as in a mesh",
        "0.40",
        Chain::Pair(config::Carries::Mesh),
        GET,
    ),
    row(
        "L4 mTLS pair",
        "0.70",
        Chain::Pair(config::Carries::Bytes),
        GET,
    ),
    row(
        "h2 client, mTLS pair over h2",
        "0.40",
        Chain::Pair(config::Carries::Streams),
        STREAMS,
    ),
    row(
        "bulk 1 MiB, mTLS pair over h2",
        "",
        Chain::Pair(config::Carries::Http2),
        BULK,
    ),
    row("new connection, plaintext hop", "", Chain::Hop, CONNECT),
    Scenario {
        name: "idle memory",
        unit: "MB",
        goal: "≤ 12 MB",
        chain: Chain::Hop,
        figure: Figure::IdleMemory,
    },
    Scenario {
        name: "idle h1 connection",
        unit: "kB",
        goal: "≤ 4 kB",
        chain: Chain::Hop,
        figure: Figure::IdleConnection,
    },
    Scenario {
        name: "start to listening",
        unit: "ms",
        goal: "≤ 1000 ms",
        chain: Chain::Hop,
        figure: Figure::Start,
    },
];

/// Where and how long to measure.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    /// Programs.
    pub(super) tools: &'a Tools,
    /// For configuration files and logs.
    pub(super) folder: &'a Path,
    /// Seconds of load.
    pub(super) seconds: u64,
}

impl Bench<'_> {
    /// Runs `scenario` once with the proxies of `peer`.
    pub(super) fn measure(&self, scenario: &Scenario, peer: Peer) -> Result<f64> {
        let _origin = self.origin()?;
        let files = config::files(self.folder, scenario.chain)?;
        let mut proxies = Vec::new();
        let mut waited = 0.0;
        // From the origin backwards, so that nobody meets a closed port.
        for (at, file) in files.iter().enumerate().rev() {
            let mut proxy = self.proxy(peer, at, file)?;
            waited = proxy.wait_for(loopback(config::port(at)))?.as_secs_f64() * 1000.0;
            proxies.push(proxy);
        }
        match scenario.figure {
            Figure::CpuPerRequest(load) => self.cpu_per_request(&proxies, load),
            Figure::IdleMemory => Ok(proxies[0].resident_kb()? as f64 / 1024.0),
            Figure::IdleConnection => idle_connection(&proxies[0]),
            Figure::Start => Ok(waited),
        }
    }

    fn cpu_per_request(&self, proxies: &[Process], load: Generator) -> Result<f64> {
        load.run(config::port(0), 1).context("warm-up")?;
        let before = total(proxies)?;
        let done = load.run(config::port(0), self.seconds)?;
        Ok((total(proxies)? - before) * 1e6 / done.requests as f64)
    }

    fn origin(&self) -> Result<Process> {
        let file = self.folder.join("nginx.conf");
        std::fs::write(&file, config::origin(self.folder)).context("write nginx.conf")?;
        std::fs::write(self.folder.join("one-mib.bin"), [b'x'; 1 << 20]).context("write a body")?;
        let mut command = pinned(LOAD_CORE, Path::new("nginx"));
        let mut origin =
            Process::start(command.arg("-c").arg(file), &self.folder.join("nginx.log"))?;
        origin.wait_for(loopback(config::ORIGIN))?;
        Ok(origin)
    }

    fn proxy(&self, peer: Peer, at: usize, file: &PathBuf) -> Result<Process> {
        let log = self.folder.join(format!("{}-{at}.log", peer.name()));
        let mut command = match peer {
            Peer::Envoy => {
                let mut command = pinned(PROXY_CORE, &self.tools.envoy);
                command.args([
                    "--concurrency",
                    "1",
                    "--log-level",
                    "error",
                    "--base-id",
                    &at.to_string(),
                    "-c",
                ]);
                command
            }
            Peer::Weft => {
                let mut command = pinned(PROXY_CORE, &self.tools.weft);
                command.env("WEFT_CONCURRENCY", "1").args(["run", "-c"]);
                command
            }
        };
        Process::start(command.arg(file), &log)
    }
}

fn idle_connection(proxy: &Process) -> Result<f64> {
    let before = proxy.resident_kb()?;
    let held = memory::hold(loopback(config::port(0)))?;
    let after = proxy.resident_kb()?;
    Ok(after.saturating_sub(before) as f64 / held.len() as f64)
}

fn total(proxies: &[Process]) -> Result<f64> {
    proxies
        .iter()
        .map(|proxy| Ok(proxy.cpu()?.as_secs_f64()))
        .sum()
}

fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}
