//! Configuration of an extension whose type the receiver may not know.

use crate::pb::google::protobuf::value::Kind;
use crate::pb::google::protobuf::{Any, ListValue, Struct, Value};
use crate::{any, type_url};

/// `udpa.type.v1.TypedStruct`, field for field also `xds.type.v3.TypedStruct`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TypedStruct {
    /// Type that `value` stands for.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message as JSON-like data.
    #[prost(message, optional, tag = "2")]
    pub value: Option<Struct>,
}

impl TypedStruct {
    /// An `Any` that holds `value` as a configuration of type `type_url`.
    pub fn any(type_url: &str, value: Struct) -> Any {
        let typed = Self {
            type_url: type_url.to_owned(),
            value: Some(value),
        };
        any(type_url::TYPED_STRUCT, &typed)
    }
}

/// A struct of the given fields.
pub fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Struct {
    Struct {
        fields: fields
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    }
}

/// A string value.
pub fn string(text: impl Into<String>) -> Value {
    Value {
        kind: Some(Kind::StringValue(text.into())),
    }
}

/// A boolean value.
pub fn boolean(flag: bool) -> Value {
    Value {
        kind: Some(Kind::BoolValue(flag)),
    }
}

/// A list value.
pub fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value {
        kind: Some(Kind::ListValue(ListValue {
            values: values.into_iter().collect(),
        })),
    }
}

/// A struct as a value.
pub fn nested(fields: Struct) -> Value {
    Value {
        kind: Some(Kind::StructValue(fields)),
    }
}
