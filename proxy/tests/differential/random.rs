//! Requests by chance, the same ones for the same seed.

use crate::words::{self, Case};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::env;

/// Cases of a run that says nothing else.
const COUNT: usize = 300;

const METHODS: [&str; 8] = [
    "GET", "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH",
];
const HOSTS: [&str; 22] = [
    "up.test",
    "up2.test",
    "path.test",
    "header.test",
    "query.test",
    "rewrite.test",
    "redirect.test",
    "direct.test",
    "edit.test",
    "cors.test",
    "fault.test",
    "rbac.test",
    "retry.test",
    "mirror.test",
    "hash.test",
    "empty.test",
    "dead.test",
    "a.exact.test",
    "z.exact.test",
    "nothing.test",
    "time.test",
    "weight.test",
];
const LISTENERS: [&str; 9] = [
    "main", "main", "main", "edge", "kept", "plain", "normal", "merge", "unescape",
];
const SEGMENTS: [&str; 24] = [
    "exact", "pre", "segment", "x", "a", "host", "path", "levels", "commands", "actions", "up",
    "5xx", "header", "plain", "abort", "read", "write", "r", "1", "text", "..", ".", "%41",
    "short",
];
const HEADERS: [&str; 24] = [
    "x-m: v",
    "x-m: w",
    "x-key: k1",
    "x-key: k2",
    "origin: https://a.test",
    "origin: https://c.test",
    "x-user: writer",
    "x-given: abc",
    "x-level: mine",
    "x-append: old",
    "cookie: c=a",
    "cookie: b=2",
    "x-forwarded-for: 9.9.9.9",
    "x-forwarded-proto: https",
    "x-request-id: mine",
    "user-agent: curl",
    "accept: */*",
    "connection: close",
    "te: trailers",
    "x-empty:",
    "content-type: application/grpc",
    "access-control-request-method: PUT",
    "x-envoy-max-retries: 1",
    "authorization: x",
];
const DOES: [&str; 14] = [
    "status 200",
    "status 404",
    "status 503",
    "status 204",
    "body 0",
    "body 3000",
    "chunked",
    "trailer x-t v",
    "body 70000",
    "first 1 status 503",
    "interim 100",
    "header x-from elsewhere",
    "delay 20",
    "interim 103",
];

/// As many as the environment asks for.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the test reads its settings"
)]
pub(crate) fn cases() -> Vec<Case> {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse().ok());
    let count = number("WEFT_DIFFERENTIAL_RANDOM").unwrap_or(COUNT as u64);
    let mut dice = StdRng::seed_from_u64(number("WEFT_DIFFERENTIAL_SEED").unwrap_or(1));
    // Without its key a hash is a matter of chance.
    let comparable = |line: &String| !line.contains("hash.test") || line.contains("x-key");
    let lines = (0..count).map(|_| line(&mut dice)).filter(comparable);
    lines.flat_map(|line| words::cases(&line)).collect()
}

fn line(dice: &mut StdRng) -> String {
    let pick = |list: &'static [&'static str], dice: &mut StdRng| *list.choose(dice).unwrap();
    let mut line = format!("@{} ", pick(&LISTENERS, dice));
    let http2 = dice.random_bool(0.3);
    line += if http2 { "h2 " } else { "" };
    line += &format!("{} {} ", pick(&METHODS, dice), pick(&HOSTS, dice));
    for _ in 0..dice.random_range(1..4) {
        line += &format!("/{}", pick(&SEGMENTS, dice));
    }
    if dice.random_bool(0.3) {
        line += ["?q=v", "?k=1", "?", "?a=b&q=v"].choose(dice).unwrap();
    }
    for _ in 0..dice.random_range(0..4) {
        let header = pick(&HEADERS, dice);
        if !(http2 && header.starts_with("connection")) {
            line += &format!(" | {header}");
        }
    }
    if dice.random_bool(0.5) {
        line += &format!(" | x-do: {}", pick(&DOES, dice));
    }
    if dice.random_bool(0.25) {
        line += &format!(" | > *{}", [1, 10, 1000, 20000].choose(dice).unwrap());
    }
    line
}
