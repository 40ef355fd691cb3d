use super::*;
use crate::config::{HeaderValueMatch, PathTemplate};
use crate::data::conn::PeerIdentity;
use crate::data::test_conn;
use std::sync::Arc;

fn exact(text: &str) -> StringMatch {
    StringMatch::Exact(text.into(), false)
}

fn header(name: &str, value: &str) -> HeaderMatch {
    HeaderMatch {
        name: name.into(),
        value: HeaderValueMatch::String(StringMatch::Exact(value.into(), true)),
        invert: false,
        missing_as_empty: false,
    }
}

fn rules(action: RbacAction, policies: Vec<(Permission, Principal)>) -> Rbac {
    let named = policies
        .into_iter()
        .enumerate()
        .map(|(at, (permission, principal))| {
            let policy = RbacPolicy {
                permissions: vec![permission],
                principals: vec![principal],
            };
            (Arc::from(format!("policy {at}")), policy)
        });
    Rbac {
        rules: Some(RbacRules {
            action,
            policies: named.collect(),
        }),
        shadow: None,
        shadow_prefix: "".into(),
    }
}

fn peer(uri: &str) -> PeerIdentity {
    PeerIdentity {
        uri: Some(uri.into()),
        dns: Vec::new(),
        cert_sha256: "".into(),
        subject: "".into(),
    }
}

fn request() -> Request {
    Request {
        authority: "Secret.com:8080".into(),
        target: "/admin?x".into(),
        fields: [("x-role", "user"), ("x-role", "admin")]
            .into_iter()
            .collect(),
        ..Request::default()
    }
}

#[test]
#[rustfmt::skip]
fn the_action_decides_what_a_match_means() {
    use RbacAction::{Allow, Deny, Log};
    let conn = test_conn::inbound("10.0.0.1:1", "10.0.0.2:80");
    let table = [
        // action  policy matches  verdict
        (Allow, Some(true),  Verdict::Allowed(Some("policy 0"))),
        (Allow, Some(false), Verdict::Denied(None)),
        (Allow, None,        Verdict::Denied(None)), // no policies under ALLOW deny all
        (Deny,  Some(true),  Verdict::Denied(Some("policy 0"))),
        (Deny,  Some(false), Verdict::Allowed(None)),
        (Deny,  None,        Verdict::Allowed(None)),
        (Log,   Some(true),  Verdict::Allowed(Some("policy 0"))),
        (Log,   None,        Verdict::Allowed(None)),
    ];
    for (action, matches, expected) in table {
        let permission = |yes| if yes { Permission::Any } else { Permission::Not(Box::new(Permission::Any)) };
        let policies = matches.map(|yes| (permission(yes), Principal::Any)).into_iter().collect();
        let rbac = rules(action, policies);
        assert_eq!(decide(&rbac, &Facts::tcp(&conn)).verdict, expected, "{action:?} {matches:?}");
    }
}

#[test]
#[rustfmt::skip]
fn permissions_look_at_the_canonical_request() {
    let conn = test_conn::inbound("10.0.0.1:1", "[::ffff:10.0.0.2]:80");
    let request = request();
    let template = |text: &str, pattern| PathTemplate { text: text.into(), pattern: Arc::new(regex::Regex::new(pattern).unwrap()) };
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    let table = [
        (Permission::UrlPath(exact("/admin")),                 true),  // the query is no part of it
        (Permission::UrlPath(exact("/admin?x")),               false),
        (Permission::UriTemplate(template("/{*}", "^/[^/]+$")), true),
        (Permission::Header(header(":authority", "secret.com:8080")), true), // whatever case
        (Permission::Header(header("x-role", "user,admin")),   true),  // joined
        (Permission::Header(header(":method", "get")),         true),
        (Permission::DestinationPort(80),                      true),
        (Permission::DestinationPortRange(80, 80),             false), // half open
        (Permission::DestinationPortRange(79, 81),             true),
        (Permission::DestinationIp(net("10.0.0.0/24")),        true),  // mapped addresses are IPv4
        (Permission::ServerName(exact("")),                    true),
    ];
    for (permission, expected) in table {
        let facts = Facts::http(&conn, &request, false);
        for reading in [Reading::Literal, Reading::Any] {
            assert_eq!(permits(&permission, &facts, reading), expected, "{permission:?}");
        }
    }
}

#[test]
fn another_spelling_escapes_no_denial_and_earns_no_leave() {
    let conn = test_conn::inbound("10.0.0.1:1", "10.0.0.2:80");
    let request = request();
    let facts = Facts::http(&conn, &request, false);
    // Envoy's CVE-2026-26308: a second line hid the first.
    for (name, value) in [
        (":authority", "secret.com"),
        ("x-role", "admin"),
        ("x-role", "user"),
    ] {
        let asked = || Permission::Header(header(name, value));
        let other = || Permission::Not(Box::new(asked()));
        for permission in [asked(), other()] {
            assert!(
                !permits(&permission, &facts, Reading::Literal),
                "{permission:?}"
            );
            assert!(permits(&permission, &facts, Reading::Any), "{permission:?}");
        }
    }
}

#[test]
fn conditions_on_http_are_false_for_tcp() {
    let conn = test_conn::inbound("10.0.0.1:1", "10.0.0.2:80");
    for permission in [
        Permission::UrlPath(exact("")),
        Permission::Header(header("a", "")),
    ] {
        assert!(
            !permits(&permission, &Facts::tcp(&conn), Reading::Any),
            "{permission:?}"
        );
    }
}

#[test]
fn plaintext_is_nobody() {
    let conn = test_conn::inbound("10.0.0.1:1", "10.0.0.2:80");
    let facts = Facts::tcp(&conn);
    assert!(!is_principal(
        &Principal::Authenticated(None),
        &facts,
        Reading::Any
    ));
    // DENY notPrincipals must hit plaintext.
    let other = Principal::Not(Box::new(Principal::Authenticated(Some(exact(
        "spiffe://a",
    )))));
    assert!(is_principal(&other, &facts, Reading::Any));
}

#[test]
#[rustfmt::skip]
fn principals_are_who_was_verified_and_where_from() {
    let mut conn = test_conn::inbound("[::ffff:10.0.0.1]:1", "10.0.0.2:80");
    conn.peer = Some(peer("spiffe://td/ns/foo.bar/sa/a"));
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    let table = [
        (Principal::Authenticated(None),                                        true),
        (Principal::Authenticated(Some(exact("spiffe://td/ns/foo.bar/sa/a"))),  true),
        (Principal::Authenticated(Some(exact("spiffe://td/ns/fooxbar/sa/a"))),  false), // no pattern is made of a name
        (Principal::DirectRemoteIp(net("10.0.0.0/8")),                          true),
        (Principal::RemoteIp(net("10.0.0.0/8")),                                false),
        (Principal::RemoteIp(net("192.168.0.0/16")),                            true),
    ];
    for (principal, expected) in table {
        let facts = Facts { conn: &conn, request: None, remote_ip: "192.168.1.1".parse().unwrap() };
        assert_eq!(is_principal(&principal, &facts, Reading::Any), expected, "{principal:?}");
    }
}

#[test]
fn a_refusal_names_its_policy_in_one_word() {
    assert_eq!(
        Verdict::Denied(Some("ns[a]-policy[b c]-rule[0]")).details(),
        "rbac_access_denied_matched_policy[ns[a]-policy[b_c]-rule[0]]"
    );
    assert_eq!(
        Verdict::Denied(None).details(),
        "rbac_access_denied_matched_policy[none]"
    );
}

#[test]
#[rustfmt::skip]
fn an_absent_header_satisfies_only_absence() {
    let request = request();
    let matched = |value, invert, missing_as_empty| {
        header_matches(&HeaderMatch { name: "x-none".into(), value, invert, missing_as_empty }, &request)
    };
    assert!(matched(HeaderValueMatch::Present(false), false, false));
    assert!(!matched(HeaderValueMatch::Present(true), false, false));
    assert!(!matched(HeaderValueMatch::String(exact("")), false, false));
    assert!(matched(HeaderValueMatch::String(exact("")), false, true));
    assert!(!matched(HeaderValueMatch::String(exact("a")), true, false));
    assert!(matched(HeaderValueMatch::String(exact("a")), true, true));
    assert!(!matched(HeaderValueMatch::Range(0, 9), false, false));
}
