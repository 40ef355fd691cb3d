//! Why one pass of the operator ended early.

/// What stopped a pass; the next one starts anew.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not answer, or refused.
    #[error("the API server refused or did not answer: {0}")]
    Kube(#[from] kube::Error),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] crate::ca::CannotMake),
}

impl Error {
    /// The value of the label `reason` in metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Kube(kube::Error::Api(_)) => "refused",
            Self::Kube(_) => "unreachable",
            Self::Certificate(_) => "certificate",
        }
    }
}
