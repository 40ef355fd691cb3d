//! A client that speaks HTTP/2 with prior knowledge.

use super::{Answer, Outcome};
use crate::server::{map, pairs, read};
use crate::words::Case;
use bytes::Bytes;
use http::Request;
use std::future::poll_fn;
use tokio::net::TcpStream;

/// Sends the request over a connection of its own.
pub(crate) async fn send(case: &Case, number: &str, port: u16) -> Outcome {
    let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let ended = |why: String| Outcome {
        answers: Vec::new(),
        end: why,
    };
    let Ok((mut client, connection)) = h2::client::handshake(socket).await else {
        return ended("no handshake".to_owned());
    };
    // Ends with its socket.
    let driver = tokio::spawn(connection);
    let outcome = match poll_fn(|cx| client.poll_ready(cx)).await {
        Ok(()) => stream(case, number, &mut client).await,
        Err(error) => Err(error),
    };
    driver.abort();
    match outcome {
        Ok(answer) => Outcome {
            answers: vec![answer],
            end: String::new(),
        },
        Err(error) => ended(told(&error)),
    }
}

async fn stream(
    case: &Case,
    number: &str,
    client: &mut h2::client::SendRequest<Bytes>,
) -> Result<Answer, h2::Error> {
    let uri = format!("http://{}{}", case.authority, case.target);
    let mut request = Request::builder()
        .method(case.method.as_str())
        .uri(uri)
        .body(())
        .unwrap();
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = map(&case.headers);
    request
        .headers_mut()
        .insert("x-case", number.parse().unwrap());
    let ends = case.body.is_empty() && case.trailers.is_empty();
    let (response, mut stream) = client.send_request(request, ends)?;
    if !ends {
        // A proxy that has already answered may not want it any more.
        let _ = stream.send_data(case.body.clone().into(), case.trailers.is_empty());
        if !case.trailers.is_empty() {
            let _ = stream.send_trailers(map(&case.trailers));
        }
    }
    let (head, body) = response.await?.into_parts();
    let (bytes, trailers, complete) = read(body).await;
    Ok(Answer {
        status: head.status.as_u16(),
        version: "HTTP/2".to_owned(),
        headers: pairs(&head.headers),
        body: bytes,
        trailers,
        end: if complete { "whole" } else { "cut" }.to_owned(),
        ..Answer::default()
    })
}

fn told(error: &h2::Error) -> String {
    match error.reason() {
        Some(reason) if error.is_go_away() => format!("goaway {reason:?}"),
        Some(reason) => format!("reset {reason:?}"),
        None => "closed".to_owned(),
    }
}
