//! Parsing of single HTTP routes.

use super::binding::{Binding, Source};
use super::check::{Fault, fault, header, line, optional, port, regex, text};
use super::destination::{Place, mirrors, of_requests};
use super::filters::{cors, injection};
use super::{Action, Forward, Match, Origin, Redirect, RedirectPort, Retries, Route, Text};
use super::{body, headers};
use std::collections::BTreeMap;
use weft_api::networking::http_route as api;

/// The route in `of`, which stands at `origin`.
pub(super) fn route(origin: Origin, of: &api::HttpRoute, place: &Place) -> Result<Route, Fault> {
    let at = origin.field.as_str();
    let mut matches = Vec::new();
    for (index, each) in of.matches.iter().enumerate() {
        matches.push(one_match(&format!("{at}.match[{index}]"), each, place)?);
    }
    let changes = headers::changes(&format!("{at}.headers"), of.headers.as_ref())?;
    let rewrite = of.rewrite.as_ref();
    headers::one_authority(at, rewrite.and_then(|it| it.authority.as_ref()), &changes)?;
    Ok(Route {
        name: of.name.clone().unwrap_or_default(),
        action: action(at, of, (&matches, place))?,
        headers: changes,
        fault: injection(&format!("{at}.fault"), of.fault.as_ref())?,
        cors: cors(&format!("{at}.corsPolicy"), of.cors_policy.as_ref())?,
        matches,
        origin,
    })
}

fn one_match(at: &str, of: &api::HttpMatch, place: &Place) -> Result<Match, Fault> {
    let path = match &of.uri {
        // Everything begins with nothing.
        Some(uri) if uri.prefix.as_deref() == Some("") => None,
        Some(uri) => text(&format!("{at}.uri"), uri)?,
        None => None,
    };
    let mut headers = texts(&format!("{at}.headers"), &of.headers, true)?;
    let pseudo = [
        (":scheme", &of.scheme),
        (":method", &of.method),
        (":authority", &of.authority),
    ];
    for (name, condition) in pseudo {
        if let Some(condition) = condition {
            let field = format!("{at}.{}", &name[1..]);
            headers.insert(name.to_owned(), text(&field, condition)?);
        }
    }
    Ok(Match {
        name: of.name.clone().unwrap_or_default(),
        path,
        ignore_case: of.ignore_uri_case,
        headers,
        without_headers: texts(&format!("{at}.withoutHeaders"), &of.without_headers, true)?,
        query: texts(&format!("{at}.queryParams"), &of.query_params, false)?,
        port: of
            .port
            .map(|number| port(&format!("{at}.port"), number))
            .transpose()?,
        source: Source {
            bindings: Binding::parse(&of.gateways, place.namespace),
            namespace: of.source_namespace.clone().filter(|name| !name.is_empty()),
            labels: of.source_labels.clone(),
        },
    })
}

fn texts(
    at: &str,
    of: &BTreeMap<String, api::StringMatch>,
    are_headers: bool,
) -> Result<BTreeMap<String, Option<Text>>, Fault> {
    let mut texts = BTreeMap::new();
    for (name, condition) in of {
        let field = format!("{at}[{name}]");
        if name.starts_with("@request.auth.") {
            let remedy = "match on a header field; RequestAuthentication is not supported yet";
            return fault(field, "claims of tokens are not matched", remedy);
        }
        let condition = text(&field, condition)?;
        let name = match are_headers {
            true => header(&field, name)?,
            false => line(&field, name)?,
        };
        texts.insert(name, condition);
    }
    Ok(texts)
}

fn action(
    at: &str,
    of: &api::HttpRoute,
    (matches, place): (&[Match], &Place),
) -> Result<Action, Fault> {
    let acts = of.redirect.is_some() || of.direct_response.is_some() || !of.route.is_empty();
    if of.delegate.is_some() && !acts {
        let remedy = "a delegate must have routes of its own; remove the second step";
        let field = format!("{at}.delegate");
        return fault(field, "delegates do not delegate", remedy);
    }
    let answers = of.redirect.is_some() || of.direct_response.is_some();
    if answers && (of.fault.is_some() || of.rewrite.is_some()) {
        let remedy = "remove fault and rewrite, or give it a route";
        return fault(at, "a request that is answered goes nowhere", remedy);
    }
    match (&of.redirect, &of.direct_response, of.route.is_empty()) {
        (Some(to), None, true) if of.delegate.is_none() => {
            redirect(&format!("{at}.redirect"), to, matches)
        }
        (None, Some(answer), true) if of.delegate.is_none() => {
            respond(&format!("{at}.directResponse"), answer)
        }
        (None, None, false) if of.delegate.is_none() => {
            Ok(Action::Forward(forward(at, of, place)?))
        }
        (None, None, true) => fault(at, "it does nothing", "add route with a destination"),
        _ => fault(
            at,
            "it does more than one thing",
            "keep one of route, redirect, directResponse and delegate",
        ),
    }
}

fn redirect(at: &str, of: &api::HttpRedirect, matches: &[Match]) -> Result<Action, Fault> {
    let code = of.redirect_code.filter(|code| *code != 0).unwrap_or(301);
    if ![301, 302, 303, 307, 308].contains(&code) {
        let message = format!("{code} is not a redirection");
        return fault(
            format!("{at}.redirectCode"),
            message,
            "use 301, 302, 303, 307 or 308",
        );
    }
    let prefix = one_line(&format!("{at}.prefixRewrite"), of.prefix_rewrite.as_ref())?;
    if prefix.is_some() && of.uri.is_some() {
        return fault(
            at,
            "the path is replaced twice",
            "keep one of uri and prefixRewrite",
        );
    }
    let by_prefix = |each: &Match| matches!(each.path, None | Some(Text::Prefix(_)));
    if prefix.is_some() && !matches.iter().all(by_prefix) {
        let remedy = "match uri by prefix, or use uri";
        return fault(
            format!("{at}.prefixRewrite"),
            "there is no prefix to replace",
            remedy,
        );
    }
    Ok(Action::Redirect(Redirect {
        path: one_line(&format!("{at}.uri"), of.uri.as_ref())?,
        prefix,
        authority: one_line(&format!("{at}.authority"), of.authority.as_ref())?,
        scheme: one_line(&format!("{at}.scheme"), of.scheme.as_ref())?,
        port: redirect_port(at, of)?,
        code,
    }))
}

fn redirect_port(at: &str, of: &api::HttpRedirect) -> Result<RedirectPort, Fault> {
    match (of.port, of.derive_port) {
        (Some(_), Some(_)) => fault(
            at,
            "the port is given twice",
            "keep one of port and derivePort",
        ),
        (Some(number), None) => Ok(RedirectPort::Number(port(&format!("{at}.port"), number)?)),
        (None, Some(api::DerivePort::FromRequestPort)) => Ok(RedirectPort::Called),
        (None, Some(api::DerivePort::FromProtocolDefault) | None) => Ok(RedirectPort::Default),
    }
}

fn respond(at: &str, of: &api::HttpDirectResponse) -> Result<Action, Fault> {
    let status = match of.status {
        200..=599 => u16::try_from(of.status).unwrap_or(500),
        other => {
            let message = format!("{other} is not a status of a response");
            return fault(format!("{at}.status"), message, "use 200 to 599");
        }
    };
    let body = body::of(&format!("{at}.body"), of.body.as_ref())?;
    Ok(Action::Respond { status, body })
}

fn forward(at: &str, of: &api::HttpRoute, place: &Place) -> Result<Forward, Fault> {
    let rewrite = of.rewrite.clone().unwrap_or_default();
    let path_regex = match &rewrite.uri_regex_rewrite {
        Some(rewrite) => {
            let field = format!("{at}.rewrite.uriRegexRewrite.match");
            Some((regex(&field, &rewrite.pattern)?, rewrite.rewrite.clone()))
        }
        None => None,
    };
    if path_regex.is_some() && rewrite.uri.is_some() {
        let remedy = "keep one of uri and uriRegexRewrite";
        return fault(
            format!("{at}.rewrite"),
            "the path is replaced twice",
            remedy,
        );
    }
    Ok(Forward {
        destinations: of_requests(at, &of.route, place)?,
        path: one_line(&format!("{at}.rewrite.uri"), rewrite.uri.as_ref())?,
        path_regex,
        authority: one_line(
            &format!("{at}.rewrite.authority"),
            rewrite.authority.as_ref(),
        )?,
        timeout: timeout(&format!("{at}.timeout"), of.timeout.as_ref())?,
        retries: of
            .retries
            .as_ref()
            .map(|retries| retry(&format!("{at}.retries"), retries))
            .transpose()?,
        mirrors: mirrors(at, of, place)?,
    })
}

/// What may be absent, which emptiness is too.
fn one_line(at: &str, text: Option<&String>) -> Result<Option<String>, Fault> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| line(at, text)).transpose()
}

/// Zero is no limit, as absence is.
fn timeout(at: &str, text: Option<&String>) -> Result<Option<std::time::Duration>, Fault> {
    let zero = |text: &&String| crate::duration::parse(text).is_some_and(|time| time.is_zero());
    optional(at, text.filter(|text| !zero(text)))
}

/// Who asks for retries and does not say when means this answer too, as Istio did up to 1.23.
const UNAVAILABLE: u32 = 503;

fn retry(at: &str, of: &api::HttpRetry) -> Result<Retries, Fault> {
    let mut codes = Vec::new();
    let mut conditions = Vec::new();
    let stated = of.retry_on.as_deref().unwrap_or_default().split(',');
    for word in stated.map(str::trim).filter(|word| !word.is_empty()) {
        match word.parse::<u32>() {
            Ok(code @ 100..=599) => codes.push(code),
            Ok(code) => {
                let message = format!("{code} is not a status");
                return fault(format!("{at}.retryOn"), message, "use 100 to 599");
            }
            Err(_) => conditions.push(word),
        }
    }
    let unstated = codes.is_empty() && conditions.is_empty();
    if !codes.is_empty() && !conditions.contains(&"retriable-status-codes") {
        conditions.push("retriable-status-codes");
    }
    Ok(Retries {
        attempts: u32::try_from(of.attempts).unwrap_or(0),
        per_try_timeout: timeout(&format!("{at}.perTryTimeout"), of.per_try_timeout.as_ref())?,
        conditions: conditions.join(","),
        codes: if unstated { vec![UNAVAILABLE] } else { codes },
        remote_localities: of.retry_remote_localities.unwrap_or(false),
        ignore_previous: of.retry_ignore_previous_hosts.unwrap_or(true),
        backoff: optional(&format!("{at}.backoff"), of.backoff.as_ref())?,
    })
}
