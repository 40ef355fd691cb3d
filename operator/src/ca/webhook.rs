//! The webhook's own certificate and its rotation.
//!
//! Each certificate has an authority of its own, whose key is thrown away once it has signed. At
//! half its life a successor is made: first both authorities are trusted (`ca.crt`), then, once the
//! API server has been told so, the injector changes over, and an hour later the old authority goes.
//! At no moment does the API server meet a certificate that it does not trust.

use super::make::{self, CannotMake, Pair};
use super::{Texts, mesh};
use std::time::Duration;
use time::OffsetDateTime;

/// How long after a change-over the old authority stays trusted.
const OVERLAP: Duration = Duration::from_secs(3600);

/// What the Secret `weft-injector-tls` should hold.
#[derive(Debug, Eq, PartialEq)]
pub enum Step {
    /// What it holds.
    Keep,
    /// Something else.
    Write(Texts),
}

/// Decides on the Secret's texts.
///
/// `trusted` is the bundle in the webhook configuration, `None` where there is no configuration.
/// An unreadable or expired certificate is replaced at once: nothing of a user's is in it.
///
/// # Errors
/// If the library that makes certificates refuses.
pub fn step(
    held: Option<&Texts>,
    trusted: Option<&str>,
    namespace: &str,
    (life, now): (Duration, OffsetDateTime),
) -> Result<Step, CannotMake> {
    let usable = held.filter(|held| usable(held, now));
    let Some(held) = usable else {
        let (authority, pair) = fresh(namespace, life, now)?;
        return Ok(Step::Write(texts(pair, authority)));
    };
    if held.contains_key("next.crt") {
        let told = trusted.is_none_or(|trusted| trusted == held["ca.crt"]);
        return Ok(if told {
            Step::Write(change_over(held))
        } else {
            Step::Keep
        });
    }
    let (start, end) = validity(&held["tls.crt"]).expect("a usable certificate has dates");
    if now >= start + (end - start) / 2 {
        let (authority, pair) = fresh(namespace, life, now)?;
        return Ok(Step::Write(announce(held, &authority, pair)));
    }
    match settle(held) {
        Some(settled) if now >= start + OVERLAP => Ok(Step::Write(settled)),
        _ => Ok(Step::Keep),
    }
}

/// End of the certificate in use.
pub fn not_after(held: &Texts) -> Option<OffsetDateTime> {
    validity(held.get("tls.crt")?).map(|(_, end)| end)
}

/// Start and end of the first certificate of a PEM text.
pub(super) fn validity(text: &str) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let ders = mesh::certificates(text).ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(ders.first()?).ok()?;
    let validity = certificate.validity();
    Some((
        validity.not_before.to_datetime(),
        validity.not_after.to_datetime(),
    ))
}

fn usable(held: &Texts, now: OffsetDateTime) -> bool {
    let complete = ["tls.crt", "tls.key", "ca.crt"]
        .iter()
        .all(|key| held.contains_key(*key));
    let key = held
        .get("tls.key")
        .is_some_and(|key| rcgen::KeyPair::from_pem(key).is_ok());
    complete && key && not_after(held).is_some_and(|end| now < end)
}

/// A new authority and what it signed.
fn fresh(
    namespace: &str,
    life: Duration,
    now: OffsetDateTime,
) -> Result<(String, Pair), CannotMake> {
    let root = make::root("authority of the weft-injector webhook", now, life)?;
    let names = [
        format!("weft-injector.{namespace}.svc"),
        format!("weft-injector.{namespace}.svc.cluster.local"),
        format!("weft-injector.{namespace}"),
    ];
    let pair = make::leaf(&names, &root, now, life)?;
    Ok((root.certificate, pair))
}

fn texts(pair: Pair, authorities: String) -> Texts {
    Texts::from([
        ("tls.crt".to_owned(), pair.certificate),
        ("tls.key".to_owned(), pair.key),
        ("ca.crt".to_owned(), authorities),
    ])
}

/// Trusts the successor's authority as well; the successor waits.
fn announce(held: &Texts, authority: &str, next: Pair) -> Texts {
    let mut texts = held.clone();
    texts.insert(
        "ca.crt".to_owned(),
        format!("{}{authority}", held["ca.crt"]),
    );
    texts.insert("next.crt".to_owned(), next.certificate);
    texts.insert("next.key".to_owned(), next.key);
    texts
}

/// Uses the successor.
fn change_over(held: &Texts) -> Texts {
    let text = |key: &str| held.get(key).cloned().unwrap_or_default();
    let next = Pair {
        certificate: text("next.crt"),
        key: text("next.key"),
    };
    texts(next, text("ca.crt"))
}

/// Trusts the newest authority only; `None` if that is so already.
fn settle(held: &Texts) -> Option<Texts> {
    let blocks = pem::parse_many(&held["ca.crt"]).ok()?;
    let newest = blocks.last().filter(|_| blocks.len() > 1)?;
    let mut texts = held.clone();
    let line_feeds = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    texts.insert("ca.crt".to_owned(), pem::encode_config(newest, line_feeds));
    Some(texts)
}
