//! Parsing of what filters do on a route.

use super::check::{Fault, fault, optional, parts, positive, text};
use super::{Abort, Cors, Fault as Injection, Text};
use weft_api::networking::http_route as api;

/// Delays and errors on purpose.
pub(super) fn injection(
    at: &str,
    of: Option<&api::HttpFaultInjection>,
) -> Result<Option<Injection>, Fault> {
    let Some(of) = of else {
        return Ok(None);
    };
    let delay = match &of.delay {
        Some(delay) => {
            if delay.exponential_delay.is_some() {
                let field = format!("{at}.delay.exponentialDelay");
                return fault(field, "it is not supported", "use fixedDelay");
            }
            let field = format!("{at}.delay.fixedDelay");
            let time = positive(&field, delay.fixed_delay.as_deref().unwrap_or_default())?;
            let share = delay.percentage.or(delay.percent.map(whole));
            let field = format!("{at}.delay.percentage");
            Some((parts(&field, share.unwrap_or_default())?, time))
        }
        None => None,
    };
    let abort = match &of.abort {
        Some(abort) => {
            let share = abort.percentage.unwrap_or_default();
            let share = parts(&format!("{at}.abort.percentage"), share)?;
            Some((share, error(&format!("{at}.abort"), abort)?))
        }
        None => None,
    };
    Ok(Some(Injection { delay, abort }))
}

/// Whole percent, as old objects have it.
fn whole(percent: u32) -> api::Percent {
    api::Percent {
        value: percent.into(),
    }
}

fn error(at: &str, of: &api::Abort) -> Result<Abort, Fault> {
    if of.http2_error.is_some() {
        let remedy = "use httpStatus or grpcStatus";
        return fault(format!("{at}.http2Error"), "it is not supported", remedy);
    }
    match (of.http_status, of.grpc_status.as_deref()) {
        (Some(status @ 200..=599), None) => Ok(Abort::Http(status)),
        (None, Some(name)) => match grpc_status(name) {
            Some(status) => Ok(Abort::Grpc(status)),
            None => fault(
                format!("{at}.grpcStatus"),
                format!("`{name}` is not a status of gRPC"),
                "use a name such as UNAVAILABLE",
            ),
        },
        _ => fault(
            at,
            "it needs one status",
            "set httpStatus, 200 to 599, or grpcStatus",
        ),
    }
}

/// Source: gRPC `statuscodes.md`.
fn grpc_status(name: &str) -> Option<u32> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let position = NAMES.iter().position(|known| *known == name);
    position.and_then(|position| u32::try_from(position).ok())
}

/// Cross-origin rules.
pub(super) fn cors(at: &str, of: Option<&api::CorsPolicy>) -> Result<Option<Cors>, Fault> {
    let Some(of) = of else {
        return Ok(None);
    };
    let mut origins = Vec::new();
    for (index, origin) in of.allow_origins.iter().enumerate() {
        origins.extend(text(&format!("{at}.allowOrigins[{index}]"), origin)?);
    }
    let old = of.allow_origin.iter().cloned().map(Text::Exact);
    origins.extend(old);
    Ok(Some(Cors {
        origins,
        methods: of.allow_methods.clone(),
        headers: of.allow_headers.clone(),
        expose: of.expose_headers.clone(),
        max_age: optional(&format!("{at}.maxAge"), of.max_age.as_ref())?,
        credentials: of.allow_credentials,
        keeps_unmatched: of.unmatched_preflights == Some(api::UnmatchedPreflights::Ignore),
    }))
}
