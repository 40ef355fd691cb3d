//! Which protocol a port speaks.

/// Protocol of a port, as Istio selects it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Protocol {
    /// HTTP/1.1, or what the client asks for.
    Http,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
    /// gRPC-Web, which is HTTP/1.1.
    GrpcWeb,
    /// HTTP over the application's own TLS.
    Https,
    /// Other TLS of the application.
    Tls,
    /// Bytes.
    Tcp,
    /// Not declared: the first bytes decide.
    Auto,
    /// Not carried by the mesh.
    Udp,
}

/// How a proxy handles a protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Handling {
    /// Request by request.
    Http,
    /// Connection by connection.
    Tcp,
    /// Whichever the first bytes show.
    Sniff,
}

/// Ports whose servers speak first; waiting for the client's bytes would hang them.
const SERVER_FIRST: [u16; 4] = [25, 53, 3306, 27017];

impl Protocol {
    /// The protocol of a Service port.
    ///
    /// `appProtocol` beats the port name's part before the first `-`; what neither says is
    /// [`Protocol::Auto`] but on the well-known ports of server-first protocols.
    ///
    /// Source: Istio `pkg/config/kube/conversion.go`, `ConvertProtocol`.
    pub fn select(transport: &str, app_protocol: Option<&str>, name: &str, port: u16) -> Self {
        if transport == "UDP" {
            return Self::Udp;
        }
        let declared = match app_protocol {
            Some(app) => Self::of_app_protocol(app),
            None => Self::of_port_name(name),
        };
        match declared {
            Some(protocol) => protocol,
            None if SERVER_FIRST.contains(&port) => Self::Tcp,
            None => Self::Auto,
        }
    }

    fn of_app_protocol(app: &str) -> Option<Self> {
        match app {
            "kubernetes.io/h2c" => Some(Self::Http2),
            "kubernetes.io/ws" => Some(Self::Http),
            "kubernetes.io/wss" => Some(Self::Https),
            _ => Self::of_port_name(app),
        }
    }

    fn of_port_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        if name == "grpc-web" || name.starts_with("grpc-web-") {
            return Some(Self::GrpcWeb);
        }
        Self::of_name(name.split('-').next()?)
    }

    /// The protocol of this name, in any case, as in `ServiceEntry.ports[].protocol`.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "http" => Self::Http,
            "http2" => Self::Http2,
            "grpc" => Self::Grpc,
            "grpc-web" => Self::GrpcWeb,
            "https" => Self::Https,
            "tls" => Self::Tls,
            "udp" => Self::Udp,
            // Their bytes are carried; nothing in the mesh reads them.
            "tcp" | "mongo" | "redis" | "mysql" => Self::Tcp,
            _ => return None,
        })
    }

    /// How a proxy handles it.
    pub fn handling(self) -> Handling {
        match self {
            Self::Http | Self::Http2 | Self::Grpc | Self::GrpcWeb => Handling::Http,
            Self::Https | Self::Tls | Self::Tcp | Self::Udp => Handling::Tcp,
            Self::Auto => Handling::Sniff,
        }
    }

    /// Whether its servers take HTTP/2 without being asked for it.
    pub fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Grpc)
    }

    /// Whether the first message is a TLS ClientHello of the application.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

#[cfg(test)]
mod tests {
    use super::Protocol::{self, *};

    #[test]
    #[rustfmt::skip]
    fn app_protocol_beats_the_port_name_and_both_beat_sniffing() {
        let table = [
            // transport, appProtocol,           name,         port,  protocol
            ("TCP", None,                        "http",       80,    Http),
            ("TCP", None,                        "http-admin", 80,    Http),
            ("TCP", None,                        "HTTP2-x",    80,    Http2),
            ("TCP", None,                        "grpc",       80,    Grpc),
            ("TCP", None,                        "grpc-web",   80,    GrpcWeb),
            ("TCP", None,                        "grpc-web-x", 80,    GrpcWeb),
            ("TCP", None,                        "grpc-api",   80,    Grpc),
            ("TCP", None,                        "https",      443,   Https),
            ("TCP", None,                        "tls-x",      443,   Tls),
            ("TCP", None,                        "tcp",        80,    Tcp),
            ("TCP", None,                        "mysql",      80,    Tcp),
            ("TCP", None,                        "mongo",      80,    Tcp),
            ("TCP", None,                        "redis",      80,    Tcp),
            ("TCP", None,                        "",           80,    Auto),
            ("TCP", None,                        "web",        80,    Auto),
            ("TCP", None,                        "httpx",      80,    Auto), // a prefix ends at `-`
            ("TCP", None,                        "",           25,    Tcp),
            ("TCP", None,                        "",           53,    Tcp),
            ("TCP", None,                        "",           3306,  Tcp),
            ("TCP", None,                        "",           27017, Tcp),
            ("TCP", None,                        "http",       3306,  Http),
            ("TCP", Some("grpc"),                "http",       80,    Grpc),
            ("TCP", Some("kubernetes.io/h2c"),   "tcp",        80,    Http2),
            ("TCP", Some("kubernetes.io/ws"),    "tcp",        80,    Http),
            ("TCP", Some("kubernetes.io/wss"),   "tcp",        80,    Https),
            ("TCP", Some("example.com/foo"),     "http",       80,    Auto), // said, but not known
            ("UDP", Some("http"),                "http",       80,    Udp),
            ("UDP", None,                        "dns",        53,    Udp),
        ];
        for (transport, app, name, port, expected) in table {
            let selected = Protocol::select(transport, app, name, port);
            assert_eq!(selected, expected, "{transport} {app:?} {name} {port}");
        }
    }
}
