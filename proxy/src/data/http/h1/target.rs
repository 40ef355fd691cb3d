//! Request targets and authorities (RFC 9112 §3.2, RFC 3986 §3.2).

/// Whether `text` is a path that may be forwarded: begins with `/`, visible ASCII, no fragment,
/// complete escapes, no escaped NUL.
pub fn is_path(text: &[u8]) -> bool {
    text.first() == Some(&b'/')
        && text.iter().all(|byte| is_target_byte(*byte))
        && escapes_are_complete(text)
}

fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

fn escapes_are_complete(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        match rest[at + 1..] {
            [b'0', b'0', ..] => return false,
            [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {}
            _ => return false,
        }
        rest = &rest[at + 3..];
    }
    true
}

/// Whether `text` is `host[:port]` without user information, zone or anything odd.
pub fn is_authority(text: &[u8]) -> bool {
    let (host, port) = split_port(text);
    !host.is_empty() && is_host(host) && port.is_none_or(is_port)
}

fn split_port(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let from = text.iter().position(|byte| *byte == b']').unwrap_or(0);
    match text[from..].iter().position(|byte| *byte == b':') {
        Some(at) => (&text[..from + at], Some(&text[from + at + 1..])),
        None => (text, None),
    }
}

fn is_port(text: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= 5
        && text.iter().all(u8::is_ascii_digit)
        && text
            .iter()
            .fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'))
            <= 65535
}

fn is_host(host: &[u8]) -> bool {
    if let Some(inner) = host.strip_prefix(b"[") {
        let Some(address) = inner.strip_suffix(b"]") else {
            return false;
        };
        return std::str::from_utf8(address)
            .is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
    }
    host.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b';'
                    | b'='
            )
    })
}

/// Host without port and without the root's dot; `[::1]` keeps its brackets.
pub fn host_of(authority: &str) -> &str {
    let (host, _) = split_port(authority.as_bytes());
    let host = &authority[..host.len()];
    host.strip_suffix('.')
        .filter(|rest| !rest.is_empty())
        .unwrap_or(host)
}

/// The authority and path of an absolute-form target.
pub fn split_absolute(target: &str) -> Option<(&'static str, &str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    let scheme = match scheme {
        s if s.eq_ignore_ascii_case("http") => "http",
        s if s.eq_ignore_ascii_case("https") => "https",
        _ => return None,
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some((scheme, &rest[..end], &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_and_a_port_and_nothing_else() {
        for good in [
            "a",
            "a.b:80",
            "reviews.shop.svc.cluster.local:9080",
            "10.0.0.1",
            "[::1]:8080",
            "[::1]",
            "a_b",
            "secret.com.",
        ] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            ":80",
            "u@a",
            "a/x",
            "a#x",
            "a:80:90",
            "a:8a",
            "a:",
            "a:65536",
            "a\0",
            "a b",
            "a,b",
            "[::1",
            "::1",
            "[fe80::1%eth0]",
            "a?b",
            "a\\b",
            "[]",
            "é",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_path_has_no_fragment_and_whole_escapes() {
        for good in [
            "/", "/a/b?c=d", "/%2F", "/a%252e", "/a\\b", "/a;b=c", "/{x}",
        ] {
            assert!(is_path(good.as_bytes()), "{good}");
        }
        for bad in [
            "", "a", "/a#b", "/%", "/%z1", "/%2", "/%00", "/a b", "/\x7f", "/é", "/a\tb",
        ] {
            assert!(!is_path(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn the_host_loses_port_and_root_dot() {
        for (authority, host) in [
            ("a:80", "a"),
            ("a.", "a"),
            ("a.:80", "a"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            (".", "."),
        ] {
            assert_eq!(host_of(authority), host);
        }
    }
}
