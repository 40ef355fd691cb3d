//! The two proxies as processes.

use crate::bootstrap::{LISTENERS, render};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a proxy may take until it listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Weft,
    Envoy,
}

/// One proxy that runs.
#[derive(Debug)]
pub(crate) struct Side {
    process: Child,
    pub(crate) ports: BTreeMap<&'static str, u16>,
    log: PathBuf,
    _reserved: Vec<Socket>,
}

impl Side {
    /// Starts it in `folder` and waits until it listens.
    pub(crate) fn start(which: Which, folder: &Path, servers: &BTreeMap<String, u16>) -> Self {
        let (sockets, ports): (Vec<_>, Vec<_>) =
            LISTENERS.iter().map(|(name, _)| reserved(name)).unzip();
        let ports: BTreeMap<_, _> = ports.into_iter().collect();
        let log = folder.join(format!("{which:?}.log"));
        let file = folder.join(format!("{which:?}.yaml"));
        fs::write(&file, render(&ports, servers, &log)).unwrap();
        let process = command(which, &file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut side = Self {
            process,
            ports,
            log,
            _reserved: sockets,
        };
        side.wait();
        side
    }

    fn wait(&mut self) {
        let started = Instant::now();
        for port in self.ports.values() {
            while TcpStream::connect(("127.0.0.1", *port)).is_err() {
                assert!(self.process.try_wait().unwrap().is_none(), "it has ended");
                assert!(started.elapsed() < PATIENCE, "nobody listens");
                thread::yield_now();
            }
        }
    }

    /// Ends it; the lines of its access log by case, without the case.
    pub(crate) fn end(mut self) -> HashMap<String, Vec<String>> {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        self.process.wait().unwrap();
        let mut lines: HashMap<String, Vec<String>> = HashMap::new();
        for line in fs::read_to_string(&self.log).unwrap_or_default().lines() {
            let (case, rest) = line.split_once('\t').unwrap();
            lines
                .entry(case.to_owned())
                .or_default()
                .push(rest.to_owned());
        }
        lines
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // It has ended already when the test has passed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that stays reserved while the socket lives, and that the proxy may share.
fn reserved(name: &'static str) -> (Socket, (&'static str, u16)) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, (name, port))
}

fn command(which: Which, file: &Path) -> Command {
    let mut command = match which {
        Which::Weft => Command::new(env!("CARGO_BIN_EXE_weft-proxy")),
        Which::Envoy => {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
            Command::new(weft_testkit::envoy::program(folder))
        }
    };
    match which {
        Which::Weft => command
            .args(["run", "--concurrency", "1", "-c"])
            .arg(file)
            .env("WEFT_DRAIN", "1s")
            .env("WEFT_LOG", "error"),
        Which::Envoy => command
            .args([
                "--concurrency",
                "1",
                "--disable-hot-restart",
                "--log-level",
                "critical",
                "-c",
            ])
            .arg(file),
    };
    command
}
