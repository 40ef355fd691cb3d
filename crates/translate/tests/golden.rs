//! Each folder of `golden/` is a rule: `in.yaml` is what a user writes, `out.json` what the proxy
//! named in its head is told. `# show:` picks the resources that the rule is about, by
//! `type/name`, where the name may end in `*`; `# policies:` shows the RBAC filters of the inbound
//! listener, once each; `# role: router` is a proxy at the edge, and keys are not shown.
#![allow(clippy::unwrap_used, reason = "tests panic")]

use serde_json::{Map, Value, json};
use std::path::Path;
use weft_model::{Node, Problem, Role, Snapshot};
use weft_testkit::golden::{cases, difference, header};
use weft_translate::{Resources, resources};

#[test]
fn proxies_are_told_what_the_golden_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let cases = cases(&root);
    assert!(cases.len() >= 25, "only {} cases were found", cases.len());
    let differences: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            let yaml = std::fs::read_to_string(case.join("in.yaml")).unwrap();
            difference(&case.join("out.json"), &told(&yaml))
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn told(yaml: &str) -> String {
    let (snapshot, mut problems) = Snapshot::build(&weft_testkit::objects(yaml));
    let (resources, found) = resources(&snapshot.view(&node(yaml)));
    problems.extend(found);
    let patterns = header(yaml, "show");
    let mut told = json!({
        "problems": problems.iter().map(Problem::to_string).collect::<Vec<_>>(),
        "names": names(&resources),
        "resources": shown(&resources, &patterns),
    });
    if !header(yaml, "policies").is_empty() {
        let told = told.as_object_mut().unwrap();
        told.retain(|key, _| key == "problems");
        told.insert("policies".into(), policies(&resources));
    }
    serde_json::to_string_pretty(&told).unwrap() + "\n"
}

fn node(yaml: &str) -> Node {
    let (namespace, pod) = header(yaml, "proxy")[0].split_once('/').unwrap();
    let envoy = !header(yaml, "envoy").is_empty();
    let captures = !header(yaml, "captures-dns").is_empty();
    let version = ("WEFT_VERSION".to_owned(), "0.1.0".to_owned());
    let capture = ("DNS_CAPTURE".to_owned(), "true".to_owned());
    Node {
        namespace: namespace.into(),
        pod: pod.into(),
        role: match header(yaml, "role").is_empty() {
            true => Role::Sidecar,
            false => Role::Router,
        },
        metadata: [(!envoy).then_some(version), captures.then_some(capture)]
            .into_iter()
            .flatten()
            .collect(),
        ..Node::default()
    }
}

/// The last word of a type URL: `Cluster`.
fn kind(url: &str) -> &str {
    url.rsplit('.').next().unwrap()
}

fn names(resources: &Resources) -> Value {
    let mut names = Map::new();
    for (url, named) in resources.types() {
        let list: Vec<_> = named.keys().map(ToString::to_string).collect();
        names.insert(kind(url).into(), json!(list));
    }
    Value::Object(names)
}

fn shown(resources: &Resources, patterns: &[&str]) -> Value {
    let mut shown = Map::new();
    for (url, named) in resources.types() {
        for (name, any) in named {
            let path = format!("{}/{name}", kind(url));
            let wanted = |pattern: &&str| match pattern.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == *pattern,
            };
            if patterns.iter().any(wanted) {
                shown.insert(path, weft_testkit::json(any));
            }
        }
    }
    Value::Object(shown)
}

/// The RBAC filters of requests and of connections; every chain must have the same.
fn policies(resources: &Resources) -> Value {
    let mut listeners = resources.of(weft_proto::type_url::LISTENER);
    let (_, any) = listeners
        .find(|(name, _)| &***name == "virtualInbound")
        .unwrap();
    let listener = weft_testkit::json(any);
    let mut found: Map<String, Value> = Map::new();
    for chain in listener["filter_chains"].as_array().unwrap() {
        let filters = chain["filters"].as_array().unwrap();
        let last = &filters.last().unwrap()["typed_config"];
        let (kind, filters) = match last["http_filters"].as_array() {
            Some(filters) => ("http", filters),
            None if chain["name"] == "virtualInbound-blackhole" => continue,
            None => ("tcp", filters),
        };
        let is_policy = |filter: &&Value| filter["name"].as_str().unwrap().ends_with(".rbac");
        let own: Value = filters.iter().filter(is_policy).cloned().collect();
        let first = found.entry(kind).or_insert_with(|| own.clone());
        assert_eq!(*first, own, "{}", chain["name"]);
    }
    Value::Object(found)
}
