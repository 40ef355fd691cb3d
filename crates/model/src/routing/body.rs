//! Bodies of answers that proxies give themselves.

use super::check::{Fault, fault};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weft_api::networking::http_route::HttpBody;

/// The bytes of `of`.
pub(super) fn of(at: &str, of: Option<&HttpBody>) -> Result<Vec<u8>, Fault> {
    const LONGEST: usize = 1 << 20;
    let body = of.cloned().unwrap_or_default();
    let bytes = match (body.string, body.bytes) {
        (Some(_), Some(_)) => {
            return fault(at, "it is there twice", "keep one of string and bytes");
        }
        (text, None) => text.unwrap_or_default().into_bytes(),
        (None, Some(encoded)) => match STANDARD.decode(&encoded) {
            Ok(bytes) => bytes,
            Err(_) => {
                let remedy = "encode the bytes, or write text as string";
                return fault(format!("{at}.bytes"), "it is not base64", remedy);
            }
        },
    };
    match bytes.len() < LONGEST {
        true => Ok(bytes),
        false => fault(at, "it is too long", "use less than 1 MiB"),
    }
}
