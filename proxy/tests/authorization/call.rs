//! One request or connection, as tests write it.

use std::net::IpAddr;

/// What arrives at the proxy beside `cart-1`.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The verified identity without `spiffe://`; `None` for plaintext.
    pub(crate) peer: Option<&'static str>,
    pub(crate) ip: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) port: u16,
    pub(crate) sni: Option<&'static str>,
    /// `None` for bytes.
    pub(crate) http: Option<Http>,
}

/// The HTTP part.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) method: &'static str,
    pub(crate) host: &'static str,
    /// As the client sends it.
    pub(crate) path: &'static str,
    pub(crate) fields: Vec<(&'static str, &'static str)>,
}

impl Call {
    pub(crate) fn tcp() -> Self {
        Self {
            peer: None,
            ip: "10.0.0.7".parse().unwrap(),
            destination: "10.0.0.9".parse().unwrap(),
            port: 8080,
            sni: None,
            http: None,
        }
    }

    pub(crate) fn http(method: &'static str, host: &'static str, path: &'static str) -> Self {
        let http = Http {
            method,
            host,
            path,
            fields: Vec::new(),
        };
        Self {
            http: Some(http),
            ..Self::tcp()
        }
    }
}
