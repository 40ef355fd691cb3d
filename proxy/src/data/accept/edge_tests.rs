//! Listeners at the edge: chains by the name that the client asks for, shares of connections.

use crate::config::{
    ChainMatch, FilterChain, Listener, TcpProxy, Terminal, TlsIdentity, TlsServer,
};
use crate::data::test_conn;
use crate::data::test_mesh::{Proxy, Root, application, cluster};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;
use weft_identity::tls::{Names, Versions, outside_client};

/// Connections for `names`, shared out among these clusters.
fn chain(names: &[&str], clusters: &[(&str, u32)]) -> FilterChain {
    let matches = ChainMatch {
        server_names: names.iter().map(|name| Arc::from(*name)).collect(),
        ..ChainMatch::default()
    };
    let shares = clusters
        .iter()
        .map(|(name, weight)| (Arc::from(*name), *weight));
    let plain = test_conn::chain("edge", matches);
    let Terminal::Tcp(proxy) = &plain.terminal else {
        unreachable!("the chain of tests carries bytes");
    };
    let proxy = TcpProxy {
        clusters: shares.collect(),
        ..TcpProxy::clone(proxy)
    };
    FilterChain {
        terminal: Terminal::Tcp(Arc::new(proxy)),
        ..plain
    }
}

/// `chain` inside TLS that ends here.
fn behind(identity: TlsIdentity, chain: FilterChain) -> Arc<FilterChain> {
    let tls = TlsServer {
        identity,
        require_client: false,
        client_roots: None,
        client_sans: Vec::new(),
        alpn: Vec::new(),
        tls12: true,
    };
    Arc::new(FilterChain {
        tls: Some(tls),
        ..chain
    })
}

fn edge(chains: Vec<Arc<FilterChain>>) -> Listener {
    Listener {
        tls_inspector: true,
        detect_timeout: Duration::from_secs(15),
        ..test_conn::listener(chains)
    }
}

/// What the server of `name` says, over TLS that `root` vouches for.
async fn ask(proxy: &Proxy, root: &Root, name: &str) -> io::Result<String> {
    let roots = weft_identity::cert::roots(root.pem()).unwrap();
    let config = outside_client(None, (roots, Names::Asked), Versions::Both, &[]);
    let socket = TcpStream::connect(proxy.address).await?;
    let name = name.to_owned().try_into().unwrap();
    let mut stream = TlsConnector::from(config).connect(name, socket).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn the_name_that_a_client_asks_for_decides_certificate_and_destination() {
    LocalSet::new()
        .run_until(async {
            let root = Root::new();
            let (one, two) = (application(b"one").await, application(b"two").await);
            let chains = vec![
                behind(
                    root.server("one.example"),
                    chain(&["one.example"], &[("one", 1)]),
                ),
                behind(
                    root.server("*.two.example"),
                    chain(&["*.two.example"], &[("two", 1)]),
                ),
            ];
            let proxy = Proxy::start(
                None,
                edge(chains),
                vec![cluster("one", one), cluster("two", two)],
            );

            assert_eq!(ask(&proxy, &root, "one.example").await.unwrap(), "one");
            assert_eq!(ask(&proxy, &root, "a.two.example").await.unwrap(), "two");
            assert!(ask(&proxy, &root, "three.example").await.is_err());
        })
        .await;
}

#[tokio::test]
async fn unopened_tls_goes_where_its_name_leads() {
    LocalSet::new()
        .run_until(async {
            let root = Root::new();
            let app = application(b"inside").await;
            let own = chain(&[], &[("app", 1)]);
            let server = Proxy::start(
                None,
                edge(vec![behind(root.server("one.example"), own)]),
                vec![cluster("app", app)],
            );
            let passing = vec![Arc::new(chain(&["one.example"], &[("server", 1)]))];
            let upstream = cluster("server", server.address);
            let proxy = Proxy::start(None, edge(passing), vec![upstream]);

            assert_eq!(ask(&proxy, &root, "one.example").await.unwrap(), "inside");
            assert!(ask(&proxy, &root, "two.example").await.is_err());
        })
        .await;
}

#[tokio::test]
async fn connections_are_shared_out_by_weight() {
    LocalSet::new()
        .run_until(async {
            const ALL: usize = 1000;
            let (most, few) = (application(b"most").await, application(b"few").await);
            let shared = vec![Arc::new(chain(&[], &[("most", 90), ("few", 10)]))];
            let listener = test_conn::listener(shared);
            let proxy = Proxy::start(
                None,
                listener,
                vec![cluster("most", most), cluster("few", few)],
            );

            let mut rare = 0;
            for _ in 0..ALL {
                let mut socket = TcpStream::connect(proxy.address).await.unwrap();
                socket.shutdown().await.unwrap();
                let mut answer = String::new();
                socket.read_to_string(&mut answer).await.unwrap();
                rare += usize::from(answer == "few");
            }
            // 100 with a deviation of 9.5; five of them happen once in a million runs.
            assert!(
                (52..=148).contains(&rare),
                "{rare} of {ALL} went to the rarer one"
            );
        })
        .await;
}
