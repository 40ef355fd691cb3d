use super::support::{Proxy, Setup, head, run, server, until};
use crate::config::UpstreamProtocol;
use crate::data::drain::Phase;
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_local};

/// A gRPC server: echoes the body and ends with trailers; and how many connections it got.
async fn grpc() -> (SocketAddr, Rc<Cell<u32>>) {
    let connections: Rc<Cell<u32>> = Rc::default();
    let count = Rc::clone(&connections);
    let (address, _) = server(async move |stream: TcpStream| {
        count.set(count.get() + 1);
        spawn_local(async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                spawn_local(async move {
                    let mut body = request.into_body();
                    let head = Response::builder().header("content-type", "application/grpc");
                    let mut out = respond
                        .send_response(head.body(()).unwrap(), false)
                        .unwrap();
                    while let Some(Ok(data)) = body.data().await {
                        body.flow_control().release_capacity(data.len()).unwrap();
                        out.send_data(data, false).unwrap();
                    }
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", "0".parse().unwrap());
                    out.send_trailers(trailers).unwrap();
                });
            }
        });
    })
    .await;
    (address, connections)
}

/// A client of the proxy, and the task that drives its connection.
async fn client(proxy: &Proxy) -> (SendRequest<Bytes>, JoinHandle<()>) {
    let (send, connection) = h2::client::handshake(proxy.connect().await).await.unwrap();
    let driver = spawn_local(async move {
        let _ = connection.await;
    });
    (send, driver)
}

fn http2(server: SocketAddr) -> Proxy {
    let mut setup = Setup::to(&[server]);
    setup.cluster.protocol = UpstreamProtocol::Http2;
    setup.start()
}

async fn call(send: &SendRequest<Bytes>, body: &'static [u8]) -> (Vec<u8>, HeaderMap) {
    let mut send = send.clone().ready().await.unwrap();
    let request = Request::post("http://a.test/s/m").header("content-type", "application/grpc");
    let (response, mut out) = send.send_request(request.body(()).unwrap(), false).unwrap();
    out.send_data(Bytes::from_static(body), true).unwrap();
    let mut from = response.await.unwrap().into_body();
    let mut bytes = Vec::new();
    while let Some(data) = from.data().await {
        let data = data.unwrap();
        from.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    (bytes, from.trailers().await.unwrap().unwrap_or_default())
}

#[test]
fn grpc_calls_share_an_upstream_connection_and_keep_their_trailers() {
    run(async {
        let (server, connections) = grpc().await;
        let proxy = http2(server);
        let (send, _driver) = client(&proxy).await;
        for _ in 0..3 {
            let (bytes, trailers) = call(&send, b"message").await;
            assert_eq!(bytes, b"message");
            assert_eq!(trailers["grpc-status"], "0");
        }
        assert_eq!(connections.get(), 1);
    });
}

#[test]
fn a_grpc_client_without_upstream_gets_a_status() {
    run(async {
        let proxy = Setup::to(&[]).start();
        let (send, _driver) = client(&proxy).await;
        let mut send = send.ready().await.unwrap();
        let request = Request::post("http://a/s/m").header("content-type", "application/grpc");
        let (response, _) = send.send_request(request.body(()).unwrap(), true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], "14");
    });
}

#[test]
fn an_http_2_client_reaches_an_http_1_server() {
    run(async {
        let (server, _) = server(async |mut stream: TcpStream| {
            let text = head(&mut stream).await;
            assert!(
                text.starts_with("POST /s/m HTTP/1.1\r\nhost: a.test\r\n"),
                "{text}"
            );
            until(&mut stream, "0\r\n\r\n").await;
            let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\
                          x-sum: 7\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let proxy = Setup::to(&[server]).start();
        let (send, _driver) = client(&proxy).await;
        let (bytes, trailers) = call(&send, b"message").await;
        assert_eq!(
            (bytes.as_slice(), &trailers["x-sum"]),
            (&b"ok"[..], &"7".parse().unwrap())
        );
    });
}

#[test]
fn an_http_1_client_reaches_an_http_2_server() {
    run(async {
        let (server, _) = grpc().await;
        let proxy = http2(server);
        let request =
            "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";
        let answer = proxy.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.ends_with("2\r\nhi\r\n0\r\ngrpc-status: 0\r\n\r\n"),
            "{answer}"
        );
    });
}

#[test]
fn draining_says_goaway_and_finishes_what_has_begun() {
    run(async {
        let (server, _) = grpc().await;
        let proxy = http2(server);
        let (send, driver) = client(&proxy).await;
        let mut ready = send.clone().ready().await.unwrap();
        let request = Request::post("http://a/s/m").body(()).unwrap();
        let (response, mut out) = ready.send_request(request, false).unwrap();
        out.send_data(Bytes::from_static(b"one"), false).unwrap();
        let mut body = response.await.unwrap().into_body();

        proxy.drain.advance(Phase::Draining);

        assert_eq!(&body.data().await.unwrap().unwrap()[..], b"one");
        out.send_data(Bytes::from_static(b"two"), true).unwrap();
        assert_eq!(&body.data().await.unwrap().unwrap()[..], b"two");
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
        drop((send, ready, out, body));
        driver.await.unwrap();
    });
}
