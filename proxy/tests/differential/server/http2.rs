//! A recording server that speaks HTTP/2.

use super::plan::{Act, HEADER, Plan};
use super::{Book, Entry, Received};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// Serves one connection until either side ends it.
pub(crate) async fn serve(socket: TcpStream, name: &'static str, book: Arc<Book>) {
    let Ok(mut connection) = h2::server::handshake(socket).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (head, body) = request.into_parts();
        let mut headers = pairs(&head.headers);
        if let Some(authority) = head.uri.authority() {
            headers.push(("host".into(), authority.to_string()));
        }
        let received = Received {
            server: name.to_owned(),
            method: head.method.to_string(),
            target: head
                .uri
                .path_and_query()
                .map_or("", |path| path.as_str())
                .to_owned(),
            version: "HTTP/2",
            headers,
            ..Received::default()
        };
        let commands = received.header(HEADER).unwrap_or("").to_owned();
        let (entry, attempt) = book.begin(received);
        let plan = Plan::read(name, &commands, attempt);
        if plan.act == Act::Close {
            return;
        }
        let plan = Plan {
            body: if head.method == "HEAD" {
                Vec::new()
            } else {
                plan.body
            },
            ..plan
        };
        tokio::spawn(answer(plan, entry, Arc::clone(&book), body, respond));
    }
}

async fn answer(
    plan: Plan,
    entry: Entry,
    book: Arc<Book>,
    body: RecvStream,
    mut respond: SendResponse<Bytes>,
) {
    if !plan.early {
        let (bytes, trailers, complete) = read(body).await;
        book.end(&entry, bytes, trailers, complete);
    }
    sleep(plan.delay).await;
    if let Act::Reset(code) = plan.act {
        respond.send_reset(Reason::from(code));
        return;
    }
    let mut response = Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(plan.status).unwrap();
    *response.headers_mut() = map(&plan.headers);
    let empty = plan.body.is_empty() || matches!(plan.status, 204 | 304);
    if !plan.unsized_body && !matches!(plan.status, 204) {
        let length = HeaderValue::from(plan.body.len());
        response.headers_mut().insert("content-length", length);
    }
    let ends = empty && plan.trailers.is_empty();
    // The other side may have given up; then nobody reads this.
    let Ok(mut stream) = respond.send_response(response, ends) else {
        return;
    };
    if plan.cut {
        let half = plan.body[..plan.body.len() / 2].to_vec();
        let _ = stream.send_data(half.into(), false);
        sleep(std::time::Duration::from_millis(20)).await;
        stream.send_reset(Reason::INTERNAL_ERROR);
    } else if !ends {
        if !empty {
            let _ = stream.send_data(plan.body.into(), plan.trailers.is_empty());
        }
        if !plan.trailers.is_empty() {
            let _ = stream.send_trailers(map(&plan.trailers));
        }
    }
}

/// Body, trailers, and whether both came to their end.
pub(crate) async fn read(mut body: RecvStream) -> (Vec<u8>, Vec<(String, String)>, bool) {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let Ok(data) = data else {
            return (bytes, Vec::new(), false);
        };
        let _ = body.flow_control().release_capacity(data.len());
        bytes.extend(&data);
    }
    match body.trailers().await {
        Ok(trailers) => (
            bytes,
            trailers.as_ref().map(pairs).unwrap_or_default(),
            true,
        ),
        Err(_) => (bytes, Vec::new(), false),
    }
}

/// Headers as text.
pub(crate) fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}

/// Text as headers.
pub(crate) fn map(pairs: &[(String, String)]) -> HeaderMap {
    let pair = |(name, value): &(String, String)| {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    pairs.iter().map(pair).collect()
}
