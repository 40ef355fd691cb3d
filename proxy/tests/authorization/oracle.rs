//! What Istio's documentation says of policies, taken word for word and read from the objects.
//!
//! A value that makes no sense is `None`. It must not open anything: where a match allows it is
//! met by nothing, elsewhere by everything.

use super::call::{Call, Http};
use serde_json::Value;
use std::net::IpAddr;

/// Whether `call` reaches `shop/cart-1`.
pub(crate) fn passes(policies: &[Value], call: &Call) -> bool {
    let counts = |policy: &&Value| {
        let namespace = policy["metadata"]["namespace"].as_str().unwrap();
        let app = policy["spec"]["selector"]["matchLabels"]["app"].as_str();
        matches!(namespace, "shop" | "weft-system") && matches!(app, None | Some("cart"))
    };
    let of = |wanted: &str| {
        let action = move |policy: &&Value| {
            let action = policy["spec"]["action"].as_str().unwrap_or("ALLOW");
            let dry = policy["metadata"]["annotations"]["istio.io/dry-run"] == "true"
                && matches!(action, "ALLOW" | "DENY");
            action == wanted && !dry
        };
        policies
            .iter()
            .filter(counts)
            .filter(action)
            .collect::<Vec<_>>()
    };
    let hit = |policies: &[&Value]| policies.iter().any(|policy| matches_policy(policy, call));
    let allow = of("ALLOW");
    !hit(&of("CUSTOM")) && !hit(&of("DENY")) && (allow.is_empty() || hit(&allow))
}

/// How doubt is resolved in what is being looked at.
#[derive(Clone, Copy)]
struct Reading<'a> {
    call: &'a Call,
    /// Of the object.
    namespace: &'a str,
    closes: bool,
}

fn matches_policy(policy: &Value, call: &Call) -> bool {
    let closes = !matches!(policy["spec"]["action"].as_str(), None | Some("ALLOW"));
    let namespace = policy["metadata"]["namespace"].as_str().unwrap();
    let reading = Reading {
        call,
        namespace,
        closes,
    };
    array(&policy["spec"]["rules"])
        .iter()
        .any(|rule| reading.rule(rule))
}

const HTTP_FIELDS: [&str; 8] = [
    "hosts",
    "notHosts",
    "methods",
    "notMethods",
    "paths",
    "notPaths",
    "requestPrincipals",
    "notRequestPrincipals",
];

impl Reading<'_> {
    fn rule(self, rule: &Value) -> bool {
        let (from, to) = (array(&rule["from"]), array(&rule["to"]));
        let when = array(&rule["when"]);
        if self.call.http.is_none() && !self.closes && asks_http(rule) {
            return false;
        }
        (from.is_empty() || from.iter().any(|from| self.fields(&from["source"])))
            && (to.is_empty() || to.iter().any(|to| self.fields(&to["operation"])))
            && when.iter().all(|when| self.when(when))
    }

    fn fields(self, object: &Value) -> bool {
        let fields = object.as_object().unwrap();
        if fields.is_empty() {
            return self.closes; // somebody has lost a field
        }
        fields.iter().all(|(name, values)| {
            if self.call.http.is_none() && HTTP_FIELDS.contains(&name.as_str()) {
                return self.closes;
            }
            match name.strip_prefix("not") {
                Some(rest) => self.none(&decapitalised(rest), values),
                None => self.one(name, values),
            }
        })
    }

    fn when(self, when: &Value) -> bool {
        let key = when["key"].as_str().unwrap();
        let known = key.starts_with("source.") && key != "source.colour"
            || [
                "remote.ip",
                "destination.ip",
                "destination.port",
                "connection.sni",
            ]
            .contains(&key)
            || key.starts_with("request.auth.")
            || key.starts_with("request.headers[") && key != "request.headers[a b]";
        if !known || when["values"].is_null() && when["notValues"].is_null() {
            return self.closes;
        }
        if self.call.http.is_none() && key.starts_with("request.") {
            return self.closes;
        }
        let values = when["values"].is_null() || self.one(key, &when["values"]);
        values && (when["notValues"].is_null() || self.none(key, &when["notValues"]))
    }

    fn one(self, name: &str, values: &Value) -> bool {
        let met = |value: &Value| self.value(name, value.as_str().unwrap(), self.closes);
        let met: Vec<_> = array(values).iter().map(met).collect();
        self.closes && met.contains(&None) || met.contains(&Some(true))
    }

    fn none(self, name: &str, values: &Value) -> bool {
        let met = |value: &Value| self.value(name, value.as_str().unwrap(), !self.closes);
        let met: Vec<_> = array(values).iter().map(met).collect();
        (self.closes || !met.contains(&None)) && !met.contains(&Some(true))
    }

    /// Whether the property `name` has this value. `generous` also takes another spelling of it.
    fn value(self, name: &str, value: &str, generous: bool) -> Option<bool> {
        if value.is_empty() {
            return None;
        }
        let call = self.call;
        let name = name.trim_start_matches("source.");
        match name {
            "principals" | "principal" => principal(value, call.peer),
            "namespaces" | "namespace" => (!value.contains('/'))
                .then(|| part(call, 2).is_some_and(|namespace| glob(value, namespace))),
            "serviceAccounts" | "serviceAccount" => account(value, self.namespace, call),
            "trustDomains" | "trustDomain" => {
                Some(part(call, 0).is_some_and(|domain| text(value, domain)))
            }
            "ipBlocks" | "ip" => within(value, call.ip),
            "remoteIpBlocks" | "remote.ip" => within(value, client(call)),
            "destination.ip" => within(value, call.destination),
            "ports" | "destination.port" => match value.parse::<u16>() {
                Ok(port @ 1..) => Some(port == call.port),
                _ => None,
            },
            "connection.sni" => Some(text(value, call.sni.unwrap_or_default())),
            // No proxy verifies tokens, so nobody has one.
            "requestPrincipals" | "request.auth.principal" => {
                (value.contains('/') || value.contains('*')).then_some(false)
            }
            "request.auth.claims[a][b]" => Some(false),
            _ => of_request(name, value, generous, call.http.as_ref()?),
        }
    }
}

fn of_request(name: &str, value: &str, generous: bool, http: &Http) -> Option<bool> {
    match name {
        "methods" | "request.headers[:method]" => Some(text(value, http.method)),
        "hosts" => {
            let [value, host] = [value, http.host].map(str::to_lowercase);
            Some(text(&value, &host) || generous && text(&value, bare(&host)))
        }
        "request.headers[:authority]" => {
            Some(text(value, http.host) || generous && text(value, bare(http.host)))
        }
        "paths" => path(value, http.path),
        "request.headers[x-role]" => Some(field(value, "x-role", generous, http)),
        "request.headers[X-Token]" => Some(field(value, "x-token", generous, http)),
        other => panic!("{other} is not known here"),
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn decapitalised(text: &str) -> String {
    text[..1].to_lowercase() + &text[1..]
}

fn asks_http(rule: &Value) -> bool {
    let of = |list: &str, inner: &str| {
        let objects = array(&rule[list]).iter();
        let mut names = objects.flat_map(|object| {
            object[inner]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        });
        names.any(|name| HTTP_FIELDS.contains(&name.as_str()))
    };
    let keys = array(&rule["when"]).iter();
    of("from", "source")
        || of("to", "operation")
        || keys
            .into_iter()
            .any(|when| when["key"].as_str().unwrap().starts_with("request."))
}

/// `*` is anything but nothing, `x*` and `*x` are beginnings and ends.
fn text(pattern: &str, text: &str) -> bool {
    match pattern {
        "*" => !text.is_empty(),
        end if end.starts_with('*') => text.ends_with(&end[1..]),
        start if start.ends_with('*') => text.starts_with(&start[..start.len() - 1]),
        exact => text == exact,
    }
}

/// `*` anywhere.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).any(|at| glob(rest, &text[at..]))),
    }
}

/// A part of `<trust domain>/ns/<namespace>/sa/<account>`.
fn part(call: &Call, at: usize) -> Option<&'static str> {
    call.peer?.split('/').nth(at)
}

fn principal(value: &str, peer: Option<&str>) -> Option<bool> {
    const OWN: [&str; 3] = ["td.example", "old.example", "cluster.local"];
    if value.contains("://") {
        return None;
    }
    let Some(peer) = peer else { return Some(false) };
    let alias = OWN
        .iter()
        .find_map(|own| value.strip_prefix(own)?.strip_prefix('/'));
    Some(match alias {
        Some(rest) => OWN.iter().any(|own| text(&format!("{own}/{rest}"), peer)),
        None => text(value, peer),
    })
}

fn account(value: &str, own: &str, call: &Call) -> Option<bool> {
    let wanted: Vec<_> = value.split('/').collect();
    let (namespace, name) = match wanted[..] {
        [name] => (own, name),
        [namespace, name] => (namespace, name),
        _ => return None,
    };
    if value.contains('*') {
        return None;
    }
    Some(part(call, 2) == Some(namespace) && part(call, 4) == Some(name))
}

/// The nearest address in `x-forwarded-for`, else the peer.
fn client(call: &Call) -> IpAddr {
    let mut fields = call.http.iter().flat_map(|http| &http.fields);
    let last = fields.rfind(|(name, _)| *name == "x-forwarded-for");
    let nearest = last.and_then(|(_, list)| list.split(',').next_back()?.trim().parse().ok());
    nearest.unwrap_or(call.ip)
}

fn within(range: &str, ip: IpAddr) -> Option<bool> {
    let (address, bits) = range.split_once('/').unwrap_or((range, ""));
    let wide = |ip: IpAddr| match ip.to_canonical() {
        IpAddr::V4(v4) => (32, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (128, u128::from(v6)),
    };
    let (length, wanted) = wide(address.parse().ok()?);
    let bits: u32 = if bits.is_empty() {
        length
    } else {
        bits.parse().ok()?
    };
    if bits > length {
        return None;
    }
    let (own, found) = wide(ip);
    let rest = length - bits;
    Some(own == length && (rest >= 128 || wanted >> rest == found >> rest))
}

fn bare(host: &str) -> &str {
    let host = host.split(':').next().unwrap();
    host.strip_suffix('.').unwrap_or(host)
}

/// The forms of the paths that calls have, worked out by hand (RFC 3986 §6.2.2).
fn normal(path: &str) -> &str {
    match path.split('?').next().unwrap() {
        "/b/../admin" | "/%61dmin" => "/admin",
        "/a%2fb" => "/a%2Fb",
        other => other,
    }
}

fn path(value: &str, raw: &str) -> Option<bool> {
    let path = normal(raw);
    if value.contains('?') {
        return None;
    }
    if !value.contains('{') {
        return Some(text(&value.replace("%2f", "%2F"), path));
    }
    if value == "/{**}/x" {
        return None;
    }
    Some(template(value, path))
}

fn template(template: &str, path: &str) -> bool {
    match (template.split_once('/'), path.split_once('/')) {
        _ if template == "{**}" => true,
        (Some((segment, rest)), Some((found, others))) => {
            one_segment(segment, found) && self::template(rest, others)
        }
        (None, None) => one_segment(template, path),
        _ => false,
    }
}

fn one_segment(template: &str, segment: &str) -> bool {
    match template {
        "{*}" => !segment.is_empty(),
        text => text == segment,
    }
}

/// Several lines of a field are one list (RFC 9110 §5.3).
fn field(value: &str, name: &str, generous: bool, http: &Http) -> bool {
    let lines = http.fields.iter().filter(|(each, _)| *each == name);
    let lines: Vec<&str> = lines.map(|(_, line)| *line).collect();
    if value == "*" {
        return !lines.is_empty();
    }
    let elements = lines.iter().flat_map(|line| line.split(',').map(str::trim));
    let single = elements.chain(lines.iter().copied());
    !lines.is_empty() && text(value, &lines.join(","))
        || generous
            && single
                .into_iter()
                .any(|each| !each.is_empty() && text(value, each))
}
