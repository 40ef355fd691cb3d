//! What the first bytes of a connection are. Pure: bytes in, a guess or the wish for more out.
//!
//! Source: Envoy `tls_inspector` and `http_inspector`.

use crate::config::Transport;
use rustls::server::Acceptor;
use std::sync::Arc;

/// The longest beginning that detection reads: a ClientHello with a post-quantum share takes 2 KiB,
/// a request line may take 8 KiB.
pub const LONGEST: usize = 16 * 1024;
const LONGEST_LINE: usize = 8 * 1024;
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Which inspectors look.
#[derive(Clone, Copy, Debug)]
pub struct Inspectors {
    /// For a ClientHello.
    pub tls: bool,
    /// For HTTP.
    pub http: bool,
}

/// What filter chains are matched by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// TLS or not.
    pub transport: Transport,
    /// Server name, lower case.
    pub sni: Option<Arc<str>>,
    /// ALPN that the client offers, in its order; `h2c`, `http/1.1` or `http/1.0` in plaintext.
    pub protocols: Vec<Arc<str>>,
}

impl Default for Detected {
    /// What Envoy takes a connection for that nobody looked at.
    fn default() -> Self {
        Self {
            transport: Transport::Raw,
            sni: None,
            protocols: Vec::new(),
        }
    }
}

impl Detected {
    fn plain(protocol: Option<&str>) -> Self {
        Self {
            protocols: protocol.map(Arc::from).into_iter().collect(),
            ..Self::default()
        }
    }
}

/// What `bytes` are, or `None` if more of them are needed.
pub fn inspect(bytes: &[u8], inspectors: Inspectors) -> Option<Detected> {
    if inspectors.tls && is_tls(bytes)? {
        return client_hello(bytes);
    }
    if inspectors.http {
        http(bytes)
    } else {
        Some(Detected::default())
    }
}

/// What a beginning is that does not go on: a client that sends a part and waits for an answer does
/// not speak HTTP, unless it began with one of HTTP's own methods.
pub fn guess(bytes: &[u8]) -> Detected {
    const METHODS: [&[u8]; 9] = [
        b"GET ",
        b"HEAD ",
        b"POST ",
        b"PUT ",
        b"DELETE ",
        b"OPTIONS ",
        b"PATCH ",
        b"CONNECT ",
        b"TRACE ",
    ];
    if is_tls(bytes) == Some(true) {
        return Detected {
            transport: Transport::Tls,
            ..Detected::default()
        };
    }
    let http = METHODS.iter().any(|method| bytes.starts_with(method));
    Detected::plain(http.then_some("http/1.1"))
}

/// Whether more of `bytes` is sure to come: TLS does not wait in the middle of a ClientHello.
pub fn is_certain_to_go_on(bytes: &[u8]) -> bool {
    is_tls(bytes) == Some(true)
}

/// A handshake record of any TLS version (RFC 8446 §5.1).
fn is_tls(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [] | [0x16] => None,
        [0x16, 0x03, ..] => Some(true),
        [..] => Some(false),
    }
}

fn client_hello(bytes: &[u8]) -> Option<Detected> {
    let tls = |sni, protocols| Detected {
        transport: Transport::Tls,
        sni,
        protocols,
    };
    let mut acceptor = Acceptor::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        if acceptor.read_tls(&mut rest).is_err() {
            return Some(tls(None, Vec::new()));
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                let sni = hello
                    .server_name()
                    .map(|name| name.to_ascii_lowercase().into());
                let names = hello.alpn().into_iter().flatten();
                let names = names
                    .map(|name| String::from_utf8_lossy(name).into())
                    .collect();
                return Some(tls(sni, names));
            }
            // TLS that rustls would not speak may still be passed through.
            Err(_) => return Some(tls(None, Vec::new())),
        }
    }
    (bytes.len() >= LONGEST).then(|| tls(None, Vec::new()))
}

fn http(bytes: &[u8]) -> Option<Detected> {
    if bytes.starts_with(HTTP2_PREFACE) {
        return Some(Detected::plain(Some("h2c")));
    }
    if HTTP2_PREFACE.starts_with(bytes) {
        return None;
    }
    let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Some(Detected::default());
    }
    match bytes
        .iter()
        .take(LONGEST_LINE)
        .position(|byte| *byte == b'\n')
    {
        Some(end) => Some(Detected::plain(version(&bytes[..end]))),
        None if bytes.len() >= LONGEST_LINE => Some(Detected::plain(Some("http/1.1"))),
        None => None,
    }
}

fn version(line: &[u8]) -> Option<&'static str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.rsplit(|byte| *byte == b' ').next() {
        Some(b"HTTP/1.1") => Some("http/1.1"),
        Some(b"HTTP/1.0") => Some("http/1.0"),
        _ => None,
    }
}

/// RFC 9110 §5.6.2 `tchar`.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::ServerName;

    const BOTH: Inspectors = Inspectors {
        tls: true,
        http: true,
    };

    #[test]
    #[rustfmt::skip]
    fn plaintext_is_http_only_with_a_whole_request_line() {
        let raw = || Some(Detected::default());
        let is = |name| Some(Detected::plain(Some(name)));
        let table: [(&[u8], Option<Detected>); 12] = [
            (b"",                                   None),
            (b"P",                                  None),          // may become the preface
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",   is("h2c")),
            (b"GET / HTTP/1.1\r\n",                 is("http/1.1")),
            (b"MKCOL /a b HTTP/1.0\n",              is("http/1.0")),
            (b"GET / HT",                           None),
            (b"GET key\r\n",                        raw()),         // Redis, inline
            (b"*1\r\n$4\r\nPING\r\n",               raw()),         // Redis: '*' is a token, the line has no version
            (b"\0\0\0\x08\x04\xd2\x16\x2f",         raw()),         // PostgreSQL SSLRequest
            (b" GET / HTTP/1.1\r\n",                raw()),
            (b"\x16",                               None),
            (b"\x16\x02",                           raw()),
        ];
        for (bytes, expected) in table {
            assert_eq!(inspect(bytes, BOTH), expected, "{bytes:?}");
        }
        assert_eq!(inspect(b"x", Inspectors { tls: true, http: false }), raw());
    }

    #[test]
    fn a_client_hello_shows_its_name_and_protocols_once_it_is_whole() {
        let config = weft_identity::tls::plain_client(
            Arc::new(rustls::RootCertStore::empty()),
            &[b"istio-h2", b"istio"],
        );
        let name = ServerName::try_from("Reviews.Shop").unwrap();
        let mut client = rustls::ClientConnection::new(config, name).unwrap();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        assert!(hello.len() > 1200, "the offer has a post-quantum share");
        for end in 0..hello.len() {
            assert_eq!(inspect(&hello[..end], BOTH), None, "{end}");
        }
        let detected = inspect(&hello, BOTH).unwrap();
        assert_eq!(detected.transport, Transport::Tls);
        assert_eq!(detected.sni.as_deref(), Some("reviews.shop"));
        assert_eq!(detected.protocols, ["istio-h2".into(), "istio".into()]);
    }

    #[test]
    fn broken_tls_is_still_tls() {
        let detected = inspect(b"\x16\x03\x01\x00\x04\x09\x00\x00\x00", BOTH).unwrap();
        assert_eq!((detected.transport, detected.sni), (Transport::Tls, None));
    }
}
