//! A recording server that speaks HTTP/1.1 by the letter.

use super::plan::{Act, HEADER, Plan};
use super::{Book, Received};
use crate::message::{self, Framing, Message};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// Serves one connection until either side ends it.
pub(crate) async fn serve(mut socket: TcpStream, name: &'static str, book: Arc<Book>) {
    let mut buffer = Vec::new();
    // A connection that broke is what some cases want.
    while let Ok(true) = one(&mut socket, &mut buffer, name, &book).await {}
}

/// One request; says whether another may follow.
async fn one(
    socket: &mut TcpStream,
    buffer: &mut Vec<u8>,
    name: &'static str,
    book: &Book,
) -> io::Result<bool> {
    let Some(head) = message::read_head(socket, buffer).await? else {
        return Ok(false);
    };
    let mut words = head.start.splitn(3, ' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (entry, attempt) = book.begin(Received {
        server: name.to_owned(),
        method: method.to_owned(),
        target: target.to_owned(),
        version: "HTTP/1.1",
        headers: head.headers.clone(),
        ..Received::default()
    });
    let plan = Plan::read(name, head.header(HEADER).unwrap_or(""), attempt);
    if plan.act == Act::Close || matches!(plan.act, Act::Reset(_)) {
        sleep(plan.delay).await;
        if plan.act != Act::Close {
            socket.set_zero_linger()?;
        }
        return Ok(false);
    }
    if !plan.early {
        if head.header("expect").is_some() {
            socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = message::read_body(socket, buffer, Framing::of_request(&head)).await;
        let body = body.unwrap_or_default();
        book.end(&entry, body.bytes, body.trailers, body.complete);
        if !body.complete {
            return Ok(false);
        }
    }
    sleep(plan.delay).await;
    answer(socket, &plan, &head).await
}

async fn answer(socket: &mut TcpStream, plan: &Plan, head: &Message) -> io::Result<bool> {
    if let Act::Bytes(bytes) = &plan.act {
        socket.write_all(bytes).await?;
        return Ok(false);
    }
    if let Some(status) = plan.interim {
        let interim = format!("HTTP/1.1 {status} Interim\r\nx-interim: yes\r\n\r\n");
        socket.write_all(interim.as_bytes()).await?;
    }
    let mut text = format!("HTTP/1.1 {} Whatever\r\n", plan.status);
    for (name, value) in &plan.headers {
        text += &format!("{name}: {value}\r\n");
    }
    if plan.status == 101 {
        socket.write_all((text + "\r\n").as_bytes()).await?;
        return echo(socket).await;
    }
    let bodiless = matches!(plan.status, 204 | 304) || head.start.starts_with("HEAD ");
    let body: &[u8] = if bodiless { b"" } else { &plan.body };
    if plan.unsized_body {
        text += "transfer-encoding: chunked\r\n";
    } else if !matches!(plan.status, 204) {
        text += &format!("content-length: {}\r\n", plan.body.len());
    }
    let mut bytes = (text + "\r\n").into_bytes();
    if plan.unsized_body && !bodiless {
        bytes.extend(message::chunked(body, &plan.trailers));
    } else {
        bytes.extend(body);
    }
    if plan.cut {
        bytes.truncate(bytes.len() - body.len() / 2 - 1);
    }
    socket.write_all(&bytes).await?;
    Ok(!plan.cut && !plan.early)
}

/// After an upgrade: everything comes back.
async fn echo(socket: &mut TcpStream) -> io::Result<bool> {
    let mut bytes = [0; 1024];
    loop {
        let count = socket.read(&mut bytes).await?;
        if count == 0 {
            return Ok(false);
        }
        socket.write_all(&bytes[..count]).await?;
    }
}
