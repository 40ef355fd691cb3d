//! Policies on HTTP requests.

use super::support::{Setup, run, server};
use crate::config::{
    HttpFilter, Permission, Principal, Rbac, RbacAction, RbacPolicy, RbacRules, StringMatch,
};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn deny(path: &str) -> HttpFilter {
    let policy = RbacPolicy {
        permissions: vec![Permission::UrlPath(StringMatch::Exact(path.into(), false))],
        principals: vec![Principal::Any],
    };
    HttpFilter::Rbac(Arc::new(Rbac {
        rules: Some(RbacRules {
            action: RbacAction::Deny,
            policies: vec![("ns[shop]-policy[no]-rule[0]".into(), policy)],
        }),
        shadow: None,
        shadow_prefix: "".into(),
    }))
}

#[test]
fn a_denied_request_gets_403_and_never_reaches_the_server() {
    run(async {
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        let (address, _server) = server(async move |mut socket| {
            count.set(count.get() + 1);
            let _ = socket.read(&mut [0; 1024]).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            socket.write_all(answer).await.unwrap();
        })
        .await;
        let mut setup = Setup::to(&[address]);
        setup.hcm.filters = vec![deny("/admin")];
        let proxy = setup.start();
        let ask = |path| format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");

        let refused = proxy.ask(&ask("/admin?x")).await;
        assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
        assert!(refused.ends_with("RBAC: access denied"), "{refused}");
        assert_eq!(asked.get(), 0);
        assert!(proxy.ask(&ask("/")).await.starts_with("HTTP/1.1 200 "));

        let stats = proxy.stats();
        for (name, value) in [
            ("http.test.rbac.denied", 1),
            ("http.test.rbac.allowed", 1),
            ("http.test.downstream_rq_4xx", 1),
            ("http.test.downstream_rq_2xx", 1),
            ("cluster.backend.upstream_rq_2xx", 1),
        ] {
            assert_eq!(stats[name], value, "{name}");
        }
    });
}
