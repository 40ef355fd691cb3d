//! The names under which clients call a Service.

use weft_model::service::{Registry, Service};
use weft_model::{Key, View};

/// Domains of the virtual host of `service`, as a proxy in `view` may write them.
///
/// Ports in `:authority` are ignored when matching, so that none is listed.
pub(crate) fn domains(view: &View, service: &Service) -> Vec<String> {
    let mut domains = match service.registry {
        Registry::Kubernetes => of_name(view, &service.key, &service.host),
        Registry::Entry { .. } => with_final_dot(&service.host),
    };
    for (key, host) in &service.aliases {
        domains.extend(of_name(view, key, host));
    }
    let wildcards = service.is_headless().then(|| {
        // The pods of a StatefulSet have names of their own below that of its Service.
        let names = domains.iter().filter(|name| name.contains('.'));
        names.map(|name| format!("*.{name}")).collect::<Vec<_>>()
    });
    domains.extend(wildcards.into_iter().flatten());
    let addresses = view.addresses(service).into_iter().map(|ip| match ip {
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
    });
    domains.extend(addresses);
    domains
}

/// `reviews.shop.svc.cluster.local`, with and without the final dot, and what a resolver of the
/// proxy's own namespace would complete to it.
fn of_name(view: &View, key: &Key, host: &str) -> Vec<String> {
    let Key { namespace, name } = key;
    let mut names = with_final_dot(host);
    if *namespace == view.namespace {
        names.push(name.clone());
    }
    names.push(format!("{name}.{namespace}"));
    names.push(format!("{name}.{namespace}.svc"));
    names
}

fn with_final_dot(host: &str) -> Vec<String> {
    let host = host.trim_end_matches('.');
    vec![host.to_owned(), format!("{host}.")]
}
