//! Which namespaces see an object: Istio's `exportTo`.

use std::collections::BTreeSet;

/// The annotation of a Service that stands for `exportTo`.
pub const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// The namespaces that see an object.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Visibility {
    /// All.
    #[default]
    Everywhere,
    /// These; none if empty.
    Namespaces(BTreeSet<String>),
}

impl Visibility {
    /// Reads `exportTo` of an object in `namespace`; empty is Istio's default, everywhere.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>, namespace: &str) -> Self {
        let mut seen = BTreeSet::new();
        let mut any = false;
        for entry in entries
            .into_iter()
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            any = true;
            match entry {
                "*" => return Self::Everywhere,
                "~" => {}
                "." => drop(seen.insert(namespace.to_owned())),
                other => drop(seen.insert(other.to_owned())),
            }
        }
        if any {
            Self::Namespaces(seen)
        } else {
            Self::Everywhere
        }
    }

    /// Whether workloads of `namespace` see the object.
    pub fn includes(&self, namespace: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Namespaces(seen) => seen.contains(namespace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Visibility;

    #[test]
    #[rustfmt::skip]
    fn export_to_names_the_namespaces_that_see() {
        let table = [
            // exportTo             own    other
            ("",                    true,  true),
            ("*",                   true,  true),
            (".",                   true,  false),
            ("~",                   false, false),
            ("other",               false, true),
            (". , other",           true,  true),
            (".,*",                 true,  true),
        ];
        for (entries, own, other) in table {
            let seen = Visibility::parse(entries.split(','), "own");
            assert_eq!((seen.includes("own"), seen.includes("other")), (own, other), "{entries}");
        }
    }
}
