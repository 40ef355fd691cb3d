//! HTTP/1 messages, read and written with as little code as will do: neither proxy's parser.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// The first line.
    pub(crate) start: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Message {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or("").to_owned();
        let pair = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Self {
            start,
            headers: lines.filter_map(pair).collect(),
        }
    }
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

impl Framing {
    /// RFC 9112 §6.3 for a request.
    pub(crate) fn of_request(head: &Message) -> Self {
        match (head.header("transfer-encoding"), length(head)) {
            (Some(_), _) => Self::Chunked,
            (None, Some(length)) => Self::Length(length),
            (None, None) => Self::None,
        }
    }

    /// RFC 9112 §6.3 for a response.
    pub(crate) fn of_response(head: &Message, status: u16, to_head: bool) -> Self {
        match (head.header("transfer-encoding"), length(head)) {
            _ if to_head || matches!(status, 100..=199 | 204 | 304) => Self::None,
            (Some(_), _) => Self::Chunked,
            (None, Some(length)) => Self::Length(length),
            (None, None) => Self::UntilClose,
        }
    }
}

fn length(head: &Message) -> Option<usize> {
    head.header("content-length")?.parse().ok()
}

/// A body.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) complete: bool,
}

/// Reads a head; what follows it stays in `buffer`. `None` is the end of the connection.
pub(crate) async fn read_head<T: AsyncRead + Unpin>(
    from: &mut T,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<Message>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if from.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = Message::parse(&buffer[..end]);
    buffer.drain(..end + 4);
    Ok(Some(head))
}

/// Reads a body; an error or an early end leaves it incomplete.
pub(crate) async fn read_body<T: AsyncRead + Unpin>(
    from: &mut T,
    buffer: &mut Vec<u8>,
    framing: Framing,
) -> Option<Body> {
    let mut body = Body::default();
    body.complete = match framing {
        Framing::None => true,
        Framing::Length(length) => read_exactly(from, buffer, length, &mut body.bytes).await,
        Framing::UntilClose => {
            while from.read_buf(buffer).await.ok()? > 0 {}
            body.bytes.append(buffer);
            true
        }
        Framing::Chunked => read_chunks(from, buffer, &mut body).await.is_some(),
    };
    Some(body)
}

async fn read_exactly<T: AsyncRead + Unpin>(
    from: &mut T,
    buffer: &mut Vec<u8>,
    length: usize,
    to: &mut Vec<u8>,
) -> bool {
    while buffer.len() < length {
        if !matches!(from.read_buf(buffer).await, Ok(1..)) {
            to.append(buffer);
            return false;
        }
    }
    to.extend(buffer.drain(..length));
    true
}

async fn read_chunks<T: AsyncRead + Unpin>(
    from: &mut T,
    buffer: &mut Vec<u8>,
    body: &mut Body,
) -> Option<()> {
    loop {
        let line = read_line(from, buffer).await?;
        let size = line.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            break;
        }
        if !read_exactly(from, buffer, size, &mut body.bytes).await {
            return None;
        }
        read_line(from, buffer).await?;
    }
    loop {
        let line = read_line(from, buffer).await?;
        if line.is_empty() {
            return Some(());
        }
        let (name, value) = line.split_once(':')?;
        body.trailers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

async fn read_line<T: AsyncRead + Unpin>(from: &mut T, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(at) = buffer.windows(2).position(|two| two == b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..at]).into_owned();
            buffer.drain(..at + 2);
            return Some(line);
        }
        if from.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// A body in chunks of a thousand bytes.
pub(crate) fn chunked(body: &[u8], trailers: &[(String, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(1000) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n");
    for (name, value) in trailers {
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    bytes.extend(b"\r\n");
    bytes
}
