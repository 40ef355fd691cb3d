//! Who calls: a projected service-account token against the cluster's published keys.

use crate::Refused;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weft_identity::{Namespace, ServiceAccount, SpiffeId, TrustDomain};

/// The audience of the tokens that injected pods mount.
pub const AUDIENCE: &str = "weft-ca";
/// Real tokens have about 1 KiB.
const LONGEST_TOKEN: usize = 16 << 10;
/// How far the API server's clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(60);
/// Signatures that a stranger who only has the published keys cannot make.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The pod that a token is bound to; the token dies with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BoundPod {
    /// Name, in the caller's namespace.
    pub name: String,
    /// The object's uid: another pod of the same name has another.
    pub uid: String,
}

/// A workload whose token is good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// Namespace of its service account.
    pub namespace: Namespace,
    /// Its service account.
    pub service_account: ServiceAccount,
    /// The pod it runs in.
    pub pod: BoundPod,
}

impl Caller {
    /// The name that the caller may have a certificate for.
    pub fn id(&self, domain: &TrustDomain) -> SpiffeId {
        SpiffeId::new(domain, &self.namespace, &self.service_account)
    }
}

/// Who signs the tokens of a cluster.
#[derive(Clone, Debug)]
pub struct Authority {
    issuer: String,
    keys: JwkSet,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(default)]
    aud: OneOrMany,
    exp: u64,
    nbf: Option<u64>,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

#[derive(Deserialize)]
struct Kubernetes {
    namespace: String,
    pod: Option<Object>,
    serviceaccount: Object,
}

#[derive(Deserialize)]
struct Object {
    name: String,
    uid: String,
}

impl Authority {
    /// The issuer of `/.well-known/openid-configuration` with the keys of `/openid/v1/jwks`.
    ///
    /// # Errors
    /// If `keys` is not a JSON Web Key Set.
    pub fn new(issuer: String, keys: &str) -> Result<Self, serde_json::Error> {
        let keys = serde_json::from_str(keys)?;
        Ok(Self { issuer, keys })
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Who the bearer of `token` is. Whether the pod is still there is for the caller to see.
    ///
    /// # Errors
    /// What is wrong with the token.
    pub fn authenticate(&self, token: &str, now: SystemTime) -> Result<Caller, Refused> {
        let claims = self.verified(token)?;
        if claims.iss != self.issuer {
            return Err(Refused::Issuer { issuer: claims.iss });
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if Duration::from_secs(claims.exp) <= now {
            return Err(Refused::TokenExpired);
        }
        if claims
            .nbf
            .is_some_and(|nbf| Duration::from_secs(nbf) > now + SKEW)
        {
            return Err(Refused::TokenNotYetValid);
        }
        let audience = match claims.aud {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        };
        if !audience.iter().any(|one| one == AUDIENCE) {
            return Err(Refused::Audience { audience });
        }
        caller(&claims.sub, claims.kubernetes)
    }

    /// The claims, once the signature is known to be good. The library's own checks of claims read the
    /// machine's clock, and are off.
    fn verified(&self, token: &str) -> Result<Claims, Refused> {
        if token.is_empty() || token.len() > LONGEST_TOKEN {
            return Err(Refused::NoToken);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refused::NoToken)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(Refused::TokenSignature);
        }
        let key = self.key(token, header.kid.unwrap_or_default())?;
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let data = jsonwebtoken::decode(token, &key, &validation);
        data.map(|data| data.claims)
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::Json(_) => Refused::NotAPod,
                _ => Refused::TokenSignature,
            })
    }

    fn key(&self, token: &str, id: String) -> Result<DecodingKey, Refused> {
        let unknown = |key: String| match issuer_of(token) {
            // A stranger's token has a stranger's key; its issuer says more.
            Some(issuer) if issuer != self.issuer => Refused::Issuer { issuer },
            _ => Refused::UnknownKey { key },
        };
        match self
            .keys
            .find(&id)
            .map(DecodingKey::from_jwk as fn(&Jwk) -> _)
        {
            Some(Ok(key)) => Ok(key),
            Some(Err(_)) | None => Err(unknown(id)),
        }
    }
}

/// What a token says of its issuer, without proof.
pub fn issuer_of(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    jsonwebtoken::dangerous::insecure_decode_claims::<Issuer>(token)
        .ok()
        .map(|claims| claims.iss)
}

fn caller(subject: &str, claims: Option<Kubernetes>) -> Result<Caller, Refused> {
    let claims = claims.ok_or(Refused::NotAPod)?;
    let pod = claims.pod.ok_or(Refused::NotAPod)?;
    let expected = format!(
        "system:serviceaccount:{}:{}",
        claims.namespace, claims.serviceaccount.name
    );
    if subject != expected {
        return Err(Refused::NotAPod);
    }
    let not_a_name = |_| Refused::NotAPod;
    Ok(Caller {
        namespace: claims.namespace.parse().map_err(not_a_name)?,
        service_account: claims.serviceaccount.name.parse().map_err(not_a_name)?,
        pod: BoundPod {
            name: pod.name,
            uid: pod.uid,
        },
    })
}
