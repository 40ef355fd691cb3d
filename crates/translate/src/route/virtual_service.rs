//! Routes of VirtualServices.

use super::filters;
use super::forward::forward;
use super::headers::added;
use super::matches::{conditions, everything, regex};
use crate::value::istio_metadata;
use weft_model::routing::{
    Action, Forward, Match, Redirect, RedirectPort, Route, Text, VirtualService,
};
use weft_model::{Host, Key, View};
use weft_proto::pb::envoy::config::core::v3::{DataSource, Metadata, data_source::Specifier};
use weft_proto::pb::envoy::config::route::v3 as route;
use weft_proto::pb::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};
use weft_proto::pb::envoy::r#type::matcher::v3::RegexMatchAndSubstitute;
use weft_proto::typed_struct::{object, string};

/// The VirtualService with routes of requests to `host`.
pub(super) fn of_host<'a>(view: &'a View, host: &Host) -> Option<&'a VirtualService> {
    best(view, host, |service| !service.routes.is_empty())
}

/// The VirtualService of `host` among those that have what is asked for: an exact name before
/// wildcards, a longer one before a shorter, the oldest of equals.
pub(crate) fn best<'a>(
    view: &'a View,
    host: &Host,
    has: impl Fn(&VirtualService) -> bool,
) -> Option<&'a VirtualService> {
    let covering = |service: &'a VirtualService| {
        let hosts = service.hosts.iter().filter(|own| own.covers(host));
        hosts.map(|own| (!own.is_wildcard(), own.len())).max()
    };
    let services = view.routing.iter().filter(|service| has(service));
    let ranked = services.filter_map(|service| Some((covering(service)?, &**service)));
    // `max_by_key` takes the last of equals, and the oldest comes first.
    let best = ranked.rev().max_by_key(|(rank, _)| *rank);
    best.map(|(_, service)| service)
}

/// The routes of `service` for requests to `port` of a sidecar, or of a Gateway.
///
/// Where none matches, nothing is found: Istio does not add a default route either.
pub(crate) fn routes(
    view: &View,
    service: &VirtualService,
    port: u16,
    gateway: Option<&Key>,
) -> Vec<route::Route> {
    let mut routes = Vec::new();
    for own in &service.routes {
        if own.matches.is_empty() {
            routes.push(one(view, service, own, None, port));
            // Nothing can come to what follows.
            return routes;
        }
        let here = |each: &&Match| {
            each.port.is_none_or(|number| number == port)
                && gateway.is_none_or(|key| each.source.counts_for(key))
        };
        for each in own.matches.iter().filter(here) {
            routes.push(one(view, service, own, Some(each), port));
        }
    }
    routes
}

fn one(
    view: &View,
    service: &VirtualService,
    own: &Route,
    matches: Option<&Match>,
    port: u16,
) -> route::Route {
    let path = matches.map_or_else(|| "/*".to_owned(), described);
    let destination = match &own.action {
        Action::Forward(forward) if forward.destinations.len() == 1 => {
            forward.destinations[0].destination.host.to_string()
        }
        Action::Forward(_) | Action::Redirect(_) | Action::Respond { .. } => {
            service.key.name.clone()
        }
    };
    let mut route = route::Route {
        name: name(own, matches),
        r#match: Some(matches.map_or_else(everything, conditions)),
        metadata: Some(origin(&service.key)),
        decorator: Some(route::Decorator {
            operation: format!("{destination}:{port}{path}"),
            ..Default::default()
        }),
        typed_per_filter_config: filters::settings(own),
        request_headers_to_add: added(&own.headers.request),
        request_headers_to_remove: own.headers.request.remove.clone(),
        response_headers_to_add: added(&own.headers.response),
        response_headers_to_remove: own.headers.response.remove.clone(),
        action: Some(match &own.action {
            Action::Forward(of) => {
                route::route::Action::Route(forwarded(view, own, of, matches, port))
            }
            Action::Redirect(of) => route::route::Action::Redirect(redirect(of, port)),
            Action::Respond { status, body } => {
                route::route::Action::DirectResponse(respond(*status, body))
            }
        }),
        ..Default::default()
    };
    if let Action::Forward(of) = &own.action {
        add_single(&mut route, of);
    }
    route
}

/// The changes of a single destination stand on the route.
fn add_single(route: &mut route::Route, of: &Forward) {
    if let [only] = of.destinations.as_slice() {
        let headers = &only.headers;
        route.request_headers_to_add.extend(added(&headers.request));
        route
            .request_headers_to_remove
            .extend(headers.request.remove.clone());
        route
            .response_headers_to_add
            .extend(added(&headers.response));
        route
            .response_headers_to_remove
            .extend(headers.response.remove.clone());
    }
}

fn name(own: &Route, matches: Option<&Match>) -> String {
    let names = [&own.name, matches.map_or(&own.name, |each| &each.name)];
    let [route, each] = names;
    match matches.is_some() && !each.is_empty() && !route.is_empty() {
        true => format!("{route}.{each}"),
        false => route.clone(),
    }
}

/// How spans name what was called.
fn described(of: &Match) -> String {
    match &of.path {
        None => "/*".to_owned(),
        Some(Text::Exact(path)) => path.clone(),
        Some(Text::Prefix(prefix)) => format!("{prefix}*"),
        Some(Text::Regex(pattern)) => pattern.clone(),
    }
}

/// Where something comes from, for who reads the configuration.
pub(crate) fn origin(key: &Key) -> Metadata {
    let Key { namespace, name } = key;
    let group = "/apis/networking.istio.io/v1";
    let path = format!("{group}/namespaces/{namespace}/virtual-service/{name}");
    istio_metadata(object([("config", string(path))]))
}

fn forwarded(
    view: &View,
    own: &Route,
    of: &Forward,
    matches: Option<&Match>,
    port: u16,
) -> route::RouteAction {
    let mut action = forward(view, of, port);
    match (&of.path, matches.and_then(|each| each.path.as_ref())) {
        // The whole of a path that was matched as a pattern.
        (Some(path), Some(Text::Regex(_))) => action.regex_rewrite = Some(replace("^.*$", path)),
        (Some(path), _) => action.prefix_rewrite.clone_from(path),
        (None, _) => {}
    }
    if let Some((pattern, rewrite)) = &of.path_regex {
        action.regex_rewrite = Some(replace(pattern, rewrite));
    }
    let single = match of.destinations.as_slice() {
        [only] => only.headers.request.authority.clone(),
        _ => None,
    };
    let authority = of
        .authority
        .clone()
        .or(single)
        .or(own.headers.request.authority.clone());
    action.host_rewrite_specifier =
        authority.map(route::route_action::HostRewriteSpecifier::HostRewriteLiteral);
    action
}

fn replace(pattern: &str, substitution: &str) -> RegexMatchAndSubstitute {
    RegexMatchAndSubstitute {
        pattern: Some(regex(pattern)),
        substitution: substitution.to_owned(),
    }
}

fn redirect(of: &Redirect, called: u16) -> route::RedirectAction {
    let code = match of.code {
        302 => RedirectResponseCode::Found,
        303 => RedirectResponseCode::SeeOther,
        307 => RedirectResponseCode::TemporaryRedirect,
        308 => RedirectResponseCode::PermanentRedirect,
        _ => RedirectResponseCode::MovedPermanently,
    };
    let scheme = of.scheme.clone();
    let path = of.path.clone().map(PathRewriteSpecifier::PathRedirect);
    let prefix = of.prefix.clone().map(PathRewriteSpecifier::PrefixRewrite);
    route::RedirectAction {
        host_redirect: of.authority.clone().unwrap_or_default(),
        port_redirect: match of.port {
            RedirectPort::Default => 0,
            RedirectPort::Called => called.into(),
            RedirectPort::Number(port) => port.into(),
        },
        response_code: code.into(),
        scheme_rewrite_specifier: scheme.map(SchemeRewriteSpecifier::SchemeRedirect),
        path_rewrite_specifier: path.or(prefix),
        ..Default::default()
    }
}

fn respond(status: u16, body: &[u8]) -> route::DirectResponseAction {
    let specifier = match String::from_utf8(body.to_vec()) {
        Ok(text) => Specifier::InlineString(text),
        Err(bytes) => Specifier::InlineBytes(bytes.into_bytes()),
    };
    let body = (!body.is_empty()).then(|| DataSource {
        specifier: Some(specifier),
        ..Default::default()
    });
    route::DirectResponseAction {
        status: status.into(),
        body,
        ..Default::default()
    }
}
