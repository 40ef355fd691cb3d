//! Both ends against each other, and the server's end against hand-made requests.

use super::*;
use crate::world::{Resource, Set};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use weft_proto::pb::envoy::config::core::v3::Node;
use weft_proto::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
};
use weft_proto::pb::google::protobuf::Any;
use weft_proto::pb::google::rpc::Status;
use weft_proto::type_url::CLUSTER;

fn set(entries: &[(&str, &str)]) -> Set {
    entries
        .iter()
        .map(|(name, version)| ((*name).into(), resource(version)))
        .collect()
}

fn resource(version: &str) -> Resource {
    let body = Any {
        type_url: CLUSTER.into(),
        value: version.as_bytes().to_vec(),
    };
    Resource {
        version: version.into(),
        body: Arc::new(body),
    }
}

fn request(subscribe: &[&str], unsubscribe: &[&str]) -> DeltaDiscoveryRequest {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    DeltaDiscoveryRequest {
        resource_names_subscribe: owned(subscribe),
        resource_names_unsubscribe: owned(unsubscribe),
        ..Default::default()
    }
}

/// Everything the server would send now: names with versions, and removed names; `None` if nothing.
fn sent(server: &mut Subscription, set: &Set, nonce: u64) -> Option<(Vec<String>, Vec<String>)> {
    let changes = server.respond(set, Part::Changes, nonce, usize::MAX);
    let removals = server.respond(set, Part::Removals, nonce + 1, usize::MAX);
    if changes.is_none() && removals.is_none() {
        return None;
    }
    let resources = changes.unwrap_or_default().resources;
    let named = resources
        .iter()
        .map(|r| format!("{}={}", r.name, r.version))
        .collect();
    Some((named, removals.unwrap_or_default().removed_resources))
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn subscriptions_follow_the_protocol_text() {
    let world = set(&[("a", "1"), ("b", "1")]);
    type Steps = &'static [(
        &'static [&'static str],
        &'static [&'static str],
        Option<(&'static [&'static str], &'static [&'static str])>,
    )];
    #[rustfmt::skip]
    let table: &[(&str, Steps)] = &[
        // rule, then steps of: subscribe, unsubscribe, answer (resources, removed)
        ("an empty first request means everything", &[(&[], &[], Some((&["a=1", "b=1"], &[])))]),
        ("a name is answered alone", &[(&["a"], &[], Some((&["a=1"], &[]))), (&[], &[], None)]),
        ("a missing name is answered by its removal, once", &[(&["x"], &[], Some((&[], &["x"]))), (&[], &[], None)]),
        ("a name asked for again is answered again", &[(&["a"], &[], Some((&["a=1"], &[]))), (&["a"], &[], Some((&["a=1"], &[])))]),
        ("an emptied list means nothing, not everything", &[(&["a"], &[], Some((&["a=1"], &[]))), (&[], &["a"], None), (&[], &[], None)]),
        ("a name beside the legacy wildcard leaves it alone", &[(&[], &[], Some((&["a=1", "b=1"], &[]))), (&["x"], &[], Some((&[], &["x"])))]),
        ("a name given up under the wildcard is answered", &[(&["*", "a"], &[], Some((&["a=1", "b=1"], &[]))), (&[], &["a"], Some((&["a=1"], &[])))]),
        ("a missing name given up under the wildcard is answered", &[(&["*", "x"], &[], Some((&["a=1", "b=1"], &["x"]))), (&[], &["x"], Some((&[], &["x"])))]),
        ("without the wildcard only names remain", &[(&["*", "a"], &[], Some((&["a=1", "b=1"], &[]))), (&[], &["*"], None), (&["b"], &[], Some((&["b=1"], &[])))]),
    ];
    for (rule, steps) in table {
        let mut server = Subscription::default();
        for (at, (subscribe, unsubscribe, expected)) in steps.iter().enumerate() {
            server.request(&request(subscribe, unsubscribe)).unwrap();
            let expected =
                expected.map(|(resources, removed)| (strings(resources), strings(removed)));
            assert_eq!(
                sent(&mut server, &world, 1 + 2 * at as u64),
                expected,
                "{rule}, step {at}"
            );
        }
    }
}

#[test]
fn an_empty_wildcard_is_answered_so_that_the_client_can_start() {
    let mut server = Subscription::default();
    server.request(&request(&["*"], &[])).unwrap();
    assert_eq!(sent(&mut server, &Set::new(), 1), Some((vec![], vec![])));
    assert_eq!(sent(&mut server, &Set::new(), 3), None);
}

#[test]
fn a_reconnecting_client_gets_only_what_changed() {
    let mut server = Subscription::default();
    let mut hello = request(&["*"], &[]);
    hello.initial_resource_versions = [("a", "1"), ("b", "1"), ("gone", "1")]
        .map(|(n, v)| (n.into(), v.into()))
        .into();
    server.request(&hello).unwrap();
    let world = set(&[("a", "1"), ("b", "2"), ("c", "1")]);
    assert_eq!(
        sent(&mut server, &world, 1),
        Some((strings(&["b=2", "c=1"]), strings(&["gone"])))
    );
}

#[test]
fn a_stale_nonce_still_changes_the_subscription() {
    let mut server = Subscription::default();
    server.request(&request(&["a"], &[])).unwrap();
    let stale = DeltaDiscoveryRequest {
        response_nonce: "nonsense".into(),
        ..request(&["b"], &[])
    };
    assert_eq!(server.request(&stale), Ok(None));
    let world = set(&[("a", "1"), ("b", "1")]);
    assert_eq!(
        sent(&mut server, &world, 1),
        Some((strings(&["a=1", "b=1"]), vec![]))
    );
}

#[test]
fn a_refused_version_is_not_sent_again_but_its_successor_and_its_removal_are() {
    let mut server = Subscription::default();
    server.request(&request(&["*"], &[])).unwrap();
    let bad = set(&[("a", "bad")]);
    assert!(sent(&mut server, &bad, 1).is_some());
    let error_detail = Some(Status {
        message: "a: no".into(),
        ..Default::default()
    });
    let nack = DeltaDiscoveryRequest {
        response_nonce: "1".into(),
        error_detail,
        ..Default::default()
    };
    let expected = Answer::Refused {
        names: vec!["a".into()],
        message: "a: no".into(),
    };
    assert_eq!(server.request(&nack), Ok(Some(expected)));
    assert_eq!(sent(&mut server, &bad, 3), None);
    assert_eq!(
        sent(&mut server.clone(), &Set::new(), 5),
        Some((vec![], strings(&["a"])))
    );
    assert_eq!(
        sent(&mut server, &set(&[("a", "2")]), 5),
        Some((strings(&["a=2"]), vec![]))
    );
}

#[test]
fn a_suspect_that_is_gone_is_removed_by_name() {
    let mut server = Subscription::default();
    server.suspect(["leaked".into()]);
    server.request(&request(&[], &[])).unwrap();
    assert_eq!(
        sent(&mut server, &set(&[("a", "1")]), 1),
        Some((strings(&["a=1"]), strings(&["leaked"])))
    );
}

#[test]
fn a_large_difference_is_cut_into_several_responses() {
    let mut server = Subscription::default();
    server.request(&request(&["*"], &[])).unwrap();
    let world = set(&[("a", "1234"), ("b", "1234"), ("c", "1234")]);
    let mut sizes = Vec::new();
    while let Some(response) = server.respond(&world, Part::Changes, sizes.len() as u64, 5) {
        sizes.push(response.resources.len());
    }
    assert_eq!(sizes, [2, 1]);
}

#[test]
fn a_response_with_one_name_twice_is_refused_whole() {
    let mut session = Session::new(Node::default());
    session.subscribe(CLUSTER, &["*".into()]);
    let mut server = Subscription::default();
    server.request(&request(&["*"], &[])).unwrap();
    let mut response = server
        .respond(&set(&[("a", "1")]), Part::Changes, 1, 9)
        .unwrap();
    response.type_url = CLUSTER.into();
    response.resources.push(response.resources[0].clone());
    let Received::Broken(nack) = session.receive(response) else {
        panic!("taken for good")
    };
    assert_eq!(
        nack.error_detail.unwrap().message,
        "`a` is in one response twice"
    );
}

/// One thing that happens between a server and a client of a single type.
#[derive(Clone, Debug)]
enum Happens {
    Changed(u8, u8),
    Deleted(u8),
    Subscribed(u8),
    Unsubscribed(u8),
    ServerReads,
    ServerWrites,
    ClientReads,
    Reconnected,
}

fn happening() -> impl Strategy<Value = Happens> {
    prop_oneof![
        (0..4u8, 0..5u8).prop_map(|(name, version)| Happens::Changed(name, version)),
        (0..4u8).prop_map(Happens::Deleted),
        (0..5u8).prop_map(Happens::Subscribed),
        (0..5u8).prop_map(Happens::Unsubscribed),
        Just(Happens::ServerReads),
        Just(Happens::ServerWrites),
        Just(Happens::ClientReads),
        Just(Happens::Reconnected),
    ]
}

/// Name 4 is the wildcard.
fn name(number: u8) -> String {
    if number == 4 {
        "*".into()
    } else {
        format!("r{number}")
    }
}

/// Version 4 of anything is refused by the client.
const BAD: &str = "4";

struct Pair {
    world: Set,
    server: Option<Subscription>,
    session: Session,
    applied: BTreeMap<String, String>,
    asked: BTreeSet<String>,
    to_server: VecDeque<DeltaDiscoveryRequest>,
    to_client: VecDeque<DeltaDiscoveryResponse>,
    nonce: u64,
}

impl Pair {
    fn new() -> Self {
        Self {
            world: Set::new(),
            server: None,
            session: Session::new(Node::default()),
            applied: BTreeMap::new(),
            asked: BTreeSet::new(),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            nonce: 0,
        }
    }

    fn step(&mut self, happens: Happens) {
        match happens {
            Happens::Changed(number, version) => {
                _ = self
                    .world
                    .insert(name(number).into(), resource(&version.to_string()))
            }
            Happens::Deleted(number) => _ = self.world.remove(name(number).as_str()),
            Happens::Subscribed(number) => {
                self.asked.insert(name(number));
                self.to_server
                    .extend(self.session.subscribe(CLUSTER, &[name(number)]));
            }
            Happens::Unsubscribed(number) => {
                self.asked.remove(&name(number));
                self.to_server
                    .extend(self.session.unsubscribe(CLUSTER, &[name(number)]));
                let asked = &self.asked;
                self.applied
                    .retain(|name, _| asked.contains("*") || asked.contains(name));
            }
            Happens::ServerReads => {
                if let Some(request) = self.to_server.pop_front() {
                    self.server
                        .get_or_insert_default()
                        .request(&request)
                        .unwrap();
                }
            }
            Happens::ServerWrites => self.write(),
            Happens::ClientReads => self.read(),
            Happens::Reconnected => {
                self.server = None;
                self.to_client.clear();
                self.to_server = self.session.hello().into();
            }
        }
    }

    fn write(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        for part in [Part::Changes, Part::Removals] {
            self.nonce += 1;
            let response = server.respond(&self.world, part, self.nonce, 2);
            self.to_client
                .extend(response.map(|r| DeltaDiscoveryResponse {
                    type_url: CLUSTER.into(),
                    ..r
                }));
        }
    }

    fn read(&mut self) {
        let Some(response) = self.to_client.pop_front() else {
            return;
        };
        let Received::Update(update) = self.session.receive(response) else {
            panic!("broken response")
        };
        for name in &update.removed {
            self.applied.remove(name);
        }
        let (bad, good): (Vec<_>, Vec<_>) =
            update.resources.into_iter().partition(|r| r.version == BAD);
        self.applied
            .extend(good.into_iter().map(|r| (r.name, r.version)));
        let refused: Vec<String> = bad.into_iter().map(|r| r.name).collect();
        self.to_server.push_back(match refused.is_empty() {
            true => self.session.ack(CLUSTER, &update.nonce),
            false => self
                .session
                .nack(CLUSTER, &update.nonce, &refused, "bad".into()),
        });
    }

    fn settle(&mut self) {
        for _ in 0..1000 {
            self.step(Happens::ServerReads);
            self.write();
            self.read();
            if self.to_server.is_empty() && self.to_client.is_empty() {
                return;
            }
        }
        panic!("they talk for ever");
    }
}

proptest! {
    #[test]
    fn any_interleaving_converges(steps in proptest::collection::vec(happening(), 0..60)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.step(step);
        }
        pair.settle();
        for number in 0..4 {
            let name = name(number);
            let wanted = pair.asked.contains("*") || pair.asked.contains(&name);
            let held = pair.applied.get(&name).map(String::as_str);
            match pair.world.get(name.as_str()) {
                Some(resource) if wanted && &*resource.version == BAD => prop_assert_ne!(held, Some(BAD)),
                Some(resource) if wanted => prop_assert_eq!(held, Some(&*resource.version)),
                _ => prop_assert_eq!(held, None),
            }
        }
        // Nothing changed, so a new stream brings no resource again, but those that were refused.
        pair.step(Happens::Reconnected);
        for _ in 0..3 {
            pair.step(Happens::ServerReads);
            pair.write();
        }
        let resent = pair.to_client.iter().flat_map(|r| &r.resources).filter(|r| r.version != BAD).count();
        prop_assert_eq!(resent, 0);
    }
}
