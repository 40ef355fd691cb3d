use super::*;
use crate::resolve::Lives;
use std::time::Duration;
use time::OffsetDateTime;

const HOUR: Duration = Duration::from_secs(3600);
const LIVES: Lives = Lives {
    root: Duration::from_secs(3600 * 1000),
    issuer: Duration::from_secs(3600 * 100),
    webhook: Duration::from_secs(3600 * 10),
};

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

fn made() -> (Texts, Texts) {
    make_all("cluster.local", &LIVES, now()).unwrap()
}

#[test]
fn what_was_made_is_sound_and_has_istios_shape() {
    let (root, issuer) = made();
    let keys: Vec<_> = issuer.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "ca-cert.pem",
            "ca-key.pem",
            "cert-chain.pem",
            "root-cert.pem"
        ]
    );
    let found = authority(Some(&issuer), Some(&root), now());
    let Authority::Sound {
        facts,
        root_key: None,
    } = found
    else {
        panic!("{found:?}")
    };
    assert_eq!(facts.issuer_not_after, now() + LIVES.issuer);
    assert_eq!(facts.fingerprints.len(), 1);
}

#[test]
fn an_authority_that_a_user_brings_is_adopted_without_its_root_key() {
    let (_, issuer) = made();
    let found = authority(Some(&issuer), None, now());
    assert!(
        matches!(found, Authority::Sound { root_key: None, .. }),
        "{found:?}"
    );
}

#[test]
fn what_cannot_be_used_is_damaged_and_says_why() {
    let (root, issuer) = made();
    let (_, other) = made();
    let mut without_key = issuer.clone();
    without_key.remove("ca-key.pem");
    let mut foreign_key = issuer.clone();
    foreign_key.insert("ca-key.pem".into(), other["ca-key.pem"].clone());
    let mut foreign_root = issuer.clone();
    foreign_root.insert("root-cert.pem".into(), other["root-cert.pem"].clone());
    let mut no_pem = issuer.clone();
    no_pem.insert("ca-cert.pem".into(), "hello".into());
    let table = [
        (without_key, "ca-key.pem is missing"),
        (foreign_key, "not trusted"),
        (foreign_root, "not trusted"),
        (no_pem, "ca-cert.pem"),
    ];
    for (texts, expected) in table {
        let found = authority(Some(&texts), Some(&root), now());
        let Authority::Damaged {
            secret: ISSUER,
            reason,
        } = found
        else {
            panic!("{found:?}")
        };
        assert!(reason.contains(expected), "{reason}");
    }
    let late = authority(Some(&issuer), None, now() + LIVES.issuer + HOUR);
    assert!(matches!(late, Authority::Damaged { .. }), "{late:?}");
}

#[test]
fn a_missing_issuer_comes_back_from_the_kept_root() {
    let (root, _) = made();
    assert_eq!(authority(None, None, now()), Authority::Absent);
    assert_eq!(authority(None, Some(&root), now()), Authority::NoIssuer);
    let issuer = issue(&root, None, "cluster.local", (&LIVES, now())).unwrap();
    assert!(matches!(
        authority(Some(&issuer), Some(&root), now()),
        Authority::Sound { .. }
    ));
}

#[test]
fn an_issuer_at_half_its_life_gets_a_successor_under_the_same_root() {
    let (root, issuer) = made();
    let later = now() + LIVES.issuer / 2;
    assert!(matches!(
        authority(Some(&issuer), Some(&root), later),
        Authority::Aging(_)
    ));
    let next = issue(&root, Some(&issuer), "cluster.local", (&LIVES, later)).unwrap();
    assert_eq!(next["root-cert.pem"], issuer["root-cert.pem"]);
    assert!(matches!(
        authority(Some(&next), Some(&root), later),
        Authority::Sound { .. }
    ));
}

fn written(step: WebhookStep) -> Texts {
    match step {
        WebhookStep::Write(texts) => texts,
        WebhookStep::Keep => panic!("nothing was written"),
    }
}

fn stepped(held: Option<&Texts>, trusted: Option<&str>, at: OffsetDateTime) -> WebhookStep {
    webhook_step(held, trusted, "weft-system", (LIVES.webhook, at)).unwrap()
}

#[test]
fn the_webhooks_certificate_rotates_with_overlap() {
    let first = written(stepped(None, None, now()));
    assert_eq!(stepped(Some(&first), None, now() + HOUR), WebhookStep::Keep);

    let half = now() + HOUR * 6;
    let announced = written(stepped(Some(&first), Some(&first["ca.crt"]), half));
    assert_eq!(
        announced["tls.crt"], first["tls.crt"],
        "the old one is still in use"
    );
    assert!(
        announced["ca.crt"].starts_with(&first["ca.crt"]),
        "both are trusted"
    );

    let untold = stepped(Some(&announced), Some(&first["ca.crt"]), half);
    assert_eq!(
        untold,
        WebhookStep::Keep,
        "the API server does not know the new one yet"
    );

    assert_eq!(
        stepped(Some(&announced), Some(&announced["ca.crt"]), half),
        WebhookStep::Keep,
        "the API server was told this very moment"
    );

    let heard = half + Duration::from_secs(4);
    let changed = written(stepped(Some(&announced), Some(&announced["ca.crt"]), heard));
    assert_ne!(changed["tls.crt"], first["tls.crt"]);
    assert_eq!(
        changed["ca.crt"], announced["ca.crt"],
        "the old one is still trusted"
    );
    assert_eq!(
        stepped(Some(&changed), Some(&changed["ca.crt"]), half),
        WebhookStep::Keep
    );

    let settled = written(stepped(
        Some(&changed),
        Some(&changed["ca.crt"]),
        half + HOUR * 2,
    ));
    assert!(
        announced["ca.crt"].ends_with(&settled["ca.crt"]),
        "only the new one is trusted"
    );
}

#[test]
fn a_lost_webhook_certificate_is_made_anew_with_overlap() {
    let first = written(stepped(None, None, now()));
    let trusted = Some(first["ca.crt"].as_str());
    let announced = written(stepped(None, trusted, now()));
    assert!(
        announced["ca.crt"].starts_with(&first["ca.crt"]) && announced["ca.crt"] != first["ca.crt"],
        "injectors still show the old one"
    );
    assert!(
        !announced.contains_key("tls.crt"),
        "no injector may take the new one yet"
    );
    let soon = now() + Duration::from_secs(4);
    assert_eq!(stepped(Some(&announced), trusted, soon), WebhookStep::Keep);

    let told = Some(announced["ca.crt"].as_str());
    let changed = written(stepped(Some(&announced), told, soon));
    assert_eq!(changed["tls.crt"], announced["next.crt"]);
    assert_eq!(changed["ca.crt"], announced["ca.crt"]);
}

#[test]
fn an_unusable_webhook_certificate_is_replaced_at_once() {
    let first = written(stepped(None, None, now()));
    let late = now() + LIVES.webhook + HOUR;
    assert!(matches!(
        stepped(Some(&first), None, late),
        WebhookStep::Write(_)
    ));
    let mut broken = first;
    broken.insert("tls.key".into(), "nothing".into());
    assert!(matches!(
        stepped(Some(&broken), None, now()),
        WebhookStep::Write(_)
    ));
}
