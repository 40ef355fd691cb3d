//! SIGTERM to a proxy that serves: what has begun ends well, clients learn that they should go,
//! and the process ends.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Nothing here may take longer.
const LIMIT: Duration = Duration::from_secs(20);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// Kinds of HTTP/2 frames (RFC 9113 §6).
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// A proxy in a process of its own.
struct Proxy {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Proxy {
    fn start(origin: SocketAddr) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bootstrap.yaml");
        fs::write(&file, bootstrap(address.port(), origin.port())).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_weft-proxy"))
            .args(["run", "--concurrency", "1", "-c"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            process,
            address,
            _folder: folder,
        }
    }

    /// A connection, as soon as the proxy takes any.
    fn connect(&self) -> TcpStream {
        let started = Instant::now();
        loop {
            match TcpStream::connect(self.address) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(LIMIT)).unwrap();
                    return stream;
                }
                Err(error) => assert!(started.elapsed() < LIMIT, "{error}"),
            }
            thread::yield_now();
        }
    }

    fn terminate(&self) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It has ended already when the test has passed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn bootstrap(port: u16, origin: u16) -> String {
    format!(
        r#"static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          route_config:
            name: routes
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: "/"}}
                route: {{cluster: origin}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: origin
    type: STATIC
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {origin}}}}}}}
"#
    )
}

/// An origin that says when it was asked for `/slow`, and answers that when it is let.
fn origin() -> (SocketAddr, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, was_asked) = mpsc::channel();
    let (let_go, may_go) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if head(&mut stream).starts_with("GET /slow") {
                asked.send(()).unwrap();
                may_go.recv().unwrap();
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            stream.write_all(answer).unwrap();
        }
    });
    (address, was_asked, let_go)
}

fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

fn get(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
}

/// Reads frames up to the first one of this kind.
fn frame(stream: &mut TcpStream, wanted: u8) {
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header).unwrap();
        let [a, b, c, kind, ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).unwrap();
        if kind == wanted {
            return;
        }
    }
}

#[test]
fn a_proxy_that_is_told_to_end_finishes_what_has_begun() {
    let (origin, was_asked, let_go) = origin();
    let mut proxy = Proxy::start(origin);
    let mut idle = proxy.connect();
    get(&mut idle, "/");
    assert!(head(&mut idle).starts_with("HTTP/1.1 200 "));
    idle.read_exact(&mut [0; 2]).unwrap();
    let mut streams = proxy.connect();
    streams.write_all(PREFACE).unwrap();
    frame(&mut streams, SETTINGS);
    let mut busy = proxy.connect();
    get(&mut busy, "/slow");
    was_asked.recv_timeout(LIMIT).unwrap();

    proxy.terminate();

    assert_eq!(
        idle.read(&mut [0; 1]).unwrap(),
        0,
        "an idle client is let go"
    );
    frame(&mut streams, GOAWAY);
    let_go.send(()).unwrap();
    let answer = head(&mut busy);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    let mut body = Vec::new();
    busy.read_to_end(&mut body).unwrap();
    assert_eq!(body, b"ok");
    drop((idle, streams, busy));
    assert!(proxy.process.wait().unwrap().success());
}
