//! Lists of ports and address ranges in annotations, checked before a container reads them.

use ipnet::IpNet;

/// Whether `text` is a comma-separated list of ports, or `*`.
pub(super) fn is_ports(text: &str) -> bool {
    text == "*" || is_port_numbers(text)
}

/// Whether `text` is a comma-separated list of ports; an empty one is right too.
pub(super) fn is_port_numbers(text: &str) -> bool {
    items(text).all(|item| {
        item.bytes().all(|b| b.is_ascii_digit()) && item.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// Whether `text` is a comma-separated list of CIDRs, or `*`.
pub(super) fn is_ranges(text: &str) -> bool {
    text == "*" || is_cidrs(text)
}

/// Whether `text` is a comma-separated list of CIDRs; an empty one is right too.
pub(super) fn is_cidrs(text: &str) -> bool {
    items(text).all(|item| item.parse::<IpNet>().is_ok())
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_from_1_to_65535() {
        for right in ["", "80", "80, 443", "80,"] {
            assert!(is_port_numbers(right), "{right}");
        }
        for wrong in ["0", "65536", "-1", "http", "80;443", "+80", "*"] {
            assert!(!is_port_numbers(wrong), "{wrong}");
        }
        assert!(is_ports("*"));
    }

    #[test]
    fn ranges_are_cidrs_of_both_families() {
        assert!(is_ranges("10.0.0.0/8,fd00::/8"));
        for wrong in ["10.0.0.0", "10.0.0.0/33", "*,10.0.0.0/8", "all"] {
            assert!(!is_ranges(wrong), "{wrong}");
        }
    }
}
