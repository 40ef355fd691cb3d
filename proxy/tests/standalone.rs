//! The program itself, with the allocator that it ships with, run from a file.
#![allow(clippy::unwrap_used, reason = "tests panic")]

use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_weft-proxy");

/// A listener that answers by itself and writes a line for each request.
const BOOTSTRAP: &str = r#"static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{match: {prefix: "/"}, direct_response: {status: 204}}]
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: LOG
              log_format: {text_format_source: {inline_string: "%REQ(:PATH)% %RESPONSE_CODE%\n"}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
"#;

/// A port that stays reserved while the socket lives, and that the program may share.
fn reserved() -> (Socket, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

fn program(command: &str, file: &Path) -> Command {
    let mut program = Command::new(PROGRAM);
    program.args([command, "-c"]).arg(file);
    program
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

/// Connects as soon as somebody listens.
fn connected(port: u16, proxy: &mut Child) -> TcpStream {
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(socket) => return socket,
            Err(_) => assert!(proxy.try_wait().unwrap().is_none(), "it has ended"),
        }
    }
}

fn ended(proxy: Child) -> Output {
    let id = Pid::from_child(&proxy);
    kill_process(id, Signal::TERM).unwrap();
    proxy.wait_with_output().unwrap()
}

#[test]
fn a_burst_of_requests_is_served_and_logged_to_the_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("b.yaml"), folder.path().join("log"));
    let (_port, port) = reserved();
    let text = BOOTSTRAP.replace("PORT", &port.to_string());
    std::fs::write(&file, text.replace("LOG", log.to_str().unwrap())).unwrap();

    let mut proxy = program("run", &file).spawn().unwrap();
    let mut socket = connected(port, &mut proxy);
    let requests: String = (0..500)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nhost: a\r\n\r\n"))
        .collect();
    let last = "GET /500 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let mut sending = socket.try_clone().unwrap();
    let sender = std::thread::spawn(move || sending.write_all((requests + last).as_bytes()));
    let mut answers = String::new();
    socket.read_to_string(&mut answers).unwrap();
    sender.join().unwrap().unwrap();
    let output = ended(proxy);

    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(answers.matches("HTTP/1.1 204 ").count(), 501);
    let lines = std::fs::read_to_string(&log).unwrap();
    assert_eq!(lines.lines().count(), 501);
    assert_eq!(lines.lines().last(), Some("/500 204"));
}

#[test]
fn a_file_that_cannot_be_run_ends_the_program_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("b.yaml");
    std::fs::write(&file, "static_resources:\n  listener: []\n").unwrap();
    for command in ["run", "validate"] {
        let output = program(command, &file).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}");
        let expected = format!(
            "{}:2: static_resources.listener: unknown field; did you mean listeners?\n",
            file.display()
        );
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            expected,
            "{command}"
        );
    }
}
