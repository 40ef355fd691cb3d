//! Who answered, and who had asked: one [`Hop`] for each service that a request went through.

use clap::Args;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// Header in which a proxy tells the caller's identity (Envoy's `x-forwarded-client-cert`).
pub(crate) const CALLER: &str = "x-forwarded-client-cert";

/// This pod.
#[derive(Args, Clone, Debug)]
pub(crate) struct Me {
    /// Set from the role.
    #[arg(skip)]
    pub(crate) service: String,
    /// Version of the service, such as `v2`.
    #[arg(
        id = "service-version",
        long,
        env = "SHOP_VERSION",
        default_value = "v1",
        global = true
    )]
    pub(crate) version: String,
    /// Name of the pod.
    #[arg(long, env = "POD_NAME", default_value = "", global = true)]
    pub(crate) pod: String,
    /// Name of the node.
    #[arg(long, env = "NODE_NAME", default_value = "", global = true)]
    pub(crate) node: String,
}

/// One service that took part in an answer.
#[derive(Clone, Deserialize, PartialEq, prost::Message, Serialize)]
pub(crate) struct Hop {
    /// Such as `reviews`.
    #[prost(string, tag = "1")]
    pub(crate) service: String,
    /// Such as `v2`.
    #[prost(string, tag = "2")]
    pub(crate) version: String,
    /// Name of the pod.
    #[prost(string, tag = "3")]
    pub(crate) pod: String,
    /// Name of the node.
    #[prost(string, tag = "4")]
    pub(crate) node: String,
    /// SPIFFE identity of the caller; empty where nobody has vouched for it.
    #[prost(string, tag = "5")]
    pub(crate) caller: String,
}

impl Me {
    /// What this pod says of a request with these headers.
    pub(crate) fn hop(&self, headers: &HeaderMap) -> Hop {
        let caller = headers.get(CALLER).and_then(|value| value.to_str().ok());
        Hop {
            service: self.service.clone(),
            version: self.version.clone(),
            pod: self.pod.clone(),
            node: self.node.clone(),
            caller: caller.and_then(identity).unwrap_or_default(),
        }
    }
}

/// `By=…;Hash=…;URI=spiffe://…`, one for each proxy on the way: the last one is the nearest.
fn identity(header: &str) -> Option<String> {
    let nearest = header.rsplit(',').next()?;
    let uri = nearest
        .split(';')
        .find_map(|part| part.trim().strip_prefix("URI="))?;
    Some(uri.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_caller_is_the_last_one() {
        let header = "By=spiffe://a;URI=spiffe://td/ns/x/sa/far,By=spiffe://b;Hash=00;Subject=\"\";URI=spiffe://td/ns/x/sa/near";
        assert_eq!(
            identity(header).as_deref(),
            Some("spiffe://td/ns/x/sa/near")
        );
        assert_eq!(identity("By=spiffe://a;Hash=00"), None);
    }
}
