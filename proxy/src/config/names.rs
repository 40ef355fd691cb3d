//! Answers to the DNS queries of the application. Source: Istio `istio.networking.nds.v1`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Names that the mesh knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(pub HashMap<Arc<str>, Vec<IpAddr>>);

impl Names {
    /// The addresses of `name`, which is in lower case and has no final dot: its own, else those of
    /// the longest wildcard above it.
    pub fn find(&self, name: &str) -> Option<&[IpAddr]> {
        if let Some(own) = self.0.get(name) {
            return Some(own);
        }
        let above = name.match_indices('.').map(|(at, _)| &name[at..]);
        let mut wildcards = above.filter_map(|suffix| self.0.get(format!("*{suffix}").as_str()));
        wildcards.next().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_beats_the_wildcards_above_it_and_a_longer_one_a_shorter() {
        let ip = |last: u8| vec![IpAddr::from([192, 0, 2, last])];
        let names = [("a.b.c", 1), ("*.b.c", 2), ("*.c", 3)];
        let names = Names(names.map(|(name, last)| (name.into(), ip(last))).into());
        for (name, expected) in [("a.b.c", 1), ("x.b.c", 2), ("y.x.b.c", 2), ("b.c", 3)] {
            assert_eq!(names.find(name), Some(ip(expected).as_slice()), "{name}");
        }
        assert_eq!(names.find("c"), None);
        assert_eq!(names.find("a.b.d"), None);
    }
}
