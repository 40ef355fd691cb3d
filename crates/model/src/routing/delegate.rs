//! Delegation: a VirtualService that has some of its routes from another.
//!
//! Routes are put together as users write them, before they are parsed: what a delegate leaves out
//! is what its root says. Source: Istio `pilot/pkg/model/virtualservice.go` for what is merged how.

use super::Origin;
use super::destination::Place;
use crate::host::Host;
use std::collections::BTreeMap;
use weft_api::networking::http_route::{
    HeaderOperations, Headers, HttpMatch, HttpRoute, StringMatch,
};

/// The route of a delegate that stands at `origin`, with names that mean the same everywhere.
pub(super) fn qualified(of: &HttpRoute, place: &Place) -> HttpRoute {
    let mut route = of.clone();
    let several = route.route.iter_mut().map(|each| &mut each.destination);
    let copies = route.mirrors.iter_mut().map(|each| &mut each.destination);
    for to in several.chain(copies).chain(&mut route.mirror) {
        if !to.host.is_empty() {
            to.host = Host::resolve(&to.host, place.namespace, place.cluster_domain).to_string();
        }
    }
    for each in &mut route.matches {
        each.gateways = each
            .gateways
            .iter()
            .map(|name| gateway(name, place))
            .collect();
    }
    route
}

/// `mesh` and names with a namespace stay as they are.
fn gateway(name: &str, place: &Place) -> String {
    match name.contains('/') || name == "mesh" {
        true => name.to_owned(),
        false => format!("{}/{name}", place.namespace),
    }
}

/// The routes that `root` gives to `leaves`; `Err` names those that ask for what it does not send.
pub(super) fn merged(
    root: &HttpRoute,
    leaves: Vec<(Origin, HttpRoute)>,
) -> Vec<Result<(Origin, HttpRoute), Origin>> {
    let one = |(origin, leaf): (Origin, HttpRoute)| match matches(&root.matches, &leaf.matches) {
        Some(matches) => Ok((origin, with(root, leaf, matches))),
        None => Err(origin),
    };
    leaves.into_iter().map(one).collect()
}

fn with(root: &HttpRoute, leaf: HttpRoute, matches: Vec<HttpMatch>) -> HttpRoute {
    let answers = leaf.redirect.is_some() || leaf.direct_response.is_some();
    let forwards = |of: &HttpRoute| HttpRoute {
        rewrite: leaf.rewrite.clone().or(of.rewrite.clone()),
        fault: leaf.fault.clone().or(of.fault.clone()),
        timeout: leaf.timeout.clone().or(of.timeout.clone()),
        retries: leaf.retries.clone().or(of.retries.clone()),
        ..copies(of, &leaf)
    };
    // What is answered at once has no use for the way there.
    let own = if answers {
        leaf.clone()
    } else {
        forwards(root)
    };
    HttpRoute {
        name: joined(root.name.as_ref(), leaf.name.as_ref()),
        matches,
        headers: headers(root.headers.as_ref(), leaf.headers.as_ref()),
        cors_policy: leaf.cors_policy.clone().or(root.cors_policy.clone()),
        ..own
    }
}

/// `leaf` with the copies of `root` if it makes none itself.
fn copies(root: &HttpRoute, leaf: &HttpRoute) -> HttpRoute {
    if leaf.mirror.is_some() || !leaf.mirrors.is_empty() {
        return leaf.clone();
    }
    HttpRoute {
        mirror: root.mirror.clone(),
        mirror_percentage: root.mirror_percentage,
        mirror_percent: root.mirror_percent,
        mirrors: root.mirrors.clone(),
        ..leaf.clone()
    }
}

fn joined(root: Option<&String>, leaf: Option<&String>) -> Option<String> {
    let names: Vec<&str> = [root, leaf]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    Some(names.join("-")).filter(|name| !name.is_empty())
}

fn headers(root: Option<&Headers>, leaf: Option<&Headers>) -> Option<Headers> {
    let (Some(root), Some(leaf)) = (root, leaf) else {
        return root.or(leaf).cloned();
    };
    Some(Headers {
        request: operations(root.request.as_ref(), leaf.request.as_ref()),
        response: operations(root.response.as_ref(), leaf.response.as_ref()),
    })
}

fn operations(
    root: Option<&HeaderOperations>,
    leaf: Option<&HeaderOperations>,
) -> Option<HeaderOperations> {
    let (Some(root), Some(leaf)) = (root, leaf) else {
        return root.or(leaf).cloned();
    };
    Some(HeaderOperations {
        set: united(&root.set, &leaf.set),
        add: united(&root.add, &leaf.add),
        remove: [root.remove.clone(), leaf.remove.clone()].concat(),
    })
}

/// Both; of one name the second counts.
fn united<T: Clone>(one: &BTreeMap<String, T>, two: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    let mut all = one.clone();
    all.extend(two.clone());
    all
}

/// What both ask for: each pair of conditions in which the leaf's are narrower; `None` if there is
/// no such pair.
fn matches(roots: &[HttpMatch], leaves: &[HttpMatch]) -> Option<Vec<HttpMatch>> {
    if roots.is_empty() || leaves.is_empty() {
        return Some([roots, leaves].concat());
    }
    let pairs = leaves
        .iter()
        .flat_map(|leaf| roots.iter().map(move |root| (root, leaf)));
    let both: Vec<_> = pairs
        .filter_map(|(root, leaf)| narrowed(root, leaf))
        .collect();
    (!both.is_empty()).then_some(both)
}

/// `root` with the further conditions of `leaf`; `None` if `leaf` has wider or other ones.
fn narrowed(root: &HttpMatch, leaf: &HttpMatch) -> Option<HttpMatch> {
    let cased = root.uri.is_none() || leaf.uri.is_none();
    let same_case = cased || root.ignore_uri_case == leaf.ignore_uri_case;
    let labels = leaf.source_labels.iter();
    let mut labels =
        labels.map(|(key, value)| root.source_labels.get(key).is_none_or(|own| own == value));
    let mut gateways = leaf.gateways.iter();
    let gateways = root.gateways.is_empty() || gateways.all(|name| root.gateways.contains(name));
    if !(same_case && labels.all(|same| same) && gateways) {
        return None;
    }
    Some(HttpMatch {
        name: joined(root.name.as_ref(), leaf.name.as_ref()),
        uri: text(root.uri.as_ref(), leaf.uri.as_ref())?,
        scheme: text(root.scheme.as_ref(), leaf.scheme.as_ref())?,
        method: text(root.method.as_ref(), leaf.method.as_ref())?,
        authority: text(root.authority.as_ref(), leaf.authority.as_ref())?,
        headers: texts(&root.headers, &leaf.headers)?,
        without_headers: texts(&root.without_headers, &leaf.without_headers)?,
        query_params: texts(&root.query_params, &leaf.query_params)?,
        port: same(root.port, leaf.port)?,
        source_labels: united(&root.source_labels, &leaf.source_labels),
        source_namespace: same(root.source_namespace.clone(), leaf.source_namespace.clone())?,
        gateways: match leaf.gateways.is_empty() {
            true => root.gateways.clone(),
            false => leaf.gateways.clone(),
        },
        ignore_uri_case: root.ignore_uri_case || leaf.ignore_uri_case,
        stat_prefix: leaf.stat_prefix.clone().or(root.stat_prefix.clone()),
    })
}

/// Whichever is there; `None` if both are and differ.
fn same<T: PartialEq>(root: Option<T>, leaf: Option<T>) -> Option<Option<T>> {
    match (root, leaf) {
        (Some(root), Some(leaf)) => (root == leaf).then_some(Some(leaf)),
        (root, leaf) => Some(leaf.or(root)),
    }
}

fn texts(
    roots: &BTreeMap<String, StringMatch>,
    leaves: &BTreeMap<String, StringMatch>,
) -> Option<BTreeMap<String, StringMatch>> {
    let mut all = roots.clone();
    for (name, leaf) in leaves {
        let narrower = text(roots.get(name), Some(leaf))??;
        all.insert(name.clone(), narrower);
    }
    Some(all)
}

/// The narrower of two conditions on a text; the outer `None` if the leaf's is not narrower.
fn text(root: Option<&StringMatch>, leaf: Option<&StringMatch>) -> Option<Option<StringMatch>> {
    let (Some(wide), Some(narrow)) = (root, leaf) else {
        return Some(leaf.or(root).cloned());
    };
    let any = StringMatch::default();
    if *narrow == any {
        return Some(Some(wide.clone()));
    }
    let begins = |prefix: &String| {
        let text = narrow.exact.as_ref().or(narrow.prefix.as_ref());
        text.is_some_and(|text| text.starts_with(prefix.as_str()))
    };
    let inside = *wide == any || wide == narrow || wide.prefix.as_ref().is_some_and(begins);
    inside.then(|| Some(narrow.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> Option<StringMatch> {
        let (kind, value) = text.split_once(' ')?;
        let value = Some(value.to_owned());
        let mut condition = StringMatch::default();
        match kind {
            "exact" => condition.exact = value,
            "prefix" => condition.prefix = value,
            _ => condition.regex = value,
        }
        Some(condition)
    }

    #[test]
    #[rustfmt::skip]
    fn a_delegate_may_only_narrow_what_its_root_sends() {
        let table = [
            // root          delegate       both
            ("",             "",            Some("")),
            ("prefix /a",    "",            Some("prefix /a")),
            ("",             "exact /a",    Some("exact /a")),
            ("prefix /a",    "prefix /a/b", Some("prefix /a/b")),
            ("prefix /a",    "exact /ab",   Some("exact /ab")),
            ("prefix /a",    "prefix /b",   None),
            ("prefix /a/b",  "prefix /a",   None), // wider
            ("prefix /a",    "regex /a.*",  None), // nobody can tell
            ("exact /a",     "prefix /a",   None),
            ("exact /a",     "exact /a",    Some("exact /a")),
            ("regex /a.*",   "regex /a.*",  Some("regex /a.*")),
            ("regex /a.*",   "exact /ab",   None),
        ];
        for (root, leaf, both) in table {
            let found = text(condition(root).as_ref(), condition(leaf).as_ref());
            assert_eq!(found, both.map(condition), "{root} and {leaf}");
        }
    }
}
