//! The messages that cross our wires: Envoy's xDS types and Istio's CA messages. No transport.
//!
//! Flows in: values of the types in [`pb`] and [`istio`]. Flows out: bytes, and `Any`s whose bytes
//! are the same whenever the values are the same (see [`any`]). Must never open a connection.

pub mod canonical;
pub mod istio;
pub mod type_url;
pub mod typed_struct;

pub use envoy_types::pb;

use pb::google::protobuf::Any;
use prost::{Message, Name};

/// Packs `message` into an `Any` whose bytes depend on the message's value only.
///
/// The maps of the generated types iterate in a random order, so that plain encoding gives
/// different bytes for equal messages; see [`canonical::bytes`].
pub fn any<M: Message>(type_url: &str, message: &M) -> Any {
    let value = canonical::bytes(type_url, message.encode_to_vec());
    Any {
        type_url: type_url.to_owned(),
        value,
    }
}

/// [`any`] for the messages that know their own type URL.
pub fn pack<M: Message + Name>(message: &M) -> Any {
    any(&M::type_url(), message)
}

/// The message inside `any`.
///
/// # Errors
/// When `any` holds another type, or its bytes are not a message of that type.
pub fn unpack<M: Message + Name + Default>(any: &Any) -> Result<M, UnpackError> {
    if any.type_url != M::type_url() {
        return Err(UnpackError::OtherType(any.type_url.clone(), M::NAME));
    }
    Ok(M::decode(any.value.as_slice())?)
}

/// Why an `Any` was not unpacked.
#[derive(Debug)]
pub enum UnpackError {
    /// It holds this type, not the message of this name.
    OtherType(String, &'static str),
    /// Its bytes are not such a message.
    Malformed(prost::DecodeError),
}

impl From<prost::DecodeError> for UnpackError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl std::fmt::Display for UnpackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OtherType(found, wanted) => write!(f, "`{found}` is not a {wanted}"),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for UnpackError {}
