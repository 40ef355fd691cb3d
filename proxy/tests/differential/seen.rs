//! What a case led to, as named texts that can be compared, and what is not compared.
//!
//! Left out or replaced, because no two runs agree on it: the value of `date`, of
//! `x-request-id` where the client sent none, of `x-envoy-upstream-service-time`, and ports of
//! servers; the headers that steer the test; the order of headers of different names.

use crate::bootstrap::LOGGED;
use crate::client::{Answer, Outcome};
use crate::server::Received;
use crate::words::Case;
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::OnceLock;

/// Aspects of what happened, by name.
pub(crate) type Seen = BTreeMap<String, String>;

/// Everything about one case. `line` is its line of the access log.
pub(crate) fn seen(
    case: &Case,
    outcome: &Outcome,
    mut received: Vec<Received>,
    lines: &[String],
) -> Seen {
    let mut seen = Seen::new();
    seen.insert("end".into(), ended(outcome));
    seen.insert("answers".into(), outcome.answers.len().to_string());
    for (at, answer) in outcome.answers.iter().enumerate() {
        client_side(&numbered(at), answer, &mut seen);
    }
    received.sort_by_key(|one| one.server == "mirror");
    seen.insert("tries".into(), received.len().to_string());
    for (at, one) in received.iter().enumerate() {
        server_side(case, at, one, &mut seen);
    }
    seen.insert("log lines".into(), lines.len().to_string());
    for (at, line) in lines.iter().enumerate() {
        for (name, value) in LOGGED.iter().zip(line.split('\t')) {
            let value = match *name {
                "flags" => sorted(value),
                _ => value.to_owned(),
            };
            seen.insert(format!("log{} {name}", numbered(at)), value);
        }
    }
    seen
}

/// Envoy writes flags in the order in which they came up.
fn sorted(flags: &str) -> String {
    let mut flags: Vec<&str> = flags.split(',').collect();
    flags.sort_unstable();
    flags.join(",")
}

/// A proxy that has said that it closes may take its time.
fn ended(outcome: &Outcome) -> String {
    let closes = |(name, value): &(String, String)| name == "connection" && value == "close";
    match outcome.answers.last() {
        Some(last) if last.headers.iter().any(closes) => "closing".to_owned(),
        _ => outcome.end.clone(),
    }
}

/// Nothing for the first, `#2` for the second.
fn numbered(at: usize) -> String {
    if at == 0 {
        String::new()
    } else {
        format!("#{}", at + 1)
    }
}

fn client_side(number: &str, answer: &Answer, seen: &mut Seen) {
    let mut add = |name: &str, value: String| seen.insert(format!("{name}{number}"), value);
    add("status", answer.status.to_string());
    add("version", answer.version.clone());
    add("interim", answer.interim.join(" "));
    add("body", shown(&answer.body));
    add("ending", answer.end.clone());
    for (name, values) in grouped(&answer.headers) {
        let value = match name.as_str() {
            "date" => "some".to_owned(),
            "x-envoy-upstream-service-time" => "some".to_owned(),
            "set-cookie" => cookie(&values),
            _ => values,
        };
        add(&format!("header {name}"), value);
    }
    for (name, values) in grouped(&answer.trailers) {
        add(&format!("trailer {name}"), values);
    }
}

/// The value of a cookie that a proxy makes is its own affair.
fn cookie(values: &str) -> String {
    match (values.find('"'), values.rfind('"')) {
        (Some(from), Some(to)) if from < to => {
            format!("{}<made>{}", &values[..=from], &values[to..])
        }
        _ => values.to_owned(),
    }
}

fn server_side(case: &Case, at: usize, received: &Received, seen: &mut Seen) {
    let name = format!("up{}", numbered(at));
    let mut add = |what: &str, value: String| seen.insert(format!("{name} {what}"), value);
    add("server", received.server.clone());
    add("method", received.method.clone());
    add("target", received.target.clone());
    add("version", received.version.to_owned());
    add("body", shown(&received.body));
    add("whole", received.complete.to_string());
    for (name, values) in grouped(&received.headers) {
        let given = case
            .headers
            .iter()
            .any(|(n, _)| n.eq_ignore_ascii_case("x-request-id"));
        let value = match name.as_str() {
            "x-case" | "x-do" => continue,
            // What is left of it.
            "x-envoy-expected-rq-timeout-ms" if at > 0 => "some".to_owned(),
            // Where a client is on loopback Envoy tells its own address instead (`local_info`).
            "x-forwarded-for" => values.replace(own_address(), "127.0.0.1"),
            "x-request-id" if !given || values.len() == 36 => "some".to_owned(),
            _ => values,
        };
        add(&format!("header {name}"), value);
    }
    for (name, values) in grouped(&received.trailers) {
        add(&format!("trailer {name}"), values);
    }
}

/// The address by which this machine would call others.
fn own_address() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket.connect("192.0.2.1:9")?; // sends nothing
            socket.local_addr()
        });
        socket.map_or_else(|_| "127.0.0.1".to_owned(), |own| own.ip().to_string())
    })
}

/// Values of one name together, in their order.
fn grouped(headers: &[(String, String)]) -> BTreeMap<String, String> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        groups.entry(name.clone()).or_default().push(value);
    }
    let joined = |(name, values): (String, Vec<&str>)| (name, values.join(" & "));
    groups.into_iter().map(joined).collect()
}

fn shown(body: &[u8]) -> String {
    match body.len() {
        0..=300 => String::from_utf8_lossy(body).into_owned(),
        length => {
            let sum = body.iter().fold(7u64, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
            });
            format!("{length} bytes, {sum:x}")
        }
    }
}

/// The aspects in which two sides differ, with both texts.
pub(crate) fn differences(ours: &Seen, theirs: &Seen) -> BTreeMap<String, (String, String)> {
    let missing = "(nothing)".to_owned();
    let names = ours.keys().chain(theirs.keys());
    let both = names.map(|name| {
        let pick = |side: &Seen| side.get(name).unwrap_or(&missing).clone();
        (name.clone(), (pick(ours), pick(theirs)))
    });
    both.filter(|(_, (ours, theirs))| ours != theirs).collect()
}
