//! What the HTTP server answers: what it saw, or what the caller asked it to do instead.
//!
//! | header | meaning |
//! |---|---|
//! | `x-echo-status` | answer with this status |
//! | `x-echo-host` | only the host of this name does what the other headers say |
//! | `x-echo-fail-first` | answer 503 to so many requests with the same `x-request-id`, then 200 |
//! | `x-echo-delay` | wait so many milliseconds first |

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::json;

/// How often each request was seen, by its `x-request-id`.
static SEEN: LazyLock<Mutex<HashMap<String, u32>>> = LazyLock::new(Mutex::default);

/// A page as an application's own metrics would be.
const METRICS: &str = "# TYPE echo_requests_total counter\necho_requests_total 1\n";

/// Answers one request.
pub(crate) async fn answer(
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/metrics" {
        return Ok(Response::new(Full::from(METRICS)));
    }
    let (head, body) = request.into_parts();
    let length = body.collect().await.map_or(0, |body| body.to_bytes().len());
    let host = host();
    let seen = json!({
        "host": host,
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "version": format!("{:?}", head.version),
        "headers": printed(&head.headers),
        "body_bytes": length,
    });
    let mut response = Response::new(Full::from(seen.to_string()));
    if text(&head.headers, "x-echo-host").is_none_or(|wanted| wanted == host) {
        tokio::time::sleep(Duration::from_millis(number(&head.headers, "x-echo-delay"))).await;
        *response.status_mut() = status(&head.headers);
    }
    Ok(response)
}

/// The name of this pod.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn printed(headers: &HeaderMap) -> BTreeMap<&str, String> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str(), value)
        })
        .collect()
}

fn status(headers: &HeaderMap) -> StatusCode {
    let times = number(headers, "x-echo-fail-first");
    if times > 0 && u64::from(count(text(headers, "x-request-id").unwrap_or_default())) <= times {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let asked = u16::try_from(number(headers, "x-echo-status")).unwrap_or_default();
    StatusCode::from_u16(asked).unwrap_or(StatusCode::OK)
}

/// Counts this sight of a request.
fn count(id: &str) -> u32 {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let times = seen.entry(id.to_owned()).or_default();
    *times += 1;
    *times
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &str) -> u64 {
    text(headers, name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
