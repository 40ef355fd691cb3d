use super::*;
use crate::config::{HeaderChanges, PathMatch, Redirect, RouteMatch};
use std::collections::BTreeMap;

fn host(name: &str, domains: &[&str]) -> Arc<VirtualHost> {
    Arc::new(VirtualHost {
        name: name.into(),
        domains: domains.iter().map(|domain| (*domain).into()).collect(),
        routes: vec![Arc::new(Route {
            name: name.into(),
            matches: prefix("/"),
            action: Action::Respond {
                status: 200,
                body: Arc::from(*b""),
            },
            headers: HeaderChanges::default(),
            overrides: BTreeMap::new(),
        })],
        ..VirtualHost::default()
    })
}

fn prefix(path: &str) -> RouteMatch {
    RouteMatch {
        path: PathMatch::Prefix(path.into()),
        case_sensitive: true,
        headers: Vec::new(),
        query: Vec::new(),
        grpc: false,
        fraction_per_million: None,
    }
}

fn request(authority: &str, target: &str) -> Request {
    Request {
        authority: authority.into(),
        target: target.into(),
        scheme: "http",
        ..Request::default()
    }
}

#[test]
fn the_most_exact_domain_wins() {
    let table = Table::new(Arc::new(RouteTable {
        virtual_hosts: vec![
            host("any", &["*"]),
            host("suffix", &["*.example.com"]),
            host("longer", &["*.shop.example.com"]),
            host("prefix", &["api.*"]),
            host("exact", &["a.example.com", "b.test:8080"]),
        ],
        ..RouteTable::default()
    }));
    for (authority, expected) in [
        ("a.example.com", "exact"),
        ("A.Example.Com", "exact"),
        ("a.example.com.", "exact"),
        ("b.test:8080", "exact"),
        ("b.test", "any"),
        ("b.example.com", "suffix"),
        ("x.shop.example.com", "longer"),
        ("api.example.com", "suffix"), // a suffix is stronger than a prefix
        ("api.test", "prefix"),
        ("example.com", "any"),
        ("", "any"),
    ] {
        let found = table.find(&request(authority, "/"), 0).unwrap();
        assert_eq!(&*found.host.name, expected, "{authority}");
    }
}

#[test]
fn a_port_is_ignored_where_the_table_says_so() {
    let table = Table::new(Arc::new(RouteTable {
        virtual_hosts: vec![host("a", &["a.test"])],
        ignore_port_in_host: true,
        ..RouteTable::default()
    }));
    assert!(table.find(&request("a.test:8080", "/"), 0).is_some());
    assert!(table.find(&request("b.test:8080", "/"), 0).is_none());
}

#[test]
fn a_path_is_matched_without_its_query() {
    let segment = RouteMatch {
        path: PathMatch::SegmentPrefix("/api".into()),
        ..prefix("/")
    };
    let exact = RouteMatch {
        path: PathMatch::Exact("/p".into()),
        ..prefix("/")
    };
    for (wanted, target, expected) in [
        (&segment, "/api", true),
        (&segment, "/api/x?y", true),
        (&segment, "/api?x", true),
        (&segment, "/apix", false),
        (&exact, "/p?x", true),
        (&exact, "/P", false),
        (&prefix("/api"), "/apix", true),
    ] {
        let mut route = Route::clone(&host("x", &[]).routes[0]);
        route.matches = wanted.clone();
        assert_eq!(
            matches::applies(&route, &request("a", target), 0),
            expected,
            "{target}"
        );
    }
}

#[test]
fn a_redirect_keeps_what_it_does_not_change() {
    let base = Redirect {
        status: 301,
        ..Redirect::default()
    };
    let https = Redirect {
        scheme: Some("https".into()),
        ..base.clone()
    };
    let moved = Redirect {
        host: Some("b.test".into()),
        path: Some("/new".into()),
        ..base.clone()
    };
    let port = Redirect {
        port: Some(8443),
        strip_query: true,
        ..base
    };
    for (redirect_to, expected) in [
        (&https, "https://a.test/old?q=1"),
        (&moved, "http://b.test/new?q=1"),
        (&port, "http://a.test:8443/old"),
    ] {
        assert_eq!(
            redirect(redirect_to, &prefix("/"), &request("a.test:80", "/old?q=1")),
            expected
        );
    }
}

#[test]
fn shares_follow_their_weights() {
    let shares = [("a", 1), ("b", 0), ("c", 3)].map(|(name, weight)| {
        Arc::new(WeightedCluster {
            name: name.into(),
            weight,
            headers: HeaderChanges::default(),
            host_rewrite: None,
        })
    });
    let chosen: Vec<_> = (0..4)
        .map(|dice| &*share(&shares, dice).unwrap().name)
        .collect();
    assert_eq!(chosen, ["a", "c", "c", "c"]);
}
