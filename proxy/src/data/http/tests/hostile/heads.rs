use super::super::support::run;
use super::Expected::{self, Passes, Refused};
use super::check;

/// What would be taken for a second request if the first one ended where the attacker wants.
const SECOND: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

fn get(fields: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n\r\n{SECOND}")
        .into_bytes()
}

fn post(fields: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n0\r\n\r\n{SECOND}").into_bytes()
}

/// Checks each value of a field in a request of its own.
fn each(request: impl Fn(&str) -> Vec<u8>, rows: &[(&str, u16)]) {
    run(async {
        for (fields, status) in rows {
            check(fields, &request(fields), Refused(*status)).await;
        }
    });
}

#[test]
#[rustfmt::skip]
fn a_body_has_one_framing_or_none() {
    each(post, &[
        ("content-length: 5\r\ntransfer-encoding: chunked", 400),
        ("transfer-encoding: chunked\r\ncontent-length: 5", 400),
        ("transfer-encoding: chunked\r\ncontent_length: 5", 400),
        ("content-length: 5\r\ntransfer_encoding: chunked", 400),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked", 400),
        ("transfer-encoding: chunked\r\ntransfer-encoding: identity", 400),
        ("content-length: 5\r\ncontent-length: 5", 400),
        ("content-length: 5\r\ncontent-length: 6", 400),
        ("connection: content-length\r\ncontent-length: 5", 400),
        ("connection: transfer-encoding\r\ntransfer-encoding: chunked", 400),
        ("connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 5", 400),
    ]);
}

#[test]
#[rustfmt::skip]
fn chunked_is_the_only_coding_and_is_spelt_so() {
    each(|value| post(&format!("transfer-encoding: {value}")), &[
        ("xchunked", 501), ("identity", 501), ("gzip", 501), ("gzip, chunked", 501), ("chunked, gzip", 501),
        ("chunked, chunked", 501), ("chunked,", 400), (",chunked", 400), ("chunked;q=1", 400), ("\"chunked\"", 400),
        ("\x0bchunked", 400), ("chunked\x0c", 400), ("chun\0ked", 400), ("", 400), ("chunked\x0b", 400),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_length_is_digits_and_nothing_else() {
    each(|value| post(&format!("content-length: {value}")), &[
        ("+5", 400), ("-5", 400), ("0x5", 400), ("0_5", 400), ("05", 400), ("00", 400), ("5e0", 400), ("5.0", 400),
        ("5 5", 400), ("5,5", 400), ("5, 5", 400), ("5,6", 400), ("5;", 400), ("5abc", 400), ("", 400), ("\"5\"", 400),
        ("18446744073709551616", 400), ("18446744073709551621", 400), ("5\0", 400), ("5\x0b", 400),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_field_is_a_name_a_colon_and_a_value_on_one_line() {
    each(get, &[
        ("x: a\r\n b", 400), ("x: a\r\n\tb", 400), ("x : a", 400), ("x\t: a", 400), ("x", 400), (": a", 400),
        ("x y: a", 400), ("x\0: a", 400), ("x\u{e9}: a", 400), ("x(: a", 400), ("x: a\rb: c", 400), ("x: a\nb: c", 400),
        ("x: a\0b", 400), ("x: a\x01b", 400), ("x: a\x7fb", 400), ("x: a\x1bb", 400), ("x: a\r", 400), ("x: a\n", 400),
        ("expect: more", 417), ("expect: 100-continue\r\nexpect: 100-continue", 417),
    ]);
    run(async {
        for (name, request) in [
            ("a space before the first field", " host: a\r\n\r\n"),
            ("bare line feeds",                "host: a\n\n"),
        ] {
            check(name, format!("GET / HTTP/1.1\r\n{request}").as_bytes(), Refused(400)).await;
        }
    });
}

#[test]
#[rustfmt::skip]
fn there_is_one_host_and_it_is_one() {
    let request = |host: &str| format!("GET / HTTP/1.1\r\n{host}\r\n\r\n{SECOND}").into_bytes();
    each(request, &[
        ("host: a\r\nhost: a", 400), ("host: a\r\nhost: b", 400), ("host: a, b", 400), ("host: a b", 400), ("host: u@a", 400),
        ("host: a/x", 400), ("host: a?x", 400), ("host: a#x", 400), ("host: a:80:90", 400), ("host: a:8a", 400),
        ("host: a:", 400), ("host: a:99999", 400), ("host: ", 400), ("host: [::1", 400), ("host: [zz]", 400), ("host: a\\b", 400),
        ("host: \u{e9}", 400), ("x: no host", 400),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_start_line_is_method_target_and_version() {
    let request = |line: &str| format!("{line}\r\nhost: a\r\nconnection: close\r\n\r\n").into_bytes();
    each(request, &[
        ("GE(T / HTTP/1.1", 400), ("GET  / HTTP/1.1", 400), ("GET / HTTP/1.1 x", 400), ("GET /\tHTTP/1.1", 400), ("GET / a HTTP/1.1", 505),
        ("GET / HTTP/1.2", 505), ("GET / HTTP/2.0", 505), ("GET / http/1.1", 505), ("GET / HTTP/1", 505), ("GET / HTTP/1.0", 426),
        ("GET /", 400), ("GET", 400), ("GET /a#b HTTP/1.1", 400), ("GET /%zz HTTP/1.1", 400), ("GET /%00 HTTP/1.1", 400), ("GET /a%0 HTTP/1.1", 400),
        ("GET /\x01 HTTP/1.1", 400), ("GET a HTTP/1.1", 400), ("GET * HTTP/1.1", 400), ("GET ftp://a/ HTTP/1.1", 400),
        ("GET http://u@a/ HTTP/1.1", 400), ("GET http:///x HTTP/1.1", 400), ("CONNECT a:80 HTTP/1.1", 405),
    ]);
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let long = "a".repeat(64 * 1024);
    let many = "x: y\r\n".repeat(100);
    each(
        get,
        &[(&format!("x: {long}"), 431), (&format!("{many}z: y"), 431)],
    );
    run(async {
        let target = format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n");
        check("a long target", target.as_bytes(), Refused(431)).await;
    });
}

#[test]
#[rustfmt::skip]
fn what_is_odd_but_legal_passes_in_one_reading() {
    let rows: [(&str, &[u8], Expected); 9] = [
        ("an empty line in front",     b"\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",                               Passes("GET / HTTP/1.1\r\nhost: a\r\n")),
        ("names in upper case",        b"GET / HTTP/1.1\r\nHOST: a\r\nX-A: B\r\nConnection: Close\r\n\r\n",                         Passes("\r\nx-a: B\r\n")),
        ("white space around a value", b"GET / HTTP/1.1\r\nhost: \t a\t\r\nconnection:close\r\n\r\n",                               Passes("host: a\r\n")),
        ("an empty value",             b"GET / HTTP/1.1\r\nhost: a\r\nx:\r\nconnection: close\r\n\r\n",                             Passes("\r\nx: \r\n")),
        ("bytes above ASCII",          b"GET / HTTP/1.1\r\nhost: a\r\nx: \xc3\xa9\r\nconnection: close\r\n\r\n",                    Passes("x: \u{e9}\r\n")),
        ("a target with authority",    b"GET http://b.test/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",                     Passes("GET /x HTTP/1.1\r\nhost: b.test\r\n")),
        ("CHUNKED in upper case",      b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n", Passes("transfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("an upgrade to h2c",          b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: x\r\n\r\n", Passes("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-proto")),
        ("fields of this hop",         b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close, x-mine\r\nx-mine: 1\r\nkeep-alive: 5\r\nproxy-connection: x\r\n\r\n", Passes("GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-proto")),
    ];
    run(async {
        for (name, request, expected) in rows {
            check(name, request, expected).await;
        }
    });
}
