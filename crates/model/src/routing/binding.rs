//! Whom a VirtualService, or one of its matches, is for.

use crate::objects::Key;
use std::collections::{BTreeMap, BTreeSet};
use weft_api::networking::selector::selects;

/// The name of all sidecars among those of gateways.
const MESH: &str = "mesh";

/// What routes count for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Binding {
    /// Every sidecar.
    Mesh,
    /// The proxies of this Gateway.
    Gateway(Key),
}

/// A proxy that asks for its routes.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Labels of its pod.
    pub labels: &'a BTreeMap<String, String>,
    /// The Gateways that it serves; `None` for a sidecar.
    pub gateways: Option<&'a BTreeSet<Key>>,
}

/// Which clients a match is for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Source {
    /// What it counts for; empty is all that its VirtualService counts for.
    pub bindings: Vec<Binding>,
    /// Namespace; `None` is any.
    pub namespace: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl Binding {
    /// What `names`, in an object of `namespace`, stand for: `mesh`, `gateway` or `namespace/gateway`.
    pub(super) fn parse(names: &[String], namespace: &str) -> Vec<Self> {
        let one = |name: &String| match name.split_once('/') {
            None if name == MESH => Self::Mesh,
            None | Some((".", _)) => {
                let name = name.strip_prefix("./").unwrap_or(name);
                Self::Gateway(Key::new(namespace, name))
            }
            Some((namespace, name)) => Self::Gateway(Key::new(namespace, name)),
        };
        names.iter().map(one).collect()
    }
}

impl Client<'_> {
    /// Whether it is one of those that `binding` stands for.
    pub fn is(&self, binding: &Binding) -> bool {
        match (binding, self.gateways) {
            (Binding::Mesh, gateways) => gateways.is_none(),
            (Binding::Gateway(key), Some(own)) => own.contains(key),
            (Binding::Gateway(_), None) => false,
        }
    }
}

impl Source {
    /// Whether it is for `client`. Where gateways are named, labels and namespace do not count.
    ///
    /// Source: Istio `pilot/pkg/networking/core/route/route.go`, `sourceMatchHTTP`.
    pub fn includes(&self, client: &Client<'_>) -> bool {
        if !self.bindings.is_empty() {
            return self.bindings.iter().any(|binding| client.is(binding));
        }
        let namespace = self.namespace.as_ref();
        namespace.is_none_or(|own| own == client.namespace) && selects(&self.labels, client.labels)
    }

    /// Whether it counts for the Gateway `key`.
    pub fn counts_for(&self, key: &Key) -> bool {
        let is = |binding: &Binding| matches!(binding, Binding::Gateway(own) if own == key);
        self.bindings.is_empty() || self.bindings.iter().any(is)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_mesh_stands_for_sidecars_and_others_for_gateways() {
        let names = ["mesh", "own", "other/its", "./here"].map(str::to_owned);
        let gateway = |namespace, name| Binding::Gateway(Key::new(namespace, name));
        let expected = [
            Binding::Mesh,
            gateway("shop", "own"),
            gateway("other", "its"),
            gateway("shop", "here"),
        ];
        assert_eq!(Binding::parse(&names, "shop"), expected);
    }

    #[test]
    fn a_match_that_names_gateways_asks_for_no_labels() {
        let labels = BTreeMap::from([("app".to_owned(), "edge".to_owned())]);
        let own = BTreeSet::from([Key::new("shop", "edge")]);
        let sidecar = Client {
            namespace: "shop",
            labels: &labels,
            gateways: None,
        };
        let gateway = Client {
            gateways: Some(&own),
            ..sidecar
        };
        let mut source = Source {
            labels: BTreeMap::from([("app".to_owned(), "cart".to_owned())]),
            ..Source::default()
        };
        assert!(!source.includes(&sidecar) && !source.includes(&gateway));
        source.bindings = Binding::parse(&["edge".to_owned()], "shop");
        assert!(!source.includes(&sidecar) && source.includes(&gateway));
        source.bindings.push(Binding::Mesh);
        assert!(source.includes(&sidecar));
    }
}
