//! `/etc/resolv.conf`, as far as a forwarder needs it. Pure.

use std::net::{IpAddr, SocketAddr};

/// The name servers in their order (resolv.conf(5)); lines that cannot be read are passed over.
pub fn resolvers(text: &str) -> Vec<SocketAddr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some("nameserver"), Some(address)) => address.parse::<IpAddr>().ok(),
            _ => None,
        }
    });
    servers.map(|address| (address, 53).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_in_their_order() {
        let text = "# nameserver 1.1.1.1\nsearch shop.svc.cluster.local\nnameserver 10.96.0.10\n\
                    nameserver  fd00::a\nnameserver none\noptions ndots:5\n";
        let expected = ["10.96.0.10:53", "[fd00::a]:53"].map(|text| text.parse().unwrap());
        assert_eq!(resolvers(text), expected);
    }
}
