//! The certificate service: Istio's `CreateCertificate`.

use super::connection::Peer;
use super::identity::Identities;
use crate::authority::Authorities;
use crate::collect::Knowledge;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use weft_ca::{Caller, Checked, Refused};
use weft_identity::TrustDomain;
use weft_model::Key;
use weft_model::objects::Pod;
use weft_proto::istio::{CREATE_CERTIFICATE, IstioCertificateRequest, IstioCertificateResponse};

/// Life of a certificate when the settings name none that can be read.
const DEFAULT_TTL: Duration = Duration::from_secs(24 * 3600);

/// How far the watch of pods may be behind the token of a new pod.
const WATCH_LAG: Duration = Duration::from_secs(2);

/// The service; cheap to clone.
#[derive(Clone, Debug)]
pub struct Ca {
    /// The keys that sign tokens.
    pub authorities: Authorities,
    /// The signer.
    pub identities: Identities,
    /// Pods and settings.
    pub knowledge: Knowledge,
    /// Answers by code: `issued`, or why not.
    pub answers: Answers,
}

/// Counts of answers by code.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Answers {
    /// The code for a certificate that was issued.
    pub const ISSUED: &str = "issued";

    fn count(&self, code: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(code).or_default() += 1;
    }

    /// All counts so far.
    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Ca {
    async fn create(
        &self,
        request: Request<IstioCertificateRequest>,
    ) -> Result<IstioCertificateResponse, Status> {
        let remote = request.extensions().get::<Peer>().map(|peer| peer.remote);
        let signed = self.sign(&request).await;
        self.answers.count(
            signed
                .as_ref()
                .map_or_else(Refused::code, |_| Answers::ISSUED),
        );
        signed
            .map(|cert_chain| IstioCertificateResponse { cert_chain })
            .map_err(|refused| {
                tracing::warn!(?remote, code = refused.code(), %refused, "certificate refused");
                status(&refused)
            })
    }

    async fn sign(
        &self,
        request: &Request<IstioCertificateRequest>,
    ) -> Result<Vec<String>, Refused> {
        let token = bearer(request).ok_or(Refused::NoToken)?;
        let now = SystemTime::now();
        let caller = self.authorities.authenticate(token, now).await?;
        self.check_pod(&caller).await?;
        let (domain, longest) = self.settings()?;
        let asked = request.get_ref();
        let checked = Checked::new(&asked.csr, &caller.id(&domain))?;
        let wished = match u64::try_from(asked.validity_duration) {
            Ok(0) | Err(_) => longest,
            Ok(seconds) => Duration::from_secs(seconds),
        };
        Ok(self
            .identities
            .signer()?
            .issue(&checked, wished, longest, now)?
            .chain)
    }

    /// Waits a moment for the watch to bring a pod that was made just now.
    async fn check_pod(&self, caller: &Caller) -> Result<(), Refused> {
        let mut knowledge = self.knowledge.clone();
        let key = Key::new(caller.namespace.as_str(), &*caller.pod.name);
        let known = knowledge
            .wait_for(|all| vouch(all.objects.pods.get(&key).map(|pod| &**pod), caller).is_ok());
        if tokio::time::timeout(WATCH_LAG, known)
            .await
            .is_ok_and(|known| known.is_ok())
        {
            return Ok(());
        }
        let knowledge = self.knowledge.borrow();
        if !knowledge.is_complete() {
            return Err(Refused::NoCa {
                reason: "the pods of the cluster are not known yet".into(),
            });
        }
        vouch(knowledge.objects.pods.get(&key).map(|pod| &**pod), caller)
    }

    fn settings(&self) -> Result<(TrustDomain, Duration), Refused> {
        let knowledge = self.knowledge.borrow();
        let settings = &knowledge.objects.settings;
        let domain = settings
            .trust_domain
            .parse()
            .map_err(|error| Refused::NoCa {
                reason: format!("trust domain: {error}"),
            })?;
        let ttl = weft_model::duration::parse(&settings.workload_cert_ttl);
        Ok((domain, ttl.unwrap_or(DEFAULT_TTL)))
    }
}

/// The pod that the token is bound to must be there, be that very one, and run as the token says.
fn vouch(pod: Option<&Pod>, caller: &Caller) -> Result<(), Refused> {
    let namespace = caller.namespace.to_string();
    let name = caller.pod.name.clone();
    match pod.filter(|pod| pod.uid == caller.pod.uid && !pod.finished) {
        None => Err(Refused::PodGone {
            namespace,
            pod: name,
        }),
        Some(pod) if pod.service_account == caller.service_account.as_str() => Ok(()),
        Some(_) => Err(Refused::OtherAccount {
            namespace,
            pod: name,
            service_account: caller.service_account.to_string(),
        }),
    }
}

fn bearer<T>(request: &Request<T>) -> Option<&str> {
    let value = request.metadata().get("authorization")?.to_str().ok()?;
    value
        .strip_prefix("Bearer ")
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

fn status(refused: &Refused) -> Status {
    let text = refused.to_string();
    match refused {
        Refused::NoCa { .. } => Status::unavailable(text),
        caller if caller.is_about_the_caller() => Status::unauthenticated(text),
        _ => Status::invalid_argument(text),
    }
}

impl NamedService for Ca {
    const NAME: &'static str = "istio.v1.auth.IstioCertificateService";
}

impl UnaryService<IstioCertificateRequest> for Ca {
    type Response = IstioCertificateResponse;
    type Future = BoxFuture<Response<IstioCertificateResponse>, Status>;

    fn call(&mut self, request: Request<IstioCertificateRequest>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.create(request).await.map(Response::new) })
    }
}

impl Service<http::Request<Body>> for Ca {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            if request.uri().path() != CREATE_CERTIFICATE {
                return Ok(Status::unimplemented("only CreateCertificate exists").into_http());
            }
            Ok(Grpc::new(ProstCodec::default()).unary(this, request).await)
        })
    }
}
