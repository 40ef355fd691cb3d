//! One form for every path before anything decides by it (RFC 3986 §6.2.2).

use crate::config::{EscapedSlashes, Hcm};
use std::borrow::Cow;

/// What to do with a request because of escaped slashes in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escaped {
    /// Go on.
    Fine,
    /// Answer 400.
    Reject,
    /// Redirect to the path as it is now.
    Redirect,
}

/// Brings the path of `target` into the form that `hcm` asks for. The query is left alone.
pub fn normalize(hcm: &Hcm, target: &mut String) -> Escaped {
    let length = target.find('?').unwrap_or(target.len());
    let path = &target[..length];
    if !path.starts_with('/') {
        return Escaped::Fine;
    }
    let mut verdict = Escaped::Fine;
    let mut new = Cow::Borrowed(path);
    let has_escaped = hcm.escaped_slashes != EscapedSlashes::Keep && has_escaped_slash(path);
    match hcm.escaped_slashes {
        EscapedSlashes::Reject if has_escaped => return Escaped::Reject,
        EscapedSlashes::Redirect | EscapedSlashes::Forward if has_escaped => {
            new = Cow::Owned(unescape_slashes(path));
            if hcm.escaped_slashes == EscapedSlashes::Redirect {
                verdict = Escaped::Redirect;
            }
        }
        EscapedSlashes::Keep
        | EscapedSlashes::Reject
        | EscapedSlashes::Redirect
        | EscapedSlashes::Forward => {}
    }
    if hcm.normalize_path && needs_normal_form(&new) {
        new = Cow::Owned(normal_form(&new));
    }
    if hcm.merge_slashes && new.contains("//") {
        new = Cow::Owned(merged(&new));
    }
    if let Cow::Owned(new) = new {
        target.replace_range(..length, &new);
    }
    verdict
}

fn has_escaped_slash(path: &str) -> bool {
    path.as_bytes().windows(3).any(is_escaped_slash)
}

fn is_escaped_slash(escape: &[u8]) -> bool {
    [b"%2f", b"%5c"]
        .iter()
        .any(|slash| escape.eq_ignore_ascii_case(*slash))
}

fn unescape_slashes(path: &str) -> String {
    let mut new = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.as_bytes().windows(3).position(is_escaped_slash) {
        new.push_str(&rest[..at]);
        new.push(if rest.as_bytes()[at + 1] == b'2' {
            '/'
        } else {
            '\\'
        });
        rest = &rest[at + 3..];
    }
    new.push_str(rest);
    new
}

/// A quick look that spares most paths the work.
fn needs_normal_form(path: &str) -> bool {
    path.contains("/.") || path.contains(['%', '\\'])
}

fn normal_form(path: &str) -> String {
    let path = decode_unreserved(&path.replace('\\', "/"));
    let mut segments: Vec<&str> = Vec::new();
    let mut directory = false;
    for segment in path.split('/').skip(1) {
        directory = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut new = String::with_capacity(path.len());
    for segment in &segments {
        new.push('/');
        new.push_str(segment);
    }
    if directory || new.is_empty() {
        new.push('/');
    }
    new
}

/// Decodes escapes of letters, digits and `-._~`; the others are written in upper case.
fn decode_unreserved(path: &str) -> String {
    let mut new = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        new.push_str(&rest[..at]);
        let escape = rest.get(at..at + 3).unwrap_or(&rest[at..]);
        match escape
            .get(1..)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                new.push(char::from(byte));
            }
            _ => new.push_str(&escape.to_ascii_uppercase()),
        }
        rest = &rest[at + escape.len()..];
    }
    new.push_str(rest);
    new
}

fn merged(path: &str) -> String {
    let mut new = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !new.ends_with('/') {
            new.push(character);
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_normal_form() {
        for (path, expected) in [
            ("/app/../admin", "/admin"),
            ("/app/%2E./admin", "/admin"),
            ("/app/%2e%2E/admin", "/admin"),
            ("/app\\admin", "/app/admin"),
            ("/%61dmin", "/admin"),
            ("/a/./b/.", "/a/b/"),
            ("/..", "/"),
            ("/%252e%252e/admin", "/%252e%252e/admin"),
            ("/a%2fb", "/a%2Fb"),
            ("/%c0%ae", "/%C0%AE"),
        ] {
            assert_eq!(normal_form(path), expected, "{path}");
        }
    }

    #[test]
    fn slashes_are_merged_and_unescaped() {
        assert_eq!(merged("///admin//x"), "/admin/x");
        assert_eq!(unescape_slashes("/%2Fadmin%5cx"), "//admin\\x");
    }
}
