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
/// How long a successor waits at least: the API server is told at once and takes a moment to hear it.
const HEARING: Duration = Duration::from_secs(3);

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
/// An unreadable or expired certificate is replaced without being asked: nothing of a user's is in it.
///
/// # Errors
/// If the library that makes certificates refuses.
pub fn step(
    held: Option<&Texts>,
    trusted: Option<&str>,
    namespace: &str,
    (life, now): (Duration, OffsetDateTime),
) -> Result<Step, CannotMake> {
    if let Some((held, next)) = held.and_then(|held| Some((held, waiting(held, now)?))) {
        let told = trusted.is_none_or(|trusted| trusted == held["ca.crt"]);
        let heard = trusted.is_none() || now >= next + make::SKEW + HEARING;
        return Ok(match told && heard {
            true => Step::Write(change_over(held)),
            false => Step::Keep,
        });
    }
    let Some(held) = held.filter(|held| usable(held, now)) else {
        let (authority, pair) = fresh(namespace, life, now)?;
        let trusted = trusted.filter(|trusted| mesh::certificates(trusted).is_ok());
        return Ok(Step::Write(match trusted {
            // Injectors still show what this bundle vouches for.
            Some(trusted) => announce(&Texts::new(), (trusted, &authority), pair),
            None => texts(pair, authority),
        }));
    };
    let (start, end) = validity(&held["tls.crt"]).expect("a usable certificate has dates");
    if now >= start + (end - start) / 2 {
        let (authority, pair) = fresh(namespace, life, now)?;
        let trusted = (held["ca.crt"].as_str(), authority.as_str());
        return Ok(Step::Write(announce(held, trusted, pair)));
    }
    match settle(held) {
        Some(settled) if now >= start + OVERLAP => Ok(Step::Write(settled)),
        _ => Ok(Step::Keep),
    }
}

/// Whether a successor waits in the Secret `held` until the API server trusts it.
pub fn waits(held: &Texts) -> bool {
    held.contains_key("next.crt")
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
    valid(held, ("tls.crt", "tls.key"), now).is_some()
}

/// Start of the successor that waits, if it can be used.
fn waiting(held: &Texts, now: OffsetDateTime) -> Option<OffsetDateTime> {
    valid(held, ("next.crt", "next.key"), now)
}

/// Start of this certificate of the Secret, if it can be used.
fn valid(held: &Texts, (chain, key): (&str, &str), now: OffsetDateTime) -> Option<OffsetDateTime> {
    held.get("ca.crt")?;
    rcgen::KeyPair::from_pem(held.get(key)?).ok()?;
    let (start, end) = validity(held.get(chain)?)?;
    (now < end).then_some(start)
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

/// Trusts the successor's authority beside the `trusted` one; the successor waits.
fn announce(held: &Texts, (trusted, authority): (&str, &str), next: Pair) -> Texts {
    let mut texts = held.clone();
    texts.insert("ca.crt".to_owned(), format!("{trusted}{authority}"));
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
