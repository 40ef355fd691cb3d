//! Route tables of servers that speak HTTP.

use super::ports::{Bound, Port};
use super::table_of;
use crate::route;
use std::collections::BTreeMap;
use weft_model::gateway::Speaks;
use weft_model::routing::VirtualService;
use weft_model::{Key, View};
use weft_proto::pb::envoy::config::route::v3 as pb;
use weft_proto::pb::envoy::config::route::v3::redirect_action::SchemeRewriteSpecifier;
use weft_proto::pb::envoy::config::route::v3::virtual_host::TlsRequirementType;

/// The tables of all servers of `port`.
pub(super) fn tables(view: &View, port: &Port<'_>) -> Vec<pb::RouteConfiguration> {
    let mut by_name: BTreeMap<String, Vec<&Bound<'_>>> = BTreeMap::new();
    for bound in &port.servers {
        if let Some(name) = table_of(bound, port) {
            by_name.entry(name).or_default().push(bound);
        }
    }
    let table = |(name, servers): (String, Vec<&Bound<'_>>)| {
        route::table(&name, hosts(view, &servers, port.address.1))
    };
    by_name.into_iter().map(table).collect()
}

/// What is done for one host.
#[derive(Default)]
struct Host {
    routes: Vec<pb::Route>,
    to_https: bool,
    /// VirtualServices whose routes are there, each for its Gateway.
    from: Vec<(Key, Key)>,
}

fn hosts(view: &View, servers: &[&Bound<'_>], port: u16) -> Vec<pb::VirtualHost> {
    let mut hosts: BTreeMap<String, Host> = BTreeMap::new();
    for bound in servers {
        let redirect = matches!(bound.server.speaks, Speaks::Http { redirect: true });
        for service in &view.routing {
            for name in common(bound, service) {
                let host = hosts.entry(name).or_default();
                host.to_https |= redirect;
                host.extend(view, bound, service);
            }
        }
        for own in bound.server.hosts.iter().filter(|_| redirect) {
            hosts.entry(own.host.to_string()).or_default().to_https = true;
        }
    }
    if hosts.is_empty() {
        return vec![pb::VirtualHost {
            name: format!("blackhole:{port}"),
            domains: vec!["*".to_owned()],
            ..Default::default()
        }];
    }
    let host = |(name, host): (String, Host)| host.named(name, port);
    hosts.into_iter().map(host).collect()
}

/// The hosts of `service` that the server has.
fn common(bound: &Bound<'_>, service: &VirtualService) -> Vec<String> {
    let Bound { gateway, server } = bound;
    if service.routes.is_empty() || !service.counts_for(&gateway.key) {
        return Vec::new();
    }
    let namespace = &service.key.namespace;
    let hosts = service.hosts.iter().flat_map(|host| {
        let own = server.hosts.iter();
        own.filter_map(|own| own.common(host, namespace))
    });
    let mut names: Vec<_> = hosts.map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    names
}

impl Host {
    fn extend(&mut self, view: &View, bound: &Bound<'_>, service: &VirtualService) {
        let from = (service.key.clone(), bound.gateway.key.clone());
        if self.from.contains(&from) {
            return;
        }
        let gateway = Some(&bound.gateway.key);
        self.routes
            .extend(route::routes(view, service, bound.server.number, gateway));
        self.from.push(from);
    }

    fn named(mut self, name: String, port: u16) -> pb::VirtualHost {
        // Those for everything come last, so that every VirtualService gets its share.
        self.routes.sort_by_key(is_for_everything);
        if self.to_https && self.routes.is_empty() {
            self.routes.push(to_https());
        }
        let requirement = match self.to_https {
            true => TlsRequirementType::All,
            false => TlsRequirementType::None,
        };
        pb::VirtualHost {
            name: format!("{name}:{port}"),
            domains: vec![name],
            routes: self.routes,
            require_tls: requirement.into(),
            include_request_attempt_count: true,
            ..Default::default()
        }
    }
}

fn is_for_everything(of: &pb::Route) -> bool {
    let plain = route::everything();
    of.r#match.as_ref().is_some_and(|it| {
        it.path_specifier == plain.path_specifier
            && it.headers.is_empty()
            && it.query_parameters.is_empty()
    })
}

fn to_https() -> pb::Route {
    let redirect = pb::RedirectAction {
        scheme_rewrite_specifier: Some(SchemeRewriteSpecifier::HttpsRedirect(true)),
        ..Default::default()
    };
    pb::Route {
        r#match: Some(route::everything()),
        action: Some(pb::route::Action::Redirect(redirect)),
        ..Default::default()
    }
}
