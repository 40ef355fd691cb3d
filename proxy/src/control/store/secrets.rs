//! Listeners with the secrets that they name.

use crate::config::{FilterChain, Listener, Secret, TlsIdentity, TlsRoots, TlsServer};
use std::collections::BTreeMap;
use std::sync::Arc;

type Secrets = BTreeMap<Arc<str>, Secret>;

/// The names of the secrets that `listener` wants.
pub(super) fn names(listener: &Listener) -> impl Iterator<Item = &Arc<str>> {
    let chains = listener.filter_chains.iter();
    let chains = chains.chain(&listener.default_filter_chain);
    chains.filter_map(|chain| chain.tls.as_ref()).flat_map(of)
}

fn of(tls: &TlsServer) -> impl Iterator<Item = &Arc<str>> {
    let own = match &tls.identity {
        TlsIdentity::Secret(name) => Some(name),
        TlsIdentity::Workload | TlsIdentity::Pem { .. } => None,
    };
    let roots = match &tls.client_roots {
        Some(TlsRoots::Secret(name)) => Some(name),
        Some(TlsRoots::Mesh | TlsRoots::Pem(_)) | None => None,
    };
    own.into_iter().chain(roots)
}

/// `listener` with the values of what it names; `None` until all of them are there.
pub(super) fn filled(listener: &Arc<Listener>, secrets: &Secrets) -> Option<Arc<Listener>> {
    if names(listener).next().is_none() {
        return Some(Arc::clone(listener));
    }
    let chains = listener.filter_chains.iter();
    let fallback = listener.default_filter_chain.as_ref();
    Some(Arc::new(Listener {
        filter_chains: chains.map(|it| chain(it, secrets)).collect::<Option<_>>()?,
        default_filter_chain: match fallback {
            Some(fallback) => Some(chain(fallback, secrets)?),
            None => None,
        },
        ..Listener::clone(listener)
    }))
}

fn chain(chain: &Arc<FilterChain>, secrets: &Secrets) -> Option<Arc<FilterChain>> {
    let Some(tls) = &chain.tls else {
        return Some(Arc::clone(chain));
    };
    let identity = match &tls.identity {
        TlsIdentity::Secret(name) => match secrets.get(name)? {
            Secret::Certificate(own) => own.clone(),
            Secret::Roots(_) => return None,
        },
        own @ (TlsIdentity::Workload | TlsIdentity::Pem { .. }) => own.clone(),
    };
    let client_roots = match &tls.client_roots {
        Some(TlsRoots::Secret(name)) => match secrets.get(name)? {
            Secret::Roots(roots) => Some(TlsRoots::Pem(Arc::clone(roots))),
            Secret::Certificate(_) => return None,
        },
        other @ (Some(TlsRoots::Mesh | TlsRoots::Pem(_)) | None) => other.clone(),
    };
    let tls = TlsServer {
        identity,
        client_roots,
        ..tls.clone()
    };
    Some(Arc::new(FilterChain {
        tls: Some(tls),
        ..FilterChain::clone(chain)
    }))
}
