//! An index of virtual hosts by domain, in Envoy's order of precedence.

use crate::config::VirtualHost;
use std::collections::HashMap;
use std::sync::Arc;

/// Domains of one table: exact before `*.suffix` before `prefix.*` before `*`, longest first.
#[derive(Debug, Default)]
pub(super) struct Domains {
    exact: HashMap<Box<str>, usize>,
    suffixes: Vec<(Box<str>, usize)>,
    prefixes: Vec<(Box<str>, usize)>,
    any: Option<usize>,
}

impl Domains {
    /// Indexes the domains of `hosts`; an earlier one wins.
    pub(super) fn new(hosts: &[Arc<VirtualHost>]) -> Self {
        let mut domains = Self::default();
        for (at, host) in hosts.iter().enumerate() {
            for domain in &host.domains {
                domains.add(&domain.to_ascii_lowercase(), at);
            }
        }
        domains
            .suffixes
            .sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        domains
            .prefixes
            .sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        domains
    }

    fn add(&mut self, domain: &str, at: usize) {
        if domain == "*" {
            self.any.get_or_insert(at);
        } else if let Some(suffix) = domain.strip_prefix('*') {
            self.suffixes.push((suffix.into(), at));
        } else if let Some(prefix) = domain.strip_suffix('*') {
            self.prefixes.push((prefix.into(), at));
        } else {
            self.exact.entry(domain.into()).or_insert(at);
        }
    }

    /// The position of the virtual host for `name`, ignoring case.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.find_lower(&name.to_ascii_lowercase());
        }
        self.find_lower(name)
    }

    fn find_lower(&self, name: &str) -> Option<usize> {
        let longer = |text: &str| name.len() > text.len();
        let suffix = || {
            self.suffixes
                .iter()
                .find(|(s, _)| longer(s) && name.ends_with(&**s))
        };
        let prefix = || {
            self.prefixes
                .iter()
                .find(|(p, _)| longer(p) && name.starts_with(&**p))
        };
        self.exact
            .get(name)
            .copied()
            .or_else(|| suffix().map(|(_, at)| *at))
            .or_else(|| prefix().map(|(_, at)| *at))
            .or(self.any)
    }
}
