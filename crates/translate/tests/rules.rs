//! What holds for every input: order means nothing, and one user's faults stay with that user.
#![allow(clippy::unwrap_used, reason = "tests panic")]

use serde_json::{Value, json};
use std::path::Path;
use weft_model::{Node, Objects, Snapshot};
use weft_testkit::golden::cases;
use weft_testkit::objects::{add, documents, try_add};
use weft_testkit::{endpoints, objects};
use weft_translate::{Resources, resources};

const MESH: &str = include_str!("golden/http-service/in.yaml");

fn told(objects: &Objects) -> Resources {
    let node = Node {
        namespace: "shop".into(),
        pod: "cart-1".into(),
        ..Node::default()
    };
    resources(&Snapshot::build(objects).0.view(&node)).0
}

/// A small generator: the same numbers on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.roll(end + 1));
        }
    }
}

#[test]
fn the_order_in_which_objects_arrive_changes_no_byte() {
    let mut dice = Dice(7);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for case in cases(&root) {
        let yaml = std::fs::read_to_string(case.join("in.yaml")).unwrap();
        let expected = told(&objects(&yaml));
        for _ in 0..3 {
            let mut shuffled = documents(&yaml);
            dice.shuffle(&mut shuffled);
            let mut objects = Objects::default();
            for document in shuffled {
                add(&mut objects, document);
            }
            endpoints::fill_in(&mut objects);
            assert_eq!(told(&objects), expected, "{}", case.display());
        }
    }
}

#[test]
fn a_hundred_broken_objects_of_one_user_change_nothing_for_others() {
    let mut dice = Dice(11);
    let expected = told(&objects(MESH));
    let mut objects = objects(MESH);
    for number in 0..100 {
        let mut object = bad_objects(number)[dice.roll(BAD)].clone();
        mutate(&mut object["spec"], &mut dice);
        // The API server refuses some of them; what it lets through must do no harm.
        let _refused = try_add(&mut objects, object).is_err();
    }
    let after = told(&objects);
    for (url, named) in expected.types() {
        for (name, body) in named {
            if !name
                .parse::<u16>()
                .is_ok_and(|_| url.ends_with("RouteConfiguration"))
            {
                let found = after.of(url).find(|(other, _)| *other == name);
                assert_eq!(found.map(|(_, body)| body), Some(body), "{name}");
            }
        }
    }
    assert_eq!(hosts_of_shop(&after), hosts_of_shop(&expected));
}

#[test]
fn broken_entries_and_sidecars_of_another_namespace_change_no_byte() {
    let mut dice = Dice(13);
    let expected = told(&objects(MESH));
    for number in 0..300 {
        let mut objects = objects(MESH);
        for mut object in entries() {
            mutate(&mut object["spec"], &mut dice);
            if object["kind"] == "ServiceEntry" && object["spec"].is_object() {
                object["spec"]["exportTo"] = json!(["."]);
            }
            let _refused = try_add(&mut objects, object).is_err();
        }
        assert!(told(&objects) == expected, "mutant {number}");
    }
}

/// A ServiceEntry, a WorkloadEntry and Sidecars of the namespace `bad`, before they are spoiled.
fn entries() -> Vec<Value> {
    let object = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": kind,
            "metadata": {"name": name, "namespace": "bad"}, "spec": spec,
        })
    };
    vec![
        object(
            "ServiceEntry",
            "a",
            json!({
                "hosts": ["a.example.com", "reviews.shop.svc.cluster.local"], "resolution": "STATIC",
                "addresses": ["192.0.2.1", "198.51.100.0/24"], "location": "MESH_INTERNAL",
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8080}],
                "endpoints": [{
                    "address": "10.0.0.9", "ports": {"http": 90}, "labels": {"app": "reviews"},
                    "locality": "r/z", "weight": 2, "serviceAccount": "a", "network": "n",
                }],
            }),
        ),
        object(
            "ServiceEntry",
            "b",
            json!({
                "hosts": ["b.example.com"], "resolution": "DNS",
                "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
                "workloadSelector": {"labels": {"app": "reviews"}},
            }),
        ),
        object(
            "WorkloadEntry",
            "c",
            json!({
                "address": "10.0.0.1", "labels": {"app": "reviews"}, "ports": {"http": 80},
            }),
        ),
        object(
            "Sidecar",
            "d",
            json!({
                "workloadSelector": {"labels": {"app": "cart"}},
                "egress": [{"port": {"number": 80, "protocol": "TCP"}, "bind": "127.0.0.1", "hosts": ["./*"]}],
                "ingress": [{"port": {"number": 80, "protocol": "TCP"}, "defaultEndpoint": "127.0.0.1:80"}],
                "inboundConnectionPool": {"tcp": {"maxConnections": 1}},
            }),
        ),
        object(
            "Sidecar",
            "e",
            json!({
                "egress": [{"hosts": ["~/*"]}], "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
            }),
        ),
    ]
}

const BAD: usize = 5;

/// Objects of the namespace `bad`, before they are spoiled.
fn bad_objects(number: usize) -> [Value; BAD] {
    let object = |version: &str, kind: &str, spec: Value| {
        json!({
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": format!("bad-{number}"), "namespace": "bad"},
            "spec": spec,
        })
    };
    let ports = json!([{"name": "http", "port": 80, "targetPort": 8080}, {"port": 81}]);
    [
        object(
            "v1",
            "Service",
            json!({
                "clusterIP": "10.96.9.9", "selector": {"app": "reviews"}, "ports": ports,
            }),
        ),
        object(
            "v1",
            "Service",
            json!({
                "type": "ExternalName", "externalName": "reviews.shop.svc.cluster.local",
            }),
        ),
        object(
            "security.istio.io/v1",
            "PeerAuthentication",
            json!({
                "selector": {"matchLabels": {"app": "reviews"}},
                "mtls": {"mode": "STRICT"},
                "portLevelMtls": {"80": {"mode": "DISABLE"}},
            }),
        ),
        object(
            "security.istio.io/v1",
            "AuthorizationPolicy",
            json!({
                "selector": {"matchLabels": {"app": "reviews"}},
                "action": "DENY",
                "rules": [{
                    "from": [{"source": {"principals": ["*"], "notIpBlocks": ["10.0.0.0/8"]}}],
                    "when": [{"key": "source.ip", "values": ["10.0.0.1"]}],
                }],
            }),
        ),
        object(
            "v1",
            "Pod",
            json!({"nodeName": "n", "containers": [{"name": "app"}]}),
        ),
    ]
}

/// Replaces some value deep inside.
fn mutate(value: &mut Value, dice: &mut Dice) {
    let spoiled = [
        json!(null),
        json!(-1),
        json!(70_000),
        json!(""),
        json!("*"),
        json!("a b|c"),
        json!([]),
        json!({}),
    ];
    let inner = match value {
        Value::Object(fields) if !fields.is_empty() => {
            let at = dice.roll(fields.len());
            fields.values_mut().nth(at)
        }
        Value::Array(items) if !items.is_empty() => {
            let at = dice.roll(items.len());
            items.get_mut(at)
        }
        _ => None,
    };
    match inner {
        Some(inner) if dice.roll(4) > 0 => mutate(inner, dice),
        Some(inner) => *inner = spoiled[dice.roll(spoiled.len())].clone(),
        None => *value = spoiled[dice.roll(spoiled.len())].clone(),
    }
}

/// Names and domains in table 80 that are not of the namespace `bad`.
fn hosts_of_shop(resources: &Resources) -> Vec<Value> {
    let mut tables = resources.of(weft_proto::type_url::ROUTE);
    let (_, any) = tables.find(|(name, _)| &***name == "80").unwrap();
    let mut table = weft_testkit::json(any);
    let mut hosts = table["virtual_hosts"].as_array_mut().unwrap().clone();
    hosts.retain(|host| !host["name"].as_str().unwrap().contains(".bad."));
    for host in &mut hosts {
        let domains = host["domains"].as_array_mut().unwrap();
        domains.retain(|domain| !domain.as_str().unwrap().starts_with("bad-"));
    }
    hosts
}
