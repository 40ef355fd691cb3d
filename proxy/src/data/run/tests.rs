use super::*;
use crate::config::{ChainMatch, Listener};
use crate::data::report::Metrics;
use crate::data::{test_conn, test_mesh};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A port that stays reserved while the socket lives, and that workers may share.
fn reserved() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn config(name: &str, address: SocketAddr, app: SocketAddr) -> Arc<Config> {
    let chain = Arc::new(test_conn::chain("tcp", ChainMatch::default()));
    let listener = Listener {
        name: name.into(),
        address,
        ..test_conn::listener(vec![chain])
    };
    Arc::new(Config {
        listeners: [(Arc::from(name), Arc::new(listener))].into(),
        clusters: [(Arc::from("tcp"), Arc::new(test_mesh::cluster("tcp", app)))].into(),
        ..Config::default()
    })
}

async fn greeting_application() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut connection, _)) = socket.accept().await {
            connection.write_all(b"hello").await.unwrap();
            open.push(connection);
        }
    });
    (address, task)
}

/// Connects as soon as somebody listens.
async fn greeted(address: SocketAddr) -> TcpStream {
    loop {
        if let Ok(mut socket) = TcpStream::connect(address).await {
            let mut greeting = [0; 5];
            socket.read_exact(&mut greeting).await.unwrap();
            assert_eq!(&greeting, b"hello");
            return socket;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn workers_move_to_another_listener_and_end_when_told() {
    let (_first_port, first) = reserved();
    let (_second_port, second) = reserved();
    let (app, _task) = greeting_application().await;
    let secrets = Arc::default();
    let registry = Registry::new(Metrics::new(crate::data::report::Workload::default()));
    let workers = Workers::start(2, config("a", first, app), &secrets, &registry).unwrap();
    let mut open = greeted(first).await;
    assert_eq!(workers.connections(), 1);

    workers.apply(config("b", second, app));
    let _other = greeted(second).await;
    // The listener that is gone drains its connections and does not cut them.
    assert!(
        tokio::time::timeout(Duration::ZERO, open.read(&mut [0; 1]))
            .await
            .is_err()
    );

    workers.shut_down(Duration::ZERO, Duration::ZERO).await;
    assert!(matches!(open.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    assert!(TcpStream::connect(second).await.is_err());
}

#[tokio::test]
async fn shutting_down_waits_for_open_connections_and_no_longer() {
    tokio::task::LocalSet::new()
        .run_until(async {
            let (_port, address) = reserved();
            let app = test_mesh::application(b"hello").await;
            let config = config("a", address, app);
            let workers = Workers::start(1, config, &Arc::default(), &Arc::default()).unwrap();
            let mut open = greeted(address).await;
            let minute = Duration::from_secs(60);
            let ending = tokio::task::spawn_local(workers.shut_down(Duration::ZERO, minute));
            // New connections are refused: from here on the proxy is on its way out.
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
            open.write_all(b"still served").await.unwrap();
            open.shutdown().await.unwrap();
            let mut answer = String::new();
            open.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, "still served");
            ending.await.unwrap();
        })
        .await;
}
