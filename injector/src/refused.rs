//! Why a pod may not be created: every text names what is wrong and what to do.

/// A pod that cannot be injected as it asks to be. Texts may change, [`Refused::code`] is stable.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The object of the review.
    #[error("the object is not a Pod: {0}; send a v1 Pod")]
    NotAPod(String),
    /// A label or annotation has a value that it cannot have.
    #[error("{key} is \"{value}\"; set it to {expected}, or remove it")]
    BadValue {
        /// Label or annotation.
        key: String,
        /// Its value.
        value: String,
        /// Form of a right one.
        expected: String,
    },
    /// More than the mesh allows.
    #[error(
        "annotation {key} asks for {value} but this mesh allows at most {limit}; ask for less, or raise injection.overrides in the MeshOperator"
    )]
    OverLimit {
        /// Annotation.
        key: String,
        /// Its value.
        value: String,
        /// Bound from the MeshOperator.
        limit: String,
    },
    /// Annotations are switched off for this mesh.
    #[error(
        "annotation {key} may not change the sidecar in this mesh; remove it, or set injection.overrides.allowAnnotations in the MeshOperator"
    )]
    AnnotationsForbidden {
        /// Annotation.
        key: String,
    },
    /// An annotation that this mesh does not honour and that would matter.
    #[error("annotation {key} is not supported: {reason}")]
    Unsupported {
        /// Annotation.
        key: String,
        /// Why, and what to do instead.
        reason: String,
    },
    /// The application would escape capture.
    #[error(
        "container {container} runs as uid {uid}, which is the proxy's, so that its traffic would pass by the mesh; choose another runAsUser"
    )]
    ProxyUser {
        /// Container of the application.
        container: String,
        /// The uid.
        uid: i64,
    },
    /// A template that does not exist.
    #[error("template {name} is unknown; templates of this mesh are: {known}")]
    UnknownTemplate {
        /// Name that the pod asks for.
        name: String,
        /// Names that it could ask for.
        known: String,
    },
    /// A part of the pod's own `weft-proxy` container.
    #[error(
        "container {container} sets {field}, which a pod may not change of its sidecar; remove the field, or see injection.overrides.denyFields in the MeshOperator"
    )]
    DeniedField {
        /// Container of the pod.
        container: String,
        /// Path of the field.
        field: String,
    },
}

impl Refused {
    /// The `reason` label of `weft_injection_total` and the key of the audit annotation.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAPod(_) => "NotAPod",
            Self::BadValue { .. } => "BadValue",
            Self::OverLimit { .. } => "OverLimit",
            Self::AnnotationsForbidden { .. } => "AnnotationsForbidden",
            Self::Unsupported { .. } => "Unsupported",
            Self::ProxyUser { .. } => "ProxyUser",
            Self::UnknownTemplate { .. } => "UnknownTemplate",
            Self::DeniedField { .. } => "DeniedField",
        }
    }
}
