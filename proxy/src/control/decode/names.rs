//! The table of names (NDS).

use super::{Fault, Outcome};
use crate::config::Names;
use std::net::IpAddr;
use std::sync::Arc;
use weft_proto::istio::NameTable;
use weft_proto::pb::google::protobuf::Any;

/// The names that the application's DNS queries are answered for.
///
/// # Errors
/// An address that is none.
pub fn names(any: &Any) -> Outcome<Names> {
    let from: NameTable = weft_proto::unpack(any).map_err(|e| Fault::new(e.to_string()))?;
    let mut names = Names::default();
    for (name, info) in from.table {
        let addresses: Result<Vec<IpAddr>, _> = info.ips.iter().map(|ip| ip.parse()).collect();
        let addresses = addresses
            .map_err(|_| Fault::new(format!("table[{name}].ips: one is not an IP address")))?;
        let key: Arc<str> = name.trim_end_matches('.').to_ascii_lowercase().into();
        names.0.insert(key, addresses);
    }
    Ok(names)
}
