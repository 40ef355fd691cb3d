//! Which crate may use which: the table of ARCHITECTURE.md, compared with what Cargo sees.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{command, place};

/// Every crate of ours and the crates of ours that it may use. An arrow that is not here is a design change.
const LAYERS: [(&str, &[&str]); 17] = [
    ("weft-api", &[]),
    ("weft-identity", &[]),
    ("weft-telemetry", &[]),
    ("weft-proto", &[]),
    ("weft-xds", &["weft-proto"]),
    ("weft-model", &["weft-api", "weft-identity"]),
    ("weft-ca", &["weft-identity"]),
    (
        "weft-translate",
        &["weft-api", "weft-model", "weft-proto", "weft-identity"],
    ),
    (
        "weft-control",
        &[
            "weft-api",
            "weft-identity",
            "weft-translate",
            "weft-model",
            "weft-ca",
            "weft-xds",
            "weft-telemetry",
            "weft-proto",
        ],
    ),
    (
        "weft-proxy",
        &["weft-xds", "weft-proto", "weft-identity", "weft-telemetry"],
    ),
    ("weft-operator", &["weft-api", "weft-telemetry"]),
    (
        "weft-injector",
        &["weft-api", "weft-identity", "weft-telemetry"],
    ),
    (
        "weftctl",
        &[
            "weft-translate",
            "weft-model",
            "weft-api",
            "weft-injector",
            "weft-operator",
            "weft-telemetry",
        ],
    ),
    (
        "weft-testkit",
        &[
            "weft-api",
            "weft-identity",
            "weft-proto",
            "weft-xds",
            "weft-model",
            "weft-ca",
        ],
    ),
    ("weft-shop", &["weft-telemetry"]),
    ("weft-e2e", &["weft-api"]),
    ("xtask", &["weft-api"]),
];

/// What a crate must not reach, not even through another crate.
const WALLS: [(&str, &[&str]); 4] = [
    (
        "weft-proxy",
        &[
            "kube",
            "kube-client",
            "kube-core",
            "k8s-openapi",
            "weft-api",
            "weft-model",
        ],
    ),
    ("weft-model", &["tokio", "kube-client"]),
    // Not tokio: the crate of Envoy's messages brings tonic.
    ("weft-translate", &["kube-client"]),
    ("weft-ca", &["kube", "kube-client", "kube-core", "weft-xds"]),
];

/// Each package's name and the names of the packages that it uses when it is built, tests aside.
#[derive(Debug, Default)]
pub(super) struct Graph {
    arrows: BTreeMap<String, BTreeSet<String>>,
    /// All that is linked into a package built by itself, with the features that it asks for; the
    /// arrows have the features of the whole workspace.
    linked: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Graph {
    /// Asks Cargo.
    pub(super) fn of_the_workspace() -> Result<Self> {
        let mut cargo = command::words(
            "cargo metadata --format-version 1 --locked --filter-platform x86_64-unknown-linux-gnu",
        );
        let text = command::output(cargo.current_dir(place::repository()))?;
        let mut graph = Self::parse(&serde_json::from_str(&text)?)
            .context("cargo metadata has another form than expected")?;
        for (package, _) in WALLS {
            graph.linked.insert(package, linked(package)?);
        }
        Ok(graph)
    }

    fn parse(metadata: &Value) -> Option<Self> {
        let names: BTreeMap<&str, &str> = metadata["packages"]
            .as_array()?
            .iter()
            .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
            .collect();
        let mut graph = BTreeMap::<_, BTreeSet<_>>::new();
        for node in metadata["resolve"]["nodes"].as_array()? {
            let uses = graph
                .entry((*names.get(node["id"].as_str()?)?).to_owned())
                .or_default();
            let links = node["deps"]
                .as_array()?
                .iter()
                .filter(|dependency| is_linked(dependency));
            uses.extend(links.filter_map(|dependency| {
                Some((*names.get(dependency["pkg"].as_str()?)?).to_owned())
            }));
        }
        Some(Self {
            arrows: graph,
            ..Self::default()
        })
    }

    fn uses(&self, package: &str) -> impl Iterator<Item = &str> {
        self.arrows
            .get(package)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// Everything that a package uses, directly or not.
    fn reach<'a>(&'a self, package: &'a str) -> BTreeSet<&'a str> {
        if let Some(linked) = self.linked.get(package) {
            return linked.iter().map(String::as_str).collect();
        }
        let mut reached = BTreeSet::new();
        let mut open = vec![package];
        while let Some(next) = open.pop() {
            open.extend(self.uses(next).filter(|used| reached.insert(*used)));
        }
        reached
    }
}

fn linked(package: &str) -> Result<BTreeSet<String>> {
    let mut cargo = command::words(
        "cargo tree --locked --edges normal,no-proc-macro --prefix none --format {p} --package",
    );
    let text = command::output(cargo.arg(package).current_dir(place::repository()))?;
    let names = text.lines().filter_map(|line| line.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}

/// Neither a development nor a build dependency: what ends up in the program.
fn is_linked(dependency: &Value) -> bool {
    dependency["dep_kinds"]
        .as_array()
        .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
}

/// Each arrow and each reach that the tables forbid.
pub(super) fn check(graph: &Graph) -> Vec<String> {
    let mut complaints = Vec::new();
    let ours: BTreeMap<_, _> = LAYERS.into_iter().collect();
    for (package, allowed) in &ours {
        let arrows = graph
            .uses(package)
            .filter(|used| ours.contains_key(used) && !allowed.contains(used));
        complaints.extend(arrows.map(|used| {
            format!(
                "{package} → {used}: not in the table of layers (crates/xtask/src/tidy/layers.rs)"
            )
        }));
    }
    for (package, walls) in WALLS {
        let reach = graph.reach(package);
        let breaches = walls.iter().filter(|wall| reach.contains(*wall));
        complaints.extend(breaches.map(|wall| {
            format!("{package} reaches {wall}, which it must not, not even indirectly")
        }));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(arrows: &[(&str, &str)]) -> Graph {
        let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
        for (from, to) in arrows {
            graph
                .entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
        }
        Graph {
            arrows: graph,
            ..Graph::default()
        }
    }

    #[test]
    fn an_arrow_of_the_table_is_fine() {
        assert_eq!(
            check(&graph(&[("weft-xds", "weft-proto")])),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_arrow_upwards_is_named() {
        let complaints = check(&graph(&[("weft-proto", "weft-xds")]));
        assert!(
            complaints[0].starts_with("weft-proto → weft-xds"),
            "{complaints:?}"
        );
    }

    #[test]
    fn a_wall_is_not_passed_through_a_third_crate() {
        let complaints = check(&graph(&[("weft-proxy", "hyper"), ("hyper", "kube")]));
        assert_eq!(
            complaints,
            ["weft-proxy reaches kube, which it must not, not even indirectly"]
        );
    }

    #[test]
    fn what_only_tests_use_is_no_arrow() {
        let metadata = serde_json::json!({
            "packages": [{"id": "1", "name": "weft-proxy"}, {"id": "2", "name": "kube"}],
            "resolve": {"nodes": [{"id": "1", "deps": [{"pkg": "2", "dep_kinds": [{"kind": "dev"}]}]}]},
        });
        assert_eq!(
            check(&Graph::parse(&metadata).unwrap()),
            Vec::<String>::new()
        );
    }
}
