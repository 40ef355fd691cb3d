//! Commands without arguments, and what they stand for.

use super::record::Record;
use std::borrow::Cow;
use std::time::Duration;

macro_rules! simple {
    ($($variant:ident = $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Simple { $($variant,)* }

        impl Simple {
            pub(super) fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

simple! {
    Protocol = "PROTOCOL",
    Code = "RESPONSE_CODE",
    CodeDetails = "RESPONSE_CODE_DETAILS",
    Termination = "CONNECTION_TERMINATION_DETAILS",
    Flags = "RESPONSE_FLAGS",
    Received = "BYTES_RECEIVED",
    Sent = "BYTES_SENT",
    Duration = "DURATION",
    RequestDuration = "REQUEST_DURATION",
    ResponseDuration = "RESPONSE_DURATION",
    ResponseTxDuration = "RESPONSE_TX_DURATION",
    UpstreamHost = "UPSTREAM_HOST",
    UpstreamRemote = "UPSTREAM_REMOTE_ADDRESS",
    UpstreamLocal = "UPSTREAM_LOCAL_ADDRESS",
    UpstreamCluster = "UPSTREAM_CLUSTER",
    UpstreamClusterRaw = "UPSTREAM_CLUSTER_RAW",
    UpstreamFailure = "UPSTREAM_TRANSPORT_FAILURE_REASON",
    UpstreamPeer = "UPSTREAM_PEER_URI_SAN",
    Local = "DOWNSTREAM_LOCAL_ADDRESS",
    LocalIp = "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    LocalPort = "DOWNSTREAM_LOCAL_PORT",
    Remote = "DOWNSTREAM_REMOTE_ADDRESS",
    RemoteIp = "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    RemotePort = "DOWNSTREAM_REMOTE_PORT",
    DirectRemote = "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    DirectRemoteIp = "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    Sni = "REQUESTED_SERVER_NAME",
    Route = "ROUTE_NAME",
    Chain = "FILTER_CHAIN_NAME",
    GrpcStatus = "GRPC_STATUS",
    GrpcStatusNumber = "GRPC_STATUS_NUMBER",
    PeerUri = "DOWNSTREAM_PEER_URI_SAN",
    PeerSubject = "DOWNSTREAM_PEER_SUBJECT",
    PeerFingerprint = "DOWNSTREAM_PEER_FINGERPRINT_256",
    TlsVersion = "DOWNSTREAM_TLS_VERSION",
    TlsCipher = "DOWNSTREAM_TLS_CIPHER",
}

/// Names in the order of their numbers. Source: gRPC status codes.
const GRPC: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// What a command stands for in one record.
pub(super) enum Value<'a> {
    None,
    Number(u64),
    Text(Cow<'a, str>),
}

pub(super) fn text<'a>(found: Option<impl Into<Cow<'a, str>>>) -> Value<'a> {
    found
        .map(Into::into)
        .filter(|text| !text.is_empty())
        .map_or(Value::None, Value::Text)
}

fn number(found: Option<impl Into<u64>>) -> Value<'static> {
    found.map_or(Value::None, |number| Value::Number(number.into()))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Simple {
    pub(super) fn value<'a>(self, record: &Record<'a>) -> Value<'a> {
        let conn = record.conn;
        match self {
            Self::Flags => text(Some(record.flags.to_string())),
            Self::Received => Value::Number(record.bytes_received),
            Self::Sent => Value::Number(record.bytes_sent),
            Self::Duration => Value::Number(milliseconds(record.duration)),
            Self::CodeDetails => text(Some(record.code_details)),
            Self::Termination => text(Some(record.termination)),
            Self::Route => text(Some(record.route)),
            Self::Chain => text(Some(&*conn.chain.name)),
            Self::Local => text(Some(conn.local.to_string())),
            Self::LocalIp => text(Some(conn.local.ip().to_string())),
            Self::LocalPort => number(Some(conn.local.port())),
            Self::Remote | Self::DirectRemote => text(Some(conn.remote.to_string())),
            Self::RemoteIp | Self::DirectRemoteIp => text(Some(conn.remote.ip().to_string())),
            Self::RemotePort => number(Some(conn.remote.port())),
            Self::Sni => text(conn.sni.as_deref()),
            Self::PeerUri => text(conn.peer.as_ref().and_then(|peer| peer.uri.as_deref())),
            Self::PeerSubject => text(conn.peer.as_ref().map(|peer| &*peer.subject)),
            Self::PeerFingerprint => text(conn.peer.as_ref().map(|peer| &*peer.cert_sha256)),
            Self::TlsVersion => text(conn.tls.as_ref().map(|tls| tls.version)),
            Self::TlsCipher => text(conn.tls.as_ref().map(|tls| tls.cipher)),
            Self::Protocol
            | Self::Code
            | Self::RequestDuration
            | Self::ResponseDuration
            | Self::ResponseTxDuration
            | Self::GrpcStatus
            | Self::GrpcStatusNumber => self.http(record),
            Self::UpstreamHost
            | Self::UpstreamRemote
            | Self::UpstreamLocal
            | Self::UpstreamCluster
            | Self::UpstreamClusterRaw
            | Self::UpstreamFailure
            | Self::UpstreamPeer => self.upstream(record),
        }
    }

    /// Envoy writes 0 for the status of a TCP connection, and nothing for its protocol.
    fn http<'a>(self, record: &Record<'a>) -> Value<'a> {
        let Some(http) = record.http else {
            return if self == Self::Code {
                Value::Number(0)
            } else {
                Value::None
            };
        };
        match self {
            Self::Protocol => text(Some(http.request.version.as_str())),
            Self::Code => Value::Number(http.code.into()),
            Self::RequestDuration => number(http.request_duration.map(milliseconds)),
            Self::ResponseDuration => number(http.response_duration.map(milliseconds)),
            Self::ResponseTxDuration => {
                let first = http.response_duration;
                number(first.map(|first| milliseconds(record.duration.saturating_sub(first))))
            }
            Self::GrpcStatusNumber => number(http.grpc_status),
            Self::GrpcStatus => {
                let name =
                    |status: u32| GRPC.get(status as usize).copied().unwrap_or("InvalidCode");
                text(http.grpc_status.map(name))
            }
            _ => Value::None,
        }
    }

    fn upstream<'a>(self, record: &Record<'a>) -> Value<'a> {
        let Some(upstream) = record.upstream else {
            return Value::None;
        };
        let address = |address: Option<std::net::SocketAddr>| text(address.map(|a| a.to_string()));
        match self {
            Self::UpstreamHost | Self::UpstreamRemote => address(upstream.host),
            Self::UpstreamLocal => address(upstream.local),
            Self::UpstreamCluster | Self::UpstreamClusterRaw => text(Some(upstream.cluster)),
            Self::UpstreamFailure => text(Some(upstream.failure)),
            Self::UpstreamPeer => text(upstream.peer.and_then(|peer| peer.uri.as_deref())),
            _ => Value::None,
        }
    }
}
