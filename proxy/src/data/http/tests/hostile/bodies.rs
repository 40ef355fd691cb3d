use super::super::support::{run, text_of};
use super::Expected::{BrokenOff, Passes};
use super::{check, is_message, proxied};
use tokio::io::AsyncWriteExt;

fn chunked(body: &str) -> Vec<u8> {
    let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked";
    format!("{head}\r\n\r\n{body}").into_bytes()
}

#[test]
#[rustfmt::skip]
fn a_chunk_has_a_plain_size_and_ends_where_it_says() {
    let extension = format!("5;x={}\r\nhello\r\n0\r\n\r\n", "y".repeat(64 * 1024));
    let rows = [
        ("0x5",               "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a sign",            "+5\r\nhello\r\n0\r\n\r\n"),
        ("a negative size",   "-1\r\nhello\r\n0\r\n\r\n"),
        ("an underscore",     "0_5\r\nhello\r\n0\r\n\r\n"),
        ("a space before",    " 5\r\nhello\r\n0\r\n\r\n"),
        ("no size",           "\r\nhello\r\n0\r\n\r\n"),
        ("17 digits",         "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("zeros without end", "000000000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("a list",            "5,5\r\nhello\r\n0\r\n\r\n"),
        ("a bare line feed",  "5\nhello\r\n0\r\n\r\n"),
        ("one in extensions", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("a return there",    "5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("a NUL there",       "5;a\0\r\nhello\r\n0\r\n\r\n"),
        ("long extensions",   &extension),
        ("a short chunk",     "5\r\nhell\r\n0\r\n\r\n"),
        ("a long chunk",      "5\r\nhello!\r\n0\r\n\r\n"),
        ("a chunk ends in LF", "5\r\nhello\n0\r\n\r\n"),
        ("two wrong bytes",   "5\r\nhelloXX0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("the last in LF",    "5\r\nhello\r\n0\n\n"),
        ("a bad trailer",     "5\r\nhello\r\n0\r\nx y: 1\r\n\r\n"),
        ("a folded trailer",  "5\r\nhello\r\n0\r\nx: 1\r\n 2\r\n\r\n"),
    ];
    run(async {
        for (name, body) in rows {
            check(name, &chunked(body), BrokenOff(400)).await;
        }
    });
}

#[test]
#[rustfmt::skip]
fn a_chunked_body_is_framed_anew() {
    let rows = [
        ("several chunks",      "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        ("hex in both cases",   "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "a\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
        ("leading zeros",       "005\r\nhello\r\n000\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("extensions",          "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n",                  "\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("trailers",            "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",                    "0\r\nx-sum: 1\r\n\r\n"),
        ("a trailer that must not trail", "5\r\nhello\r\n0\r\nhost: b\r\ncontent-length: 9\r\nx-sum: 1\r\n\r\n", "0\r\nx-sum: 1\r\n\r\n"),
    ];
    run(async {
        for (name, body, seen) in rows {
            check(name, &chunked(body), Passes(seen)).await;
        }
    });
}

#[test]
fn a_body_that_ends_too_early_is_not_made_whole() {
    let fixed = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello".to_vec();
    run(async {
        for request in [fixed, chunked("5\r\nhel"), chunked("5\r\nhello\r\n")] {
            let (proxy, seen) = proxied().await;
            let mut client = proxy.connect().await;
            client.write_all(&request).await.unwrap();
            client.shutdown().await.unwrap();
            assert_eq!(text_of(&mut client).await, "");
            assert!(!is_message(&seen.borrow()), "{:?}", seen.borrow());
        }
    });
}
