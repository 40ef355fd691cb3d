//! Cross-origin requests: preflights are answered here, other answers get the fields that let the
//! browser hand them over. Source: Fetch standard §3.2, Envoy `CorsPolicy`.

use super::{Flight, all, falls_in};
use crate::config::{Cors, HttpFilterOverride, StringMatch};
use crate::data::http::fields::Fields;
use crate::data::http::head::Request;
use crate::data::http::local::Local;
use http::Method;
use std::sync::Arc;

/// Name under which routes carry their policy.
const NAME: &str = "envoy.filters.http.cors";

/// What a policy makes of a request.
#[derive(Debug, PartialEq)]
enum Decision {
    /// The browser may not read the answer; nothing is added.
    Unmatched,
    /// A preflight of a foreign origin that the application shall not see.
    Ignored,
    /// A preflight that these fields answer.
    Preflight(Fields),
    /// The answer gets these fields.
    Allowed(Fields),
}

/// Answers a preflight, or notes what the answer to the request gets.
pub(super) fn check(flight: &mut Flight<'_>) -> Option<Local> {
    let origin = flight.request.fields.text("origin")?;
    // As in Envoy, only what is forwarded has a policy.
    flight.matched.as_ref()?.forward()?;
    if origin.is_empty() {
        return None;
    }
    let cors = &policy(flight)?;
    if !falls_in(cors.enabled_per_million) {
        return None;
    }
    let stats = &flight.down.stats;
    let decision = decide(cors, origin, &flight.request);
    match decision {
        Decision::Unmatched | Decision::Ignored => stats.cors_origin_invalid.increment(),
        Decision::Preflight(_) | Decision::Allowed(_) => stats.cors_origin_valid.increment(),
    }
    match decision {
        Decision::Unmatched => None,
        Decision::Ignored => Some(Local::new(200, "", "cors_response")),
        Decision::Preflight(fields) => Some(Local {
            fields,
            ..Local::new(200, "", "cors_response")
        }),
        Decision::Allowed(fields) => {
            flight.promise(&fields);
            None
        }
    }
}

/// What the nearest policy leaves open, the next one says: Envoy goes by field.
fn policy(flight: &Flight<'_>) -> Option<Cors> {
    let mut policies = all(flight, NAME).map_while(|own| match own {
        HttpFilterOverride::Cors(cors) => Some(cors),
        HttpFilterOverride::Disabled
        | HttpFilterOverride::Fault(_)
        | HttpFilterOverride::Rbac(_)
        | HttpFilterOverride::LocalRateLimit(_) => None,
    });
    let nearest = Cors::clone(policies.next()?);
    Some(policies.fold(nearest, |near, far| completed(near, far)))
}

fn completed(near: Cors, far: &Cors) -> Cors {
    let text = |near: Arc<str>, far: &Arc<str>| {
        if near.is_empty() {
            Arc::clone(far)
        } else {
            near
        }
    };
    Cors {
        origins: match near.origins.is_empty() {
            true => far.origins.clone(),
            false => near.origins,
        },
        methods: text(near.methods, &far.methods),
        headers: text(near.headers, &far.headers),
        expose: text(near.expose, &far.expose),
        max_age: text(near.max_age, &far.max_age),
        credentials: near.credentials.or(far.credentials),
        forward_unmatched_preflight: near
            .forward_unmatched_preflight
            .or(far.forward_unmatched_preflight),
        enabled_per_million: near.enabled_per_million,
    }
}

fn decide(cors: &Cors, origin: &str, request: &Request) -> Decision {
    let asks = "access-control-request-method";
    let preflight = request.method == Method::OPTIONS
        && request
            .fields
            .get(asks)
            .is_some_and(|method| !method.is_empty());
    // As in Envoy, a condition that `*` meets is met by every origin.
    let meets = |wanted: &StringMatch| wanted.matches("*") || wanted.matches(origin);
    let allowed = cors.origins.iter().any(meets);
    match (allowed, preflight) {
        (false, true) if cors.forward_unmatched_preflight == Some(false) => Decision::Ignored,
        (false, _) => Decision::Unmatched,
        (true, true) => Decision::Preflight(fields(
            cors,
            origin,
            &[
                ("access-control-allow-methods", &cors.methods),
                ("access-control-allow-headers", &cors.headers),
                ("access-control-max-age", &cors.max_age),
                ("access-control-expose-headers", &cors.expose),
            ],
        )),
        (true, false) => Decision::Allowed(fields(
            cors,
            origin,
            &[("access-control-expose-headers", &cors.expose)],
        )),
    }
}

fn fields(cors: &Cors, origin: &str, more: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    fields.push("access-control-allow-origin", origin.as_bytes());
    if cors.credentials == Some(true) {
        fields.push("access-control-allow-credentials", b"true");
    }
    for (name, value) in more.iter().filter(|(_, value)| !value.is_empty()) {
        fields.push(name, value.as_bytes());
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, asks: &str) -> Request {
        Request {
            method,
            fields: [("access-control-request-method", asks)]
                .into_iter()
                .collect(),
            ..Request::default()
        }
    }

    #[test]
    #[rustfmt::skip]
    fn origin_and_method_decide_what_a_request_is() {
        let origins = vec![StringMatch::Exact("https://a.test".into(), false)];
        let policy = Cors { origins, forward_unmatched_preflight: Some(false), ..Cors::default() };
        let forwarding = Cors { forward_unmatched_preflight: None, ..policy.clone() };
        let open = Cors { origins: vec![StringMatch::Exact("*".into(), false)], ..Cors::default() };
        let granted = || fields(&policy, "https://a.test", &[]);
        for (cors, origin, method, asks, expected) in [
            (&policy,     "https://a.test", Method::OPTIONS, "PUT", Decision::Preflight(granted())),
            (&policy,     "https://a.test", Method::OPTIONS, "",    Decision::Allowed(granted())), // no preflight
            (&policy,     "https://a.test", Method::GET,     "PUT", Decision::Allowed(granted())),
            (&policy,     "https://b.test", Method::OPTIONS, "PUT", Decision::Ignored),
            (&forwarding, "https://b.test", Method::OPTIONS, "PUT", Decision::Unmatched),
            (&policy,     "https://b.test", Method::GET,     "",    Decision::Unmatched),
            (&open,       "https://b.test", Method::GET,     "",    Decision::Allowed(fields(&open, "https://b.test", &[]))),
        ] {
            assert_eq!(decide(cors, origin, &request(method.clone(), asks)), expected, "{origin} {method} {asks}");
        }
    }
}
