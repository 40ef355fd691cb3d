use super::*;
use crate::config::Names;

/// A resolver that sends back what it gets with `mark` behind it, over UDP and TCP.
async fn resolver(mark: u8) -> (SocketAddr, JoinSet<()>) {
    let Sockets { udp, tcp } = Sockets::bind((Ipv4Addr::LOCALHOST, 0).into())
        .await
        .unwrap();
    let address = tcp.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut bytes = [0; 512];
        while let Ok((length, client)) = udp.recv_from(&mut bytes).await {
            let answer = [&bytes[..length], &[mark]].concat();
            udp.send_to(&answer, client).await.unwrap();
        }
    });
    tasks.spawn(async move {
        while let Ok((mut client, _)) = tcp.accept().await {
            let mut query = [0; 6];
            client.read_exact(&mut query).await.unwrap();
            client
                .write_all(&[&query[..], &[mark]].concat())
                .await
                .unwrap();
        }
    });
    (address, tasks)
}

async fn forwarder(resolvers: Vec<SocketAddr>) -> (SocketAddr, JoinSet<()>) {
    let sockets = Sockets::bind((Ipv4Addr::LOCALHOST, 0).into())
        .await
        .unwrap();
    let address = sockets.address().unwrap();
    let patience = Duration::from_millis(100);
    let forwarder = Arc::new(Forwarder {
        resolvers,
        patience,
        config: watch::channel(Some(Arc::new(mesh()))).1,
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(forwarder.run(sockets));
    (address, tasks)
}

async fn asked(forwarder: SocketAddr) -> Vec<u8> {
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    client
        .send_to(&[0xab, 0xcd, 1, 0], forwarder)
        .await
        .unwrap();
    let mut answer = [0; 512];
    let received = timeout(Duration::from_secs(5), client.recv_from(&mut answer));
    let (length, from) = received.await.unwrap().unwrap();
    assert_eq!(from, forwarder);
    answer[..length].to_vec()
}

#[tokio::test]
async fn a_query_gets_the_resolvers_answer() {
    let (resolver, _resolver) = resolver(7).await;
    let (forwarder, _forwarder) = forwarder(vec![resolver]).await;
    assert_eq!(asked(forwarder).await, [0xab, 0xcd, 1, 0, 7]);
}

#[tokio::test]
async fn the_next_resolver_is_asked_when_one_is_silent() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (resolver, _resolver) = resolver(8).await;
    let (forwarder, _forwarder) = forwarder(vec![silent.local_addr().unwrap(), resolver]).await;
    assert_eq!(asked(forwarder).await, [0xab, 0xcd, 1, 0, 8]);
}

#[tokio::test]
async fn a_query_over_tcp_is_carried_too() {
    let (resolver, _resolver) = resolver(9).await;
    let (forwarder, _forwarder) = forwarder(vec![resolver]).await;
    let mut client = TcpStream::connect(forwarder).await.unwrap();
    client.write_all(&[0, 4, 0xab, 0xcd, 1, 0]).await.unwrap();
    let mut answer = [0; 7];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0, 4, 0xab, 0xcd, 1, 0, 9]);
}

/// A mesh with the name `a.b` at 192.0.2.1.
fn mesh() -> Config {
    let names = [("a.b".into(), vec![[192, 0, 2, 1].into()])];
    Config {
        names: Arc::new(Names(names.into())),
        ..Config::default()
    }
}

/// Asks for the IPv4 addresses of `a.b`.
const QUESTION: [u8; 21] = [
    0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 1, b'b', 0, 0, 1, 0, 1,
];

#[tokio::test]
async fn a_name_of_the_mesh_is_answered_without_any_resolver() {
    let (forwarder, _forwarder) = forwarder(Vec::new()).await;
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    client.send_to(&QUESTION, forwarder).await.unwrap();
    let mut answer = [0; 512];
    let received = timeout(Duration::from_secs(5), client.recv(&mut answer));
    let length = received.await.unwrap().unwrap();
    assert_eq!(answer[length - 4..length], [192, 0, 2, 1]);
}

#[tokio::test]
async fn on_one_connection_some_queries_are_answered_here_and_others_carried() {
    let (resolver, _resolver) = resolver(9).await;
    let (forwarder, _forwarder) = forwarder(vec![resolver]).await;
    let mut client = TcpStream::connect(forwarder).await.unwrap();
    client.write_all(&[0, 21]).await.unwrap();
    client.write_all(&QUESTION).await.unwrap();
    let length = usize::from(client.read_u16().await.unwrap());
    let mut answer = vec![0; length];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[length - 4..], [192, 0, 2, 1]);
    client.write_all(&[0, 4, 0xab, 0xcd, 1, 0]).await.unwrap();
    let mut carried = [0; 7];
    client.read_exact(&mut carried).await.unwrap();
    assert_eq!(carried, [0, 4, 0xab, 0xcd, 1, 0, 9]);
}
