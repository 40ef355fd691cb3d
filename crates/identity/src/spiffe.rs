//! `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` and its three parts.
//!
//! Strict: only the one canonical spelling is accepted. An identity that could be written in two
//! ways would be two identities to one policy engine and one to another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// SPIFFE-ID §2.3: implementations must support and need not exceed 2048 bytes.
const LONGEST_ID: usize = 2048;

/// A name that Kubernetes or SPIFFE would not allow.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name:?} is not a valid {kind}; use {allowed}")]
pub struct InvalidName {
    name: String,
    kind: &'static str,
    allowed: &'static str,
}

/// A URI that is not the canonical form of a workload's SPIFFE id.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{uri:?} is not of the form spiffe://<trust domain>/ns/<namespace>/sa/<service account>")]
pub struct InvalidSpiffeId {
    uri: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $valid:path, $kind:literal, $allowed:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(name: &str) -> Result<Self, InvalidName> {
                if !$valid(name) {
                    return Err(InvalidName { name: excerpt(name), kind: $kind, allowed: $allowed });
                }
                Ok(Self(name.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The root of trust that an identity belongs to, such as `cluster.local`.
    TrustDomain,
    is_trust_domain,
    "trust domain",
    "lower-case letters, digits, '.', '-' and '_', at most 255"
);
name!(
    /// A Kubernetes namespace: an RFC 1123 label.
    Namespace,
    is_label,
    "namespace",
    "lower-case letters, digits and '-', at most 63"
);
name!(
    /// A Kubernetes service account: an RFC 1123 subdomain.
    ServiceAccount,
    is_subdomain,
    "service account",
    "lower-case letters, digits, '-' and '.', at most 253"
);

/// The identity of a workload; valid and canonical by construction.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SpiffeId(Arc<str>);

impl SpiffeId {
    /// The identity of `account` in `namespace`.
    pub fn new(domain: &TrustDomain, namespace: &Namespace, account: &ServiceAccount) -> Self {
        Self(format!("spiffe://{domain}/ns/{namespace}/sa/{account}").into())
    }

    /// The whole URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trust domain, such as `cluster.local`.
    pub fn trust_domain(&self) -> &str {
        self.parts().0
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.parts().1
    }

    /// The service account.
    pub fn service_account(&self) -> &str {
        self.parts().2
    }

    /// The URI without its scheme: how Istio's policies write a principal.
    pub fn principal(&self) -> &str {
        &self.0["spiffe://".len()..]
    }

    fn parts(&self) -> (&str, &str, &str) {
        split(&self.0).expect("checked when this value was made")
    }
}

impl FromStr for SpiffeId {
    type Err = InvalidSpiffeId;

    fn from_str(uri: &str) -> Result<Self, InvalidSpiffeId> {
        let valid = uri.len() <= LONGEST_ID
            && split(uri).is_some_and(|(domain, namespace, account)| {
                is_trust_domain(domain) && is_label(namespace) && is_subdomain(account)
            });
        if !valid {
            return Err(InvalidSpiffeId { uri: excerpt(uri) });
        }
        Ok(Self(uri.into()))
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn split(uri: &str) -> Option<(&str, &str, &str)> {
    let mut parts = uri.strip_prefix("spiffe://")?.split('/');
    let domain = parts.next()?;
    (parts.next()? == "ns").then_some(())?;
    let namespace = parts.next()?;
    (parts.next()? == "sa").then_some(())?;
    let account = parts.next()?;
    parts
        .next()
        .is_none()
        .then_some((domain, namespace, account))
}

fn is_trust_domain(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text
            .bytes()
            .all(|b| is_lower(b) || matches!(b, b'.' | b'-' | b'_'))
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| is_lower(b) || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Enough of a hostile text to recognise it in a message.
fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_three_parts() {
        let id: SpiffeId = "spiffe://cluster.local/ns/shop/sa/cart".parse().unwrap();
        assert_eq!(
            (id.trust_domain(), id.namespace()),
            ("cluster.local", "shop")
        );
        assert_eq!(
            (id.service_account(), id.principal()),
            ("cart", "cluster.local/ns/shop/sa/cart")
        );
    }

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let table = [
            "",
            "spiffe://",
            "spiffe://td",
            "SPIFFE://td/ns/a/sa/b",
            "http://td/ns/a/sa/b",
            "spiffe://TD/ns/a/sa/b",
            "spiffe://td/ns/A/sa/b",
            "spiffe://td/NS/a/sa/b",
            "spiffe://td/ns/a/sa/b/",
            "spiffe://td/ns/a/sa/b/c",
            "spiffe://td//ns/a/sa/b",
            "spiffe://td/ns//sa/b",
            "spiffe:///ns/a/sa/b",
            "spiffe://td/ns/%61/sa/b",
            "spiffe://td/ns/a/sa/b?x=1",
            "spiffe://td/ns/a/sa/b#x",
            "spiffe://td:443/ns/a/sa/b",
            "spiffe://user@td/ns/a/sa/b",
            "spiffe://td/ns/a/sa/..",
            "spiffe://td/ns/a/sa/b\0",
            "spiffe://td/ns/a/sa/b ",
            "spiffe://td/ns/ä/sa/b",
            "spiffe://td/sa/b/ns/a",
        ];
        for uri in table {
            assert!(uri.parse::<SpiffeId>().is_err(), "{uri:?}");
        }
        // Too long as a whole, though SPIFFE would allow each character.
        assert!(
            format!("spiffe://td/ns/a/sa/{}", "b".repeat(2048))
                .parse::<SpiffeId>()
                .is_err()
        );
    }

    #[test]
    fn a_made_id_is_the_parsed_one() {
        let made = SpiffeId::new(
            &"td".parse().unwrap(),
            &"a".parse().unwrap(),
            &"b.c".parse().unwrap(),
        );
        assert_eq!(made, "spiffe://td/ns/a/sa/b.c".parse().unwrap());
    }
}
