//! Policies and calls at random, from few values so that they meet.

use super::call::Call;
use serde_json::{Map, Value, json};

/// A small generator: the same numbers on every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

/// Every list of a source and an operation with what it may hold; the last one or two are faulty.
const SOURCE: [(&str, &[&str]); 7] = [
    (
        "rincipals",
        &[
            "*",
            "td.example/ns/shop/sa/web",
            "cluster.local/ns/shop/sa/web",
            "other.example/ns/shop/sa/web",
            "td.example/ns/shop/*",
            "*/sa/web",
            "*b",
            "spiffe://td.example/ns/shop/sa/web",
            "",
        ],
    ),
    (
        "equestPrincipals",
        &[
            "*",
            "https://issuer.example/*",
            "https://issuer.example/sam",
            "*@x",
            "nobody",
        ],
    ),
    (
        "amespaces",
        &["*", "shop", "s*", "*p", "team-*-x", "t*a", "a/b"],
    ),
    (
        "erviceAccounts",
        &[
            "web",
            "shop/web",
            "other/web",
            "team-a-x/bot",
            "web*",
            "a/b/c",
        ],
    ),
    ("rustDomains", &["*", "td.example", "old*", "*.example", ""]),
    (
        "pBlocks",
        &[
            "10.0.0.7",
            "10.0.0.0/8",
            "10.1.0.0/16",
            "0.0.0.0/0",
            "2001:db8::/32",
            "10.0.0.0/33",
            "nowhere",
        ],
    ),
    (
        "emoteIpBlocks",
        &["203.0.113.0/24", "10.0.0.0/8", "203.0.113.7", "203.0.113"],
    ),
];
const OPERATION: [(&str, &[&str]); 4] = [
    (
        "osts",
        &[
            "*",
            "cart.shop",
            "CART*",
            "*.example.com",
            "cart.shop:80",
            "",
        ],
    ),
    ("orts", &["80", "8080", "5432", "0", "http"]),
    ("ethods", &["*", "GET", "P*", "*T", "post", ""]),
    (
        "aths",
        &[
            "*", "/", "/admin", "/admin*", "*/x", "/a/{*}/x", "/a/{**}", "/{*}", "/a%2fb", "/a?b",
            "/{**}/x",
        ],
    ),
];
const WHEN: [(&str, &[&str]); 18] = [
    (
        "request.headers[x-role]",
        &["*", "admin", "a*", "*n", "user,admin", ""],
    ),
    ("request.headers[X-Token]", &["*", "t"]),
    ("request.headers[:method]", &["GET", "P*"]),
    ("request.headers[:authority]", &["cart.shop", "*.com"]),
    ("request.headers[a b]", &["x"]),
    ("source.ip", &["10.0.0.0/8", "10.1.0.0/16", "x"]),
    ("remote.ip", &["203.0.113.0/24", "10.0.0.7"]),
    ("source.namespace", &["shop", "t*"]),
    (
        "source.principal",
        &["*", "old.example/ns/shop/sa/web", "td.example/*"],
    ),
    ("source.serviceAccount", &["web", "shop/web"]),
    ("source.trustDomain", &["td.example", "o*"]),
    ("destination.ip", &["10.0.0.9", "10.0.0.0/24", "192.0.2.1"]),
    ("destination.port", &["80", "8080", "x"]),
    (
        "connection.sni",
        &["*", "cart.example.com", "*.com", "cart*"],
    ),
    (
        "request.auth.principal",
        &["*", "https://issuer.example/sam"],
    ),
    ("request.auth.claims[a][b]", &["*", "x"]),
    ("source.colour", &["red"]),
    ("experimental.envoy.filters.a[b]", &["red"]),
];

/// A set of policies that may count for `shop/cart-1`.
pub(crate) fn policies(dice: &mut Dice) -> Vec<Value> {
    let count = dice.roll(4);
    (0..count).map(|number| policy(dice, number)).collect()
}

fn policy(dice: &mut Dice, number: usize) -> Value {
    let namespace = dice.pick(&["shop", "shop", "shop", "weft-system", "other"]);
    let action = dice.pick(&["ALLOW", "ALLOW", "ALLOW", "DENY", "DENY", "AUDIT", "CUSTOM"]);
    let rules: Vec<Value> = (0..dice.roll(4)).map(|_| rule(dice)).collect();
    let mut spec = json!({"action": action, "rules": rules});
    if action == "ALLOW" && dice.roll(2) == 0 {
        spec.as_object_mut().unwrap().remove("action");
    }
    if dice.roll(4) == 0 {
        let app = dice.pick(&["cart", "cart", "other"]);
        spec["selector"] = json!({"matchLabels": {"app": app}});
    }
    let mut metadata = json!({"name": format!("policy-{number}"), "namespace": namespace});
    if dice.roll(10) == 0 {
        metadata["annotations"] = json!({"istio.io/dry-run": "true"});
    }
    json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": metadata, "spec": spec,
    })
}

fn rule(dice: &mut Dice) -> Value {
    let mut rule = Map::new();
    if dice.roll(2) == 0 {
        let from = (0..=dice.roll(2)).map(|_| json!({"source": lists(dice, &SOURCE)}));
        rule.insert("from".into(), from.collect());
    }
    if dice.roll(2) == 0 {
        let to = (0..=dice.roll(2)).map(|_| json!({"operation": lists(dice, &OPERATION)}));
        rule.insert("to".into(), to.collect());
    }
    if dice.roll(3) == 0 {
        let when = (0..=dice.roll(2)).map(|_| when(dice));
        rule.insert("when".into(), when.collect());
    }
    Value::Object(rule)
}

/// Some lists of values and exceptions; once in a while none.
fn lists(dice: &mut Dice, of: &[(&str, &[&str])]) -> Value {
    let mut fields = Map::new();
    for _ in 0..dice.roll(8).min(3) {
        let (rest, values) = dice.pick(of);
        // The names differ in their first letter: `principals`, `notPrincipals`.
        let first = initial(rest);
        let name = match dice.roll(4) {
            0 => format!("not{}{rest}", first.to_ascii_uppercase()),
            _ => format!("{first}{rest}"),
        };
        fields.insert(name, some(dice, values));
    }
    Value::Object(fields)
}

fn initial(rest: &str) -> char {
    match rest {
        "rincipals" | "orts" | "aths" => 'p',
        "equestPrincipals" | "emoteIpBlocks" => 'r',
        "amespaces" => 'n',
        "erviceAccounts" => 's',
        "rustDomains" => 't',
        "pBlocks" => 'i',
        "osts" => 'h',
        "ethods" => 'm',
        other => panic!("no field ends in {other}"),
    }
}

fn when(dice: &mut Dice) -> Value {
    let (key, values) = dice.pick(&WHEN);
    let mut when = json!({"key": key});
    if dice.roll(4) != 0 {
        when["values"] = some(dice, values);
    }
    if dice.roll(4) == 0 {
        when["notValues"] = some(dice, values);
    }
    when
}

/// One to three values; the faulty ones at the end come seldom.
fn some(dice: &mut Dice, values: &[&str]) -> Value {
    let count = 1 + dice.roll(3);
    let mut one = || {
        let usual = if dice.roll(8) == 0 {
            values.len()
        } else {
            values.len().saturating_sub(2).max(1)
        };
        json!(values[dice.roll(usual)])
    };
    (0..count).map(|_| one()).collect()
}

const HOSTS: [&str; 5] = [
    "cart.shop",
    "Cart.Shop:80",
    "cart.shop.",
    "a.example.com",
    "a.example.com:8080",
];
const PATHS: [&str; 14] = [
    "/",
    "/admin",
    "/admin?x=1",
    "/admin/",
    "//admin",
    "/b/../admin",
    "/%61dmin",
    "/b/x",
    "/a/1/x",
    "/a/1/2/x",
    "/a/",
    "/a",
    "/a%2fb",
    "/a%2Fb",
];
const ROLES: [&str; 5] = ["admin", "user", "user,admin", "admin, user", ""];
const CLIENTS: [&str; 4] = [
    "203.0.113.7",
    "10.0.0.7, 203.0.113.9",
    "198.51.100.1",
    "unknown",
];
const PEERS: [Option<&str>; 6] = [
    None,
    Some("td.example/ns/shop/sa/web"),
    Some("td.example/ns/shop/sa/web"),
    Some("old.example/ns/shop/sa/web"),
    Some("other.example/ns/shop/sa/web"),
    Some("td.example/ns/team-a-x/sa/bot"),
];
const ADDRESSES: [&str; 5] = [
    "10.0.0.7",
    "10.1.2.3",
    "192.0.2.1",
    "::ffff:10.0.0.7",
    "2001:db8::1",
];

/// A call to `shop/cart-1`.
pub(crate) fn call(dice: &mut Dice) -> Call {
    let mut call = match dice.roll(4) {
        0 => Call::tcp(),
        _ => {
            let method = dice.pick(&["GET", "POST", "PUT", "DELETE"]);
            Call::http(method, dice.pick(&HOSTS), dice.pick(&PATHS))
        }
    };
    if let Some(http) = &mut call.http {
        for _ in 0..dice.roll(3) {
            let name = dice.pick(&["x-role", "x-role", "x-token"]);
            http.fields.push((name, dice.pick(&ROLES)));
        }
        for _ in 0..dice.roll(3) {
            http.fields.push(("x-forwarded-for", dice.pick(&CLIENTS)));
        }
    }
    call.peer = dice.pick(&PEERS);
    call.ip = dice.pick(&ADDRESSES).parse().unwrap();
    call.port = dice.pick(&[80, 8080, 5432]);
    call.sni = dice.pick(&[None, Some("cart.example.com"), Some("cart.shop")]);
    call
}
