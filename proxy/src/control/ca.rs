//! Asking the CA for a certificate.

use super::channel::{Control, Unreachable};
use super::saved::SavedIdentity;
use std::path::PathBuf;
use std::time::Duration;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};
use weft_identity::{SpiffeId, csr};
use weft_proto::istio::{CREATE_CERTIFICATE, IstioCertificateRequest, IstioCertificateResponse};

/// Longest time for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a request needs beside the connection.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The pod's identity.
    pub id: SpiffeId,
    /// File of the service-account token; the kubelet renews it.
    pub token: PathBuf,
    /// Wished lifetime; `None` leaves it to the CA.
    pub lifetime: Option<Duration>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum NotIssued {
    /// The token cannot be read.
    #[error("read the token {}: {error}", .path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The control plane was not reached.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The CA refused.
    #[error("the CA does not sign for {id}: {} ({:?})", .status.message(), .status.code())]
    Refused {
        /// Who asked.
        id: SpiffeId,
        /// The CA's answer.
        status: Box<Status>,
    },
    /// The answer has no certificate in it.
    #[error("the CA's answer has {0} parts; at least a leaf and the roots are needed")]
    Short(usize),
}

/// Makes a key in this process and has it certified. Only the request leaves the pod.
///
/// # Errors
/// What stood in the way.
pub async fn issue(control: &Control, wish: &Wish) -> Result<SavedIdentity, NotIssued> {
    let token = std::fs::read_to_string(&wish.token).map_err(|error| NotIssued::Token {
        path: wish.token.clone(),
        error,
    })?;
    let request = csr::request(&wish.id);
    let seconds = wish.lifetime.map_or(0, |lifetime| lifetime.as_secs());
    let message = IstioCertificateRequest {
        csr: request.csr_pem,
        validity_duration: i64::try_from(seconds).unwrap_or(i64::MAX),
        metadata: None,
    };
    let channel = control.connect(None).await?;
    let answer = call(channel, message, token.trim())
        .await
        .map_err(|status| NotIssued::Refused {
            id: wish.id.clone(),
            status: Box::new(status),
        })?;
    // Leaf, intermediates, and last the roots.
    let [chain @ .., roots] = &answer.cert_chain[..] else {
        return Err(NotIssued::Short(0));
    };
    if chain.is_empty() {
        return Err(NotIssued::Short(1));
    }
    Ok(SavedIdentity {
        key: request.key_pem,
        chain: joined(chain),
        roots: roots.clone(),
    })
}

/// PEM texts one after the other, each ending its line.
fn joined(parts: &[String]) -> String {
    let ended = |part: &String| format!("{}\n", part.trim_end());
    parts.iter().map(ended).collect()
}

async fn call(
    channel: tonic::transport::Channel,
    message: IstioCertificateRequest,
    token: &str,
) -> Result<IstioCertificateResponse, Status> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    let bearer = format!("Bearer {token}")
        .parse()
        .map_err(|_| Status::invalid_argument("the token is not text"))?;
    request.metadata_mut().insert("authorization", bearer);
    let mut client = tonic::client::Grpc::new(channel);
    client
        .ready()
        .await
        .map_err(|error| Status::unavailable(super::channel::causes(&error)))?;
    let codec = tonic_prost::ProstCodec::default();
    let path = PathAndQuery::from_static(CREATE_CERTIFICATE);
    let answered = tokio::time::timeout(PATIENCE, client.unary(request, path, codec)).await;
    let answered = answered
        .map_err(|_| Status::deadline_exceeded(format!("no answer within {PATIENCE:?}")))?;
    Ok(answered?.into_inner())
}
