//! Parsing of single HTTP routes.

use super::check::{
    Fault, fault, header, line, optional, parts, port, regex, text, value as check_value,
};
use super::filters::{cors, injection};
use super::{
    Action, Destination, Forward, HeaderChanges, Match, Operations, Redirect, Retries, Route,
    Source, Text, Weighted,
};
use crate::host::Host;
use std::collections::BTreeMap;
use weft_api::networking::http_route as api;
use weft_api::networking::virtual_service::Destination as ApiDestination;

/// Where names without dots are looked for.
pub(super) struct Place<'a> {
    pub(super) namespace: &'a str,
    pub(super) cluster_domain: &'a str,
}

/// The route in `of`, which stands at `at`; `None` if it is for gateways only.
pub(super) fn route(at: &str, of: &api::HttpRoute, place: &Place) -> Result<Option<Route>, Fault> {
    let mut matches = Vec::new();
    for (index, each) in of.matches.iter().enumerate() {
        matches.extend(one_match(&format!("{at}.match[{index}]"), each)?);
    }
    if matches.is_empty() && !of.matches.is_empty() {
        return Ok(None);
    }
    Ok(Some(Route {
        name: of.name.clone().unwrap_or_default(),
        action: action(at, of, place)?,
        headers: headers(&format!("{at}.headers"), of.headers.as_ref())?,
        fault: injection(&format!("{at}.fault"), of.fault.as_ref())?,
        cors: cors(&format!("{at}.corsPolicy"), of.cors_policy.as_ref())?,
        matches,
    }))
}

/// `None` if it is for gateways only.
fn one_match(at: &str, of: &api::HttpMatch) -> Result<Option<Match>, Fault> {
    if !of.gateways.is_empty() && !of.gateways.iter().any(|name| name == "mesh") {
        return Ok(None);
    }
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
    Ok(Some(Match {
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
            namespace: of.source_namespace.clone().filter(|name| !name.is_empty()),
            labels: of.source_labels.clone(),
        },
    }))
}

fn texts(
    at: &str,
    of: &BTreeMap<String, api::StringMatch>,
    are_headers: bool,
) -> Result<BTreeMap<String, Option<Text>>, Fault> {
    let mut texts = BTreeMap::new();
    for (name, condition) in of {
        let field = format!("{at}[{name}]");
        let condition = text(&field, condition)?;
        let name = match are_headers {
            true => header(&field, name)?,
            false => line(&field, name)?,
        };
        texts.insert(name, condition);
    }
    Ok(texts)
}

fn action(at: &str, of: &api::HttpRoute, place: &Place) -> Result<Action, Fault> {
    if of.delegate.is_some() {
        return fault(
            format!("{at}.delegate"),
            "delegation is not supported",
            "write the routes into this object",
        );
    }
    match (&of.redirect, &of.direct_response, of.route.is_empty()) {
        (Some(to), None, true) => redirect(&format!("{at}.redirect"), to),
        (None, Some(answer), true) => respond(&format!("{at}.directResponse"), answer),
        (None, None, false) => Ok(Action::Forward(forward(at, of, place)?)),
        (None, None, true) => fault(at, "it does nothing", "add route with a destination"),
        _ => fault(
            at,
            "it does more than one thing",
            "keep one of route, redirect and directResponse",
        ),
    }
}

fn redirect(at: &str, of: &api::HttpRedirect) -> Result<Action, Fault> {
    let code = of.redirect_code.filter(|code| *code != 0).unwrap_or(301);
    if ![301, 302, 303, 307, 308].contains(&code) {
        let message = format!("{code} is not a redirection");
        return fault(
            format!("{at}.redirectCode"),
            message,
            "use 301, 302, 303, 307 or 308",
        );
    }
    Ok(Action::Redirect(Redirect {
        path: one_line(&format!("{at}.uri"), of.uri.as_ref())?,
        authority: one_line(&format!("{at}.authority"), of.authority.as_ref())?,
        scheme: one_line(&format!("{at}.scheme"), of.scheme.as_ref())?,
        port: of.port,
        code,
    }))
}

fn respond(at: &str, of: &api::HttpDirectResponse) -> Result<Action, Fault> {
    const LONGEST: usize = 1 << 20;
    let status = match of.status {
        200..=599 => u16::try_from(of.status).unwrap_or(500),
        other => {
            let message = format!("{other} is not a status of a response");
            return fault(format!("{at}.status"), message, "use 200 to 599");
        }
    };
    let body = of.body.clone().unwrap_or_default();
    if body.bytes.is_some() {
        let remedy = "write the body as string";
        return fault(
            format!("{at}.body.bytes"),
            "bytes are not supported",
            remedy,
        );
    }
    let body = body.string.unwrap_or_default();
    match body.len() < LONGEST {
        true => Ok(Action::Respond { status, body }),
        false => fault(
            format!("{at}.body"),
            "it is too long",
            "use less than 1 MiB",
        ),
    }
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
        destinations: destinations(at, &of.route, place)?,
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

fn destinations(
    at: &str,
    of: &[api::HttpDestination],
    place: &Place,
) -> Result<Vec<Weighted>, Fault> {
    let mut all = Vec::new();
    for (index, each) in of.iter().enumerate() {
        let at = format!("{at}.route[{index}]");
        // A single destination gets everything, whatever its weight.
        let weight = if of.len() == 1 {
            1
        } else {
            each.weight.unwrap_or(0)
        };
        let Ok(weight) = u32::try_from(weight) else {
            let message = format!("{weight} is not a weight");
            return fault(format!("{at}.weight"), message, "use zero or more");
        };
        let weighted = Weighted {
            destination: destination(&format!("{at}.destination"), &each.destination, place)?,
            weight,
            headers: headers(&format!("{at}.headers"), each.headers.as_ref())?,
        };
        all.extend(Some(weighted).filter(|_| weight > 0));
    }
    match all.is_empty() {
        false => Ok(all),
        true => fault(
            format!("{at}.route"),
            "all weights are zero",
            "give a destination a weight",
        ),
    }
}

fn destination(at: &str, of: &ApiDestination, place: &Place) -> Result<Destination, Fault> {
    if of.host.is_empty() {
        return fault(format!("{at}.host"), "it is empty", "name a service");
    }
    let number = of.port.map(|port| port.number);
    Ok(Destination {
        host: Host::resolve(&of.host, place.namespace, place.cluster_domain),
        subset: of.subset.clone().unwrap_or_default(),
        port: number
            .map(|number| port(&format!("{at}.port.number"), number))
            .transpose()?,
    })
}

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
    if !codes.is_empty() && !conditions.contains(&"retriable-status-codes") {
        conditions.push("retriable-status-codes");
    }
    Ok(Retries {
        attempts: u32::try_from(of.attempts).unwrap_or(0),
        per_try_timeout: timeout(&format!("{at}.perTryTimeout"), of.per_try_timeout.as_ref())?,
        conditions: conditions.join(","),
        codes,
        remote_localities: of.retry_remote_localities.unwrap_or(false),
        ignore_previous: of.retry_ignore_previous_hosts.unwrap_or(true),
        backoff: optional(&format!("{at}.backoff"), of.backoff.as_ref())?,
    })
}

fn mirrors(at: &str, of: &api::HttpRoute, place: &Place) -> Result<Vec<(Destination, u32)>, Fault> {
    const ALL: api::Percent = api::Percent { value: 100.0 };
    let single = of.mirror.iter().map(|to| (to, of.mirror_percentage));
    let several = of
        .mirrors
        .iter()
        .map(|each| (&each.destination, each.percentage));
    let mut mirrors = Vec::new();
    for (to, percent) in single.chain(several) {
        let to = destination(&format!("{at}.mirror"), to, place)?;
        let field = format!("{at}.mirrorPercentage");
        mirrors.push((to, parts(&field, percent.unwrap_or(ALL))?));
    }
    Ok(mirrors)
}

fn headers(at: &str, of: Option<&api::Headers>) -> Result<HeaderChanges, Fault> {
    let Some(of) = of else {
        return Ok(HeaderChanges::default());
    };
    Ok(HeaderChanges {
        request: operations(&format!("{at}.request"), of.request.as_ref(), true)?,
        response: operations(&format!("{at}.response"), of.response.as_ref(), false)?,
    })
}

fn operations(
    at: &str,
    of: Option<&api::HeaderOperations>,
    is_request: bool,
) -> Result<Operations, Fault> {
    let Some(of) = of else {
        return Ok(Operations::default());
    };
    let mut operations = Operations::default();
    for (name, value) in &of.set {
        let is_host = name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority");
        if is_request && is_host {
            operations.authority = Some(line(&format!("{at}.set[{name}]"), value)?);
            continue;
        }
        let field = format!("{at}.set[{name}]");
        let value = check_value(&field, value)?;
        operations.set.insert(header(&field, name)?, value);
    }
    for (name, value) in &of.add {
        let field = format!("{at}.add[{name}]");
        let value = check_value(&field, value)?;
        operations.add.insert(header(&field, name)?, value);
    }
    for name in &of.remove {
        operations
            .remove
            .push(header(&format!("{at}.remove"), name)?);
    }
    Ok(operations)
}
