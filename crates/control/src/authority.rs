//! The keys that sign service-account tokens, as the API server publishes them.
//!
//! Kept while the API server is away, so that certificates go on being signed. An issuer whose keys
//! cannot be had is asked about by TokenReview.

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::{Api, Client};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Mutex, RwLock, Semaphore, watch};
use weft_ca::{AUDIENCE, Authority, Caller, Refused, issuer_of};

/// Keys are read again this often, so that a rotated one is known before it is used.
const REFRESH: Duration = Duration::from_secs(300);
/// Shortest time between two extra looks for a key that we do not know.
const AGAIN: Duration = Duration::from_secs(10);
/// Reviews at once: callers without a good token must not keep the API server busy.
const MOST_REVIEWS: usize = 8;
/// Between attempts while there are none.
const RETRY: Duration = Duration::from_secs(2);

/// The cluster's own token keys; cheap to clone.
#[derive(Clone)]
pub struct Authorities {
    client: Client,
    current: Arc<RwLock<Option<Authority>>>,
    asked_again: Arc<Mutex<Option<Instant>>>,
    reviews: Arc<Semaphore>,
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorities").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

impl Authorities {
    /// No keys yet.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            current: Arc::default(),
            asked_again: Arc::default(),
            reviews: Arc::new(Semaphore::new(MOST_REVIEWS)),
        }
    }

    /// Keeps the keys fresh until `stop` changes.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            let pause = match self.refresh().await {
                Ok(()) => REFRESH,
                Err(error) => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "the cluster's token keys cannot be read"
                    );
                    RETRY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// Who the bearer of `token` is.
    ///
    /// # Errors
    /// Why the token is not good.
    pub async fn authenticate(&self, token: &str, now: SystemTime) -> Result<Caller, Refused> {
        match self.by_key(token, now).await {
            // A key that was made since the last look.
            Some(Err(Refused::UnknownKey { .. })) if self.refresh_again().await => self
                .by_key(token, now)
                .await
                .unwrap_or(Err(Refused::NoToken)),
            Some(answer) => answer,
            None => self.by_review(token).await,
        }
    }

    /// `None` when the keys of the token's issuer are not known.
    async fn by_key(&self, token: &str, now: SystemTime) -> Option<Result<Caller, Refused>> {
        let current = self.current.read().await;
        let authority = current.as_ref()?;
        (issuer_of(token)? == authority.issuer()).then(|| authority.authenticate(token, now))
    }

    /// Reads the keys again, unless that was just done: strangers can make up key ids.
    async fn refresh_again(&self) -> bool {
        let mut last = self.asked_again.lock().await;
        if last.is_some_and(|at| at.elapsed() < AGAIN) {
            return false;
        }
        *last = Some(Instant::now());
        self.refresh().await.is_ok()
    }

    async fn by_review(&self, token: &str) -> Result<Caller, Refused> {
        let busy = || Refused::Review {
            reason: "too many reviews at once".to_owned(),
        };
        let _place = self.reviews.try_acquire().map_err(|_| busy())?;
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                audiences: Some(vec![AUDIENCE.to_owned()]),
            },
            ..TokenReview::default()
        };
        let refused = |reason: String| Refused::Review { reason };
        let reviewed = Api::<TokenReview>::all(self.client.clone())
            .create(&kube::api::PostParams::default(), &review)
            .await
            .map_err(|error| refused(error.to_string()))?;
        let status = reviewed.status.unwrap_or_default();
        if status.authenticated != Some(true) {
            return Err(refused(
                status
                    .error
                    .unwrap_or_else(|| "not authenticated".to_owned()),
            ));
        }
        reviewed_caller(&status.user.unwrap_or_default()).ok_or(Refused::NotAPod)
    }

    async fn refresh(&self) -> Result<()> {
        let discovery = self.read("/.well-known/openid-configuration").await?;
        let Discovery { issuer } =
            serde_json::from_str(&discovery).context("the OpenID configuration is not JSON")?;
        let keys = self.read("/openid/v1/jwks").await?;
        let authority = Authority::new(issuer, &keys).context("not a JSON Web Key Set")?;
        self.learn(authority).await;
        Ok(())
    }

    /// Puts other keys in force.
    pub(crate) async fn learn(&self, authority: Authority) {
        *self.current.write().await = Some(authority);
    }

    async fn read(&self, path: &str) -> Result<String> {
        let request = http::Request::get(path).body(Vec::new())?;
        self.client
            .request_text(request)
            .await
            .with_context(|| format!("GET {path}"))
    }
}

fn reviewed_caller(user: &k8s_openapi::api::authentication::v1::UserInfo) -> Option<Caller> {
    let name = user
        .username
        .as_ref()?
        .strip_prefix("system:serviceaccount:")?;
    let (namespace, account) = name.split_once(':')?;
    let extra = |key: &str| user.extra.as_ref()?.get(key)?.first().cloned();
    Some(Caller {
        namespace: namespace.parse().ok()?,
        service_account: account.parse().ok()?,
        pod: weft_ca::BoundPod {
            name: extra("authentication.kubernetes.io/pod-name")?,
            uid: extra("authentication.kubernetes.io/pod-uid")?,
        },
    })
}
