//! One byte form for one value.
//!
//! The generated types keep protobuf maps in hash maps with a random seed: two equal messages
//! encode differently. What is sent is hashed and compared, so [`bytes`] puts the entries of every
//! map in the order of their keys. It works on the wire format and knows where maps are from the
//! table below, which covers the messages that Weft sends; an `Any` inside a message has been made
//! canonical when it was packed.

use std::collections::BTreeMap;

/// What a field of a message holds, where that matters here.
#[derive(Clone, Copy)]
enum Holds {
    /// A message that may hold maps.
    Message(&'static [(u64, Holds)]),
    /// A map whose values hold no maps.
    Map,
    /// A map whose values are messages that may hold maps.
    MapOf(&'static [(u64, Holds)]),
}
use Holds::{Map, MapOf, Message};

type Fields = &'static [(u64, Holds)];

// Arrays, because a struct holds values which hold structs.
static STRUCT: [(u64, Holds); 1] = [(1, MapOf(&VALUE))];
static VALUE: [(u64, Holds); 2] = [(5, Message(&STRUCT)), (6, Message(&LIST))];
static LIST: [(u64, Holds); 1] = [(1, Message(&VALUE))];
static METADATA: Fields = &[(1, MapOf(&STRUCT)), (2, Map)];
static LOCALITY_ENDPOINTS: Fields = &[(2, Message(&[(3, Message(METADATA))]))];
static ASSIGNMENT: Fields = &[(2, Message(LOCALITY_ENDPOINTS))];
static TRANSPORT_SOCKET_MATCH: Fields = &[(2, Message(&STRUCT))];
static CLUSTER: Fields = &[
    (25, Message(METADATA)),
    (33, Message(ASSIGNMENT)),
    (36, Map),
    (43, Message(TRANSPORT_SOCKET_MATCH)),
];
static CLUSTER_WEIGHT: Fields = &[(10, Map)];
static WEIGHTED_CLUSTERS: Fields = &[(1, Message(CLUSTER_WEIGHT))];
static ROUTE_ACTION: Fields = &[(3, Message(WEIGHTED_CLUSTERS)), (4, Message(METADATA))];
static ROUTE: Fields = &[
    (2, Message(ROUTE_ACTION)),
    (4, Message(METADATA)),
    (13, Map),
];
static VIRTUAL_HOST: Fields = &[(3, Message(ROUTE)), (15, Map)];
static ROUTE_CONFIGURATION: Fields = &[(2, Message(VIRTUAL_HOST)), (16, Map)];
static LISTENER: Fields = &[(6, Message(METADATA))];
static CONNECTION_MANAGER: Fields = &[(4, Message(ROUTE_CONFIGURATION))];
static RULES: Fields = &[(2, Map)];
static RBAC: Fields = &[(1, Message(RULES)), (2, Message(RULES))];
static FILE_ACCESS_LOG: Fields = &[
    (3, Message(&STRUCT)),
    (4, Message(&STRUCT)),
    (5, Message(&[(2, Message(&STRUCT))])),
];
static TYPED_STRUCT: Fields = &[(2, Message(&STRUCT))];

fn fields(type_url: &str) -> Option<Fields> {
    let name = type_url.rsplit('/').next()?;
    Some(match name {
        "envoy.config.cluster.v3.Cluster" => CLUSTER,
        "envoy.config.endpoint.v3.ClusterLoadAssignment" => ASSIGNMENT,
        "envoy.config.listener.v3.Listener" => LISTENER,
        "envoy.config.route.v3.RouteConfiguration" => ROUTE_CONFIGURATION,
        "envoy.extensions.access_loggers.file.v3.FileAccessLog" => FILE_ACCESS_LOG,
        "envoy.extensions.filters.http.rbac.v3.RBAC"
        | "envoy.extensions.filters.network.rbac.v3.RBAC" => RBAC,
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager" => {
            CONNECTION_MANAGER
        }
        "google.protobuf.Struct" => &STRUCT,
        "udpa.type.v1.TypedStruct" | "xds.type.v3.TypedStruct" => TYPED_STRUCT,
        _ => return None,
    })
}

/// `encoded` with the entries of all maps in key order; unchanged for types without maps.
pub fn bytes(type_url: &str, encoded: Vec<u8>) -> Vec<u8> {
    match fields(type_url) {
        Some(table) => sorted(&encoded, table),
        None => encoded,
    }
}

fn sorted(mut input: &[u8], table: Fields) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len());
    let mut maps: BTreeMap<u64, BTreeMap<Vec<u8>, Vec<u8>>> = BTreeMap::new();
    while !input.is_empty() {
        let (number, whole, payload) = field(&mut input);
        let holds = table
            .iter()
            .find(|(listed, _)| *listed == number)
            .map(|(_, holds)| *holds);
        match holds {
            None => output.extend_from_slice(whole),
            Some(Message(inner)) => push(&mut output, number, &sorted(payload, inner)),
            Some(Map) => {
                maps.entry(number)
                    .or_default()
                    .insert(key(payload), payload.to_vec());
            }
            Some(MapOf(inner)) => {
                // A map entry is a message: key 1, value 2.
                let entry = entry(payload, inner);
                maps.entry(number).or_default().insert(key(payload), entry);
            }
        }
    }
    for (number, entries) in maps {
        for entry in entries.values() {
            push(&mut output, number, entry);
        }
    }
    output
}

fn entry(mut payload: &[u8], inner: Fields) -> Vec<u8> {
    let mut output = Vec::with_capacity(payload.len());
    while !payload.is_empty() {
        let (number, whole, value) = field(&mut payload);
        match number {
            2 => push(&mut output, 2, &sorted(value, inner)),
            _ => output.extend_from_slice(whole),
        }
    }
    output
}

fn key(mut payload: &[u8]) -> Vec<u8> {
    while !payload.is_empty() {
        if let (1, _, key) = field(&mut payload) {
            return key.to_vec();
        }
    }
    Vec::new()
}

fn push(output: &mut Vec<u8>, number: u64, payload: &[u8]) {
    prost::encoding::encode_varint(number << 3 | 2, output);
    prost::encoding::encode_varint(payload.len() as u64, output);
    output.extend_from_slice(payload);
}

/// Takes one field off `input`: its number, all its bytes, and the payload if it has a length.
fn field<'a>(input: &mut &'a [u8]) -> (u64, &'a [u8], &'a [u8]) {
    const OURS: &str = "prost has just encoded these bytes";
    let start = *input;
    let tag = prost::encoding::decode_varint(input).expect(OURS);
    let length = match tag & 7 {
        0 => prost::encoding::decode_varint(input)
            .map(|_| 0)
            .expect(OURS),
        1 => 8,
        5 => 4,
        _ => prost::encoding::decode_varint(input).expect(OURS) as usize,
    };
    let (payload, rest) = input.split_at(length);
    *input = rest;
    (tag >> 3, &start[..start.len() - rest.len()], payload)
}

#[cfg(test)]
mod tests {
    use crate::pb::envoy::config::core::v3::Metadata;
    use crate::pb::envoy::config::endpoint::v3::{
        ClusterLoadAssignment, LbEndpoint, LocalityLbEndpoints,
    };
    use crate::typed_struct::{list, nested, object, string};
    use crate::{pack, unpack};

    fn assignment(keys: &[&str]) -> ClusterLoadAssignment {
        let entry = |key: &&str| {
            let inner = nested(object(keys.iter().map(|key| (*key, string(*key)))));
            (
                key.to_string(),
                object([("list", list([inner.clone(), string("last")]))]),
            )
        };
        let metadata = Metadata {
            filter_metadata: keys.iter().map(entry).collect(),
            ..Default::default()
        };
        let endpoint = LbEndpoint {
            metadata: Some(metadata),
            ..Default::default()
        };
        let locality = LocalityLbEndpoints {
            lb_endpoints: vec![endpoint],
            priority: 3,
            ..Default::default()
        };
        ClusterLoadAssignment {
            cluster_name: "one".into(),
            endpoints: vec![locality],
            ..Default::default()
        }
    }

    #[test]
    fn equal_messages_have_equal_bytes_and_keep_their_value() {
        let keys = ["b", "a", "d", "c", "f", "e", "h", "g"];
        let first = pack(&assignment(&keys));
        for _ in 0..50 {
            assert_eq!(pack(&assignment(&keys)), first);
        }
        assert_eq!(
            unpack::<ClusterLoadAssignment>(&first).unwrap(),
            assignment(&keys)
        );
    }
}
