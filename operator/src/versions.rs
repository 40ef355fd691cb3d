//! Versions of the mesh that this operator can bring.

/// Every version that this operator renders, oldest first.
///
/// A version is never dropped silently: meshes keep running it until their spec says otherwise.
pub const KNOWN: &[&str] = &["0.1.0"];

/// The operator's own version, which is also the newest mesh that it knows.
pub const OPERATOR: &str = env!("CARGO_PKG_VERSION");

/// The version that `wanted` stands for: itself, or the newest patch of `0.1-latest`.
///
/// Nothing wanted is `pinned`, the version of the first installation, else the newest.
pub fn pick(wanted: Option<&str>, pinned: Option<&str>) -> Option<&'static str> {
    let known = |version: &str| KNOWN.iter().rev().find(|known| **known == version).copied();
    match (wanted, pinned) {
        (None, None) => KNOWN.last().copied(),
        (None, Some(pinned)) => known(pinned),
        (Some(wanted), _) => {
            let wanted = wanted.strip_prefix('v').unwrap_or(wanted);
            match wanted.strip_suffix("-latest") {
                Some(minor) => newest_patch(minor),
                None => known(wanted),
            }
        }
    }
}

/// `version` in the form of a label value, such as `0-1-0`.
pub fn revision(version: &str) -> String {
    version.replace('.', "-")
}

/// The newest of `0.1.*`.
fn newest_patch(minor: &str) -> Option<&'static str> {
    let of_minor = |known: &&&str| {
        known
            .strip_prefix(minor)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    KNOWN.iter().rev().find(of_minor).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_picked_from_those_that_exist() {
        let table = [
            (None, None, Some("0.1.0")),
            (None, Some("0.1.0"), Some("0.1.0")),
            (None, Some("0.0.9"), None), // pinned by an operator that knew it: never replaced
            (Some("0.1.0"), None, Some("0.1.0")),
            (Some("v0.1.0"), None, Some("0.1.0")),
            (Some("0.1-latest"), None, Some("0.1.0")),
            (Some("0.2-latest"), None, None),
            (Some("9.9.9"), Some("0.1.0"), None),
        ];
        for (wanted, pinned, expected) in table {
            assert_eq!(
                pick(wanted, pinned),
                expected,
                "{wanted:?}, pinned {pinned:?}"
            );
        }
    }

    #[test]
    fn the_operator_knows_the_mesh_that_it_was_released_with() {
        assert_eq!(KNOWN.last(), Some(&OPERATOR));
    }
}
