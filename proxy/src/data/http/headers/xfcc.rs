//! `x-forwarded-client-cert`: who called, for the application.
//!
//! Source: Envoy "x-forwarded-client-cert" documentation; Istio sets subject, URI and DNS.

use crate::config::ForwardClientCert;
use crate::data::conn::PeerIdentity;
use crate::data::http::fields::Fields;
use std::fmt::Write;

const NAME: &str = "x-forwarded-client-cert";

/// The element that describes `peer`, which called the workload `own`.
pub fn element(own: Option<&str>, peer: &PeerIdentity) -> String {
    let mut text = String::new();
    if let Some(own) = own {
        text.push_str("By=");
        text.push_str(own);
        text.push(';');
    }
    write!(
        text,
        "Hash={};Subject=\"{}\"",
        peer.cert_sha256,
        quoted(&peer.subject)
    )
    .expect("writing to a String cannot fail");
    if let Some(uri) = &peer.uri {
        text.push_str(";URI=");
        text.push_str(uri);
    }
    for name in &peer.dns {
        text.push_str(";DNS=");
        text.push_str(name);
    }
    text
}

fn quoted(text: &str) -> String {
    text.replace('"', "\\\"")
}

/// Leaves in `fields` what the application may believe. `element` describes a verified peer.
pub fn forward(mode: ForwardClientCert, element: Option<&str>, fields: &mut Fields) {
    match (mode, element) {
        (ForwardClientCert::AlwaysForwardOnly, _) | (ForwardClientCert::ForwardOnly, Some(_)) => {}
        (ForwardClientCert::SanitizeSet, Some(element)) => fields.set(NAME, element.as_bytes()),
        (ForwardClientCert::AppendForward, Some(element)) => {
            let value = match fields.joined(NAME) {
                Some(before) => format!("{before},{element}"),
                None => element.to_owned(),
            };
            fields.set(NAME, value.as_bytes());
        }
        (
            ForwardClientCert::Sanitize
            | ForwardClientCert::ForwardOnly
            | ForwardClientCert::SanitizeSet
            | ForwardClientCert::AppendForward,
            _,
        ) => {
            fields.remove(NAME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> PeerIdentity {
        PeerIdentity {
            uri: Some("spiffe://cluster.local/ns/shop/sa/cart".into()),
            dns: Vec::new(),
            cert_sha256: "ab12".into(),
            subject: "".into(),
        }
    }

    #[test]
    fn the_element_is_written_as_envoy_writes_it() {
        let element = element(Some("spiffe://cluster.local/ns/shop/sa/reviews"), &peer());
        assert_eq!(
            element,
            "By=spiffe://cluster.local/ns/shop/sa/reviews;Hash=ab12;Subject=\"\";\
             URI=spiffe://cluster.local/ns/shop/sa/cart"
        );
    }

    #[test]
    #[rustfmt::skip]
    fn only_a_verified_peer_can_leave_something_behind() {
        use ForwardClientCert::{AlwaysForwardOnly, AppendForward, ForwardOnly, Sanitize, SanitizeSet};
        let table = [
            (Sanitize,          Some("me"), None),
            (ForwardOnly,       Some("me"), Some("forged")),
            (ForwardOnly,       None,       None),
            (AppendForward,     Some("me"), Some("forged,me")),
            (AppendForward,     None,       None),
            (SanitizeSet,       Some("me"), Some("me")),
            (SanitizeSet,       None,       None),
            (AlwaysForwardOnly, None,       Some("forged")),
        ];
        for (mode, element, expected) in table {
            let mut fields: Fields = [(NAME, "forged")].into_iter().collect();
            forward(mode, element, &mut fields);
            assert_eq!(fields.text(NAME), expected, "{mode:?} {element:?}");
        }
    }
}
