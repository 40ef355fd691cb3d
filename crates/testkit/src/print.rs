//! xDS as JSON with the field names of the protocol.

use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;
use std::sync::OnceLock;
use weft_proto::pb::google::protobuf::Any;

static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/types.bin"));

/// The message in `any` as JSON.
///
/// # Panics
/// On a type that is not Envoy's.
pub fn json(any: &Any) -> Value {
    let name = any.type_url.rsplit('/').next().unwrap_or_default();
    if any.type_url == weft_proto::type_url::NAMES {
        return names(any);
    }
    let message = pool().get_message_by_name(name);
    let message = message.unwrap_or_else(|| panic!("no message `{name}`"));
    let message = DynamicMessage::decode(message, any.value.as_slice())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let options = SerializeOptions::new().use_proto_field_name(true);
    let json = message.serialize_with_options(serde_json::value::Serializer, &options);
    sorted(json.unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// Istio's own message, by name the addresses.
fn names(any: &Any) -> Value {
    let table: weft_proto::istio::NameTable =
        weft_proto::unpack(any).unwrap_or_else(|error| panic!("{error}"));
    let named = table.table.into_iter();
    named
        .map(|(name, info)| (name, Value::from(info.ips)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The same with the keys in order, names first: protobuf maps have none.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            let rank = |key: &str| !matches!(key, "@type" | "name" | "type_url");
            fields.sort_by(|(a, _), (b, _)| (rank(a), a).cmp(&(rank(b), b)));
            let fields = fields.into_iter().map(|(key, value)| (key, sorted(value)));
            Value::Object(fields.collect())
        }
        plain => plain,
    }
}

fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| {
        let mut pool = DescriptorPool::decode(DESCRIPTORS).expect("the package's own descriptors");
        pool.add_file_descriptor_proto(typed_struct())
            .expect("written out below");
        pool
    })
}

/// `udpa.type.v1.TypedStruct`, which the package leaves out.
fn typed_struct() -> FileDescriptorProto {
    let field = |name: &str, number, kind: Type, of: Option<&str>| FieldDescriptorProto {
        name: Some(name.into()),
        json_name: Some(name.into()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        type_name: of.map(str::to_owned),
        ..Default::default()
    };
    let value = Some(".google.protobuf.Struct");
    let message = DescriptorProto {
        name: Some("TypedStruct".into()),
        field: vec![
            field("type_url", 1, Type::String, None),
            field("value", 2, Type::Message, value),
        ],
        ..Default::default()
    };
    FileDescriptorProto {
        name: Some("udpa/type/v1/typed_struct.proto".into()),
        package: Some("udpa.type.v1".into()),
        dependency: vec!["google/protobuf/struct.proto".into()],
        message_type: vec![message],
        syntax: Some("proto3".into()),
        ..Default::default()
    }
}
