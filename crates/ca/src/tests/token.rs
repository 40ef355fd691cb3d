//! Tokens, hostile and good.

use crate::Authority;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::KeyPair;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The API server's side: a key that signs, and what it publishes.
struct Cluster {
    key: EncodingKey,
    authority: Authority,
}

impl Cluster {
    fn new() -> Self {
        let key = EncodingKey::from_ec_pem(KeyPair::generate().unwrap().serialize_pem().as_bytes())
            .unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some("one".into());
        let keys = serde_json::to_string(&JwkSet { keys: vec![jwk] }).unwrap();
        let authority = Authority::new(ISSUER.into(), &keys).unwrap();
        Self { key, authority }
    }

    fn token(&self, claims: &Value) -> String {
        sign(&self.key, "one", claims)
    }
}

fn sign(key: &EncodingKey, id: &str, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(id.into());
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000)
}

/// The claims of a projected token, as the API server writes them.
fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": "system:serviceaccount:shop:cart", "aud": ["weft-ca"],
        "iat": 999_000, "nbf": 999_000, "exp": 1_003_600,
        "kubernetes.io": {
            "namespace": "shop", "node": {"name": "n1", "uid": "u0"},
            "pod": {"name": "cart-1", "uid": "u1"}, "serviceaccount": {"name": "cart", "uid": "u2"}
        }
    });
    change(&mut claims);
    claims
}

#[test]
#[rustfmt::skip]
fn a_hostile_token_is_refused_by_name() {
    let (cluster, other) = (Cluster::new(), Cluster::new());
    let good = cluster.token(&claims(|_| {}));
    let (body, _) = good.rsplit_once('.').unwrap();
    let shared_secret = EncodingKey::from_secret(b"public key text");
    let hmac = jsonwebtoken::encode(&Header { kid: Some("one".into()), ..Header::new(Algorithm::HS256) }, &claims(|_| {}), &shared_secret).unwrap();
    let table = [
        ("nothing", String::new(), "no_token"),
        ("not a token", "a.b.c".into(), "no_token"),
        ("64 KiB", "a".repeat(64 << 10), "no_token"),
        ("no signature", format!("{body}."), "token_signature"),
        ("another cluster's key under our key's id", sign(&other.key, "one", &claims(|_| {})), "token_signature"),
        ("a shared-secret algorithm", hmac, "token_signature"),
        ("an unpublished key", sign(&other.key, "two", &claims(|_| {})), "unknown_key"),
        ("another issuer's key", sign(&other.key, "two", &claims(|c| c["iss"] = json!("https://other"))), "issuer"),
        ("another issuer with our key", cluster.token(&claims(|c| c["iss"] = json!("https://other"))), "issuer"),
        ("another audience", cluster.token(&claims(|c| c["aud"] = json!(["https://kubernetes.default.svc"]))), "audience"),
        ("no audience", cluster.token(&claims(|c| drop(c.as_object_mut().unwrap().remove("aud")))), "audience"),
        ("an old token", cluster.token(&claims(|c| c["exp"] = json!(1_000_000))), "token_expired"),
        ("a token from the future", cluster.token(&claims(|c| c["nbf"] = json!(1_000_061))), "token_not_yet_valid"),
        ("a node's token", cluster.token(&claims(|c| c["sub"] = json!("system:node:n1"))), "not_a_pod"),
        ("a subject of another account", cluster.token(&claims(|c| c["sub"] = json!("system:serviceaccount:shop:admin"))), "not_a_pod"),
        ("no Kubernetes claims", cluster.token(&claims(|c| drop(c.as_object_mut().unwrap().remove("kubernetes.io")))), "not_a_pod"),
        ("not bound to a pod", cluster.token(&claims(|c| drop(c["kubernetes.io"].as_object_mut().unwrap().remove("pod")))), "not_a_pod"),
        ("a name that would change the identity", cluster.token(&claims(|c| {
            c["kubernetes.io"]["namespace"] = json!("shop/sa/x");
            c["sub"] = json!("system:serviceaccount:shop/sa/x:cart");
        })), "not_a_pod"),
    ];
    for (rule, token, code) in table {
        let refused = cluster.authority.authenticate(&token, now()).unwrap_err();
        assert_eq!(refused.code(), code, "{rule}: {refused}");
        assert!(refused.is_about_the_caller(), "{rule}");
    }
}

#[test]
fn a_projected_token_names_its_account_and_pod() {
    let cluster = Cluster::new();
    for audience in [json!(["other", "weft-ca"]), json!("weft-ca")] {
        let token = cluster.token(&claims(|c| c["aud"] = audience));
        let caller = cluster.authority.authenticate(&token, now()).unwrap();
        assert_eq!(
            caller.id(&"td".parse().unwrap()).as_str(),
            "spiffe://td/ns/shop/sa/cart"
        );
        assert_eq!((&*caller.pod.name, &*caller.pod.uid), ("cart-1", "u1"));
    }
}
