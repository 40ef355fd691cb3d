//! A client that speaks HTTP/1.1, and one that sends whatever it is told.

use super::{Answer, Outcome};
use crate::message::{self, Framing};
use crate::words::Case;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a further answer to raw bytes is waited for.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a client waits for leave to send its body.
const LEAVE: Duration = Duration::from_millis(500);

/// Sends a well-formed request.
pub(crate) async fn send(case: &Case, number: &str, port: u16) -> Outcome {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut buffer = Vec::new();
    let mut outcome = Outcome::default();
    let (head, body) = written(case, number);
    let to_head = case.method == "HEAD";
    let expects = has(case, "expect");
    let first = if expects {
        head.clone()
    } else {
        [head, body.clone()].concat()
    };
    // The proxy may have closed before it read everything; its answer counts.
    let _ = socket.write_all(&first).await;
    let mut early = Vec::new();
    if expects {
        let leave = timeout(LEAVE, message::read_head(&mut socket, &mut buffer)).await;
        if let Ok(Ok(Some(head))) = leave {
            let interim = head.start.split(' ').nth(1) == Some("100");
            if interim {
                early.push(head.start.clone());
                let _ = socket.write_all(&body).await;
            } else {
                outcome
                    .answers
                    .extend(finished(&mut socket, &mut buffer, head, to_head).await);
                return outcome;
            }
        } else {
            let _ = socket.write_all(&body).await;
        }
    }
    match answer(&mut socket, &mut buffer, to_head).await {
        Some(mut answer) => {
            answer.interim.splice(0..0, early);
            outcome.answers.push(answer);
        }
        None => outcome.end = "closed without an answer".to_owned(),
    }
    outcome
}

fn has(case: &Case, name: &str) -> bool {
    case.headers
        .iter()
        .any(|(n, _)| n.eq_ignore_ascii_case(name))
}

/// Head and body in their bytes.
fn written(case: &Case, number: &str) -> (Vec<u8>, Vec<u8>) {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {}\r\nx-case: {number}\r\n",
        case.method, case.target, case.authority
    );
    for (name, value) in &case.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let chunked = !case.trailers.is_empty() || has(case, "transfer-encoding");
    if chunked {
        if !has(case, "transfer-encoding") {
            head += "transfer-encoding: chunked\r\n";
        }
        return (
            (head + "\r\n").into_bytes(),
            message::chunked(&case.body, &case.trailers),
        );
    }
    if !case.body.is_empty() && !has(case, "content-length") {
        head += &format!("content-length: {}\r\n", case.body.len());
    }
    ((head + "\r\n").into_bytes(), case.body.clone())
}

/// The next final answer.
async fn answer(socket: &mut TcpStream, buffer: &mut Vec<u8>, to_head: bool) -> Option<Answer> {
    let mut interim = Vec::new();
    loop {
        let head = message::read_head(socket, buffer).await.ok()??;
        let status = status(&head);
        if (100..200).contains(&status) && status != 101 {
            interim.push(format!("{} {:?}", head.start, head.headers));
            continue;
        }
        let mut answer = finished(socket, buffer, head, to_head).await?;
        answer.interim = interim;
        return Some(answer);
    }
}

fn status(head: &message::Message) -> u16 {
    head.start
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

async fn finished(
    socket: &mut TcpStream,
    buffer: &mut Vec<u8>,
    head: message::Message,
    to_head: bool,
) -> Option<Answer> {
    let status = status(&head);
    if status == 101 {
        return upgraded(socket, buffer, head).await;
    }
    let framing = Framing::of_response(&head, status, to_head);
    let body = message::read_body(socket, buffer, framing)
        .await
        .unwrap_or_default();
    Some(Answer {
        interim: Vec::new(),
        status,
        version: head.start.split(' ').next().unwrap_or("").to_owned(),
        headers: head.headers,
        body: body.bytes,
        trailers: body.trailers,
        end: if body.complete { "whole" } else { "cut" }.to_owned(),
    })
}

/// Whether bytes go both ways after an upgrade.
async fn upgraded(
    socket: &mut TcpStream,
    buffer: &mut Vec<u8>,
    head: message::Message,
) -> Option<Answer> {
    socket.write_all(b"ping").await.ok()?;
    let body = message::read_body(socket, buffer, Framing::Length(4)).await?;
    Some(Answer {
        status: 101,
        headers: head.headers,
        body: body.bytes,
        end: "tunnel".to_owned(),
        ..Answer::default()
    })
}

/// Sends bytes as they are and reads answers until nothing more comes.
pub(crate) async fn send_raw(case: &Case, number: &str, port: u16) -> Outcome {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let _ = socket.write_all(&named(&case.raw, number)).await;
    let to_head = case.raw.starts_with(b"HEAD ");
    let mut buffer = Vec::new();
    let mut outcome = Outcome::default();
    loop {
        // The first answer gets all the time there is.
        let next = answer(&mut socket, &mut buffer, to_head);
        let next = match outcome.answers.is_empty() {
            true => timeout(4 * PATIENCE, next).await,
            false => timeout(PATIENCE, next).await,
        };
        match next {
            Ok(Some(answer)) => outcome.answers.push(answer),
            Ok(None) => outcome.end = "closed".to_owned(),
            Err(_) => outcome.end = "open".to_owned(),
        }
        if !outcome.end.is_empty() {
            return outcome;
        }
    }
}

/// The bytes with the header that names the case.
fn named(raw: &[u8], number: &str) -> Vec<u8> {
    let header = format!("x-case: {number}\r\n");
    let mark = b"$case";
    let marked = raw.windows(mark.len()).position(|window| window == mark);
    let after_line = || {
        raw.windows(2)
            .position(|two| two == b"\r\n")
            .map(|at| at + 2)
    };
    match (marked, after_line()) {
        (Some(at), _) => [&raw[..at], header.as_bytes(), &raw[at + mark.len()..]].concat(),
        (None, Some(at)) => [&raw[..at], header.as_bytes(), &raw[at..]].concat(),
        (None, None) => raw.to_vec(),
    }
}
