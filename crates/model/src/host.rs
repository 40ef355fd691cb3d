//! Names of services.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A DNS name that stands for a service, such as `reviews.shop.svc.cluster.local`; lower case.
///
/// It may start with `*.` where an object allows that.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Host(Arc<str>);

impl Host {
    /// The name `name`.
    pub fn new(name: &str) -> Self {
        Self(name.to_ascii_lowercase().into())
    }

    /// The name of a Kubernetes Service.
    pub fn of_service(name: &str, namespace: &str, cluster_domain: &str) -> Self {
        Self(format!("{name}.{namespace}.svc.{cluster_domain}").into())
    }

    /// The name that `short` means in an object of `namespace`: a name without dots is a Service there.
    pub fn resolve(short: &str, namespace: &str, cluster_domain: &str) -> Self {
        match short.contains(['.', '*']) {
            true => Self::new(short),
            false => Self::of_service(&short.to_ascii_lowercase(), namespace, cluster_domain),
        }
    }

    /// Whether every name that `other` stands for is one of this one's.
    pub fn covers(&self, other: &Host) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => other
                .0
                .strip_prefix('*')
                .unwrap_or(&other.0)
                .ends_with(suffix),
            None => self == other,
        }
    }

    /// Whether it stands for several names.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with('*')
    }
}

impl Deref for Host {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn a_name_without_dots_is_a_service_of_the_objects_namespace() {
        let resolve = |short| Host::resolve(short, "shop", "cluster.local").to_string();
        assert_eq!(resolve("Cart"), "cart.shop.svc.cluster.local");
        assert_eq!(resolve("api.example.com"), "api.example.com");
        assert_eq!(resolve("*"), "*");
    }

    #[test]
    fn a_wildcard_covers_names_and_longer_wildcards_below_it() {
        let covers = |one, other| Host::new(one).covers(&Host::new(other));
        assert!(covers("*.example.com", "a.example.com"));
        assert!(covers("*.example.com", "*.a.example.com"));
        assert!(covers("*", "anything"));
        assert!(!covers("*.example.com", "example.com"));
        assert!(!covers("a.example.com", "*.example.com"));
    }
}
