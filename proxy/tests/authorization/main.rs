//! Policies from what a user writes to what a proxy does, against an interpreter of Istio's
//! documentation that shares no code with either.
//!
//! `WEFT_AUTHORIZATION_PAIRS` is how many pairs of policies and calls are tried.
#![allow(clippy::unwrap_used, reason = "tests panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "how long a test runs is no setting"
)]

mod call;
mod oracle;
mod proxy;
mod random;

use call::Call;
use proxy::Proxy;
use random::Dice;
use serde_json::json;

/// Calls that are made under each set of policies.
const CALLS: usize = 100;

#[test]
fn the_proxy_lets_pass_what_istio_s_documentation_lets_pass() {
    let pairs = std::env::var("WEFT_AUTHORIZATION_PAIRS").map_or(20_000, |text| {
        text.parse().expect("WEFT_AUTHORIZATION_PAIRS is a number")
    });
    let mut dice = Dice::new(7);
    let (mut passed, mut refused) = (0_usize, 0_usize);
    while passed + refused < pairs {
        let policies = random::policies(&mut dice);
        let proxy = Proxy::of(&policies);
        for _ in 0..CALLS {
            let call = random::call(&mut dice);
            let expected = oracle::passes(&policies, &call);
            assert_eq!(
                proxy.passes(&call),
                expected,
                "{call:#?}\n{}",
                serde_json::to_string_pretty(&policies).unwrap()
            );
            *(if expected { &mut passed } else { &mut refused }) += 1;
        }
    }
    let least = passed.min(refused);
    assert!(least * 5 > pairs, "{passed} passed, {refused} refused");
}

/// Seed document 05 as it is, in the namespace that `kubectl apply` would put it into.
#[test]
#[rustfmt::skip]
fn only_the_order_service_may_post_payments() {
    let mut policy = weft_testkit::objects::documents(include_str!("payment-access.yaml")).remove(0);
    policy["metadata"]["namespace"] = json!("shop");
    policy["spec"]["selector"]["matchLabels"]["app"] = json!("cart");
    let proxy = Proxy::of(&[policy]);
    let order = Some("cluster.local/ns/default/sa/order-service");
    let table = [
        // caller                                     method  path                 passes
        (order,                                       "POST", "/payments",         true),
        (order,                                       "POST", "/payments?x=1",     true),  // the query is no part of the path
        (order,                                       "POST", "/a/../payments",    true),  // BASE
        (order,                                       "POST", "/%70ayments",       true),
        (order,                                       "POST", "//payments",        false), // BASE does not merge slashes
        (order,                                       "POST", "/payments/1",       false),
        (order,                                       "POST", "/Payments",         false),
        (order,                                       "GET",  "/payments",         false),
        (Some("cluster.local/ns/default/sa/other"),   "POST", "/payments",         false),
        (Some("cluster.local/ns/other/sa/order-service"), "POST", "/payments",     false),
        (None,                                        "POST", "/payments",         false), // plaintext is nobody
    ];
    for (peer, method, path, expected) in table {
        let call = Call { peer, ..Call::http(method, "payment-service", path) };
        assert_eq!(proxy.passes(&call), expected, "{peer:?} {method} {path}");
    }
    assert!(!proxy.passes(&Call { peer: order, ..Call::tcp() }), "an ALLOW rule on HTTP opens no TCP port");
}
