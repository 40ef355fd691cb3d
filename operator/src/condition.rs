//! Every condition that a MeshOperator can have, and every reason for it.
//!
//! Reasons are an interface: people alert on them. `docs/conditions.md` lists them all.

/// Types of conditions.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// The spec describes a mesh that can be brought.
    Accepted,
    /// All objects are as the spec says.
    Reconciled,
    /// Control plane and injector serve.
    Ready,
    /// Something is changing.
    Progressing,
    /// New pods get their sidecars.
    InjectionHealthy,
    /// Root and issuer can be used.
    CertificatesHealthy,
    /// Every key of `values` and `meshConfig` is understood.
    ValuesAccepted,
    /// Every field of the spec does something.
    FieldsSupported,
    /// Every proxy is of the stable revision.
    DataPlaneUpToDate,
    /// The removal is done; only while the object is being deleted.
    Removed,
}

/// Reasons of conditions; each belongs to one [`Kind`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// `Accepted`: nothing is wrong with the spec.
    Valid,
    /// `Accepted`: the operator does not know the version.
    UnknownVersion,
    /// `Accepted`: `values`, `meshConfig` or `k8s` hold something of the wrong kind.
    UnreadableField,
    /// `Accepted`: an older MeshOperator describes the mesh already.
    SecondMesh,
    /// `Reconciled`: the objects are as they should be.
    Applied,
    /// `Reconciled`: `spec.paused`.
    Paused,
    /// `Reconciled`: an object of the same name belongs to somebody else.
    ObjectInTheWay,
    /// `Reconciled`: the namespace is being deleted.
    NamespaceTerminating,
    /// `Reconciled`: the API server refused an object.
    ApplyFailed,
    /// `Reconciled`: somebody else changes an object back all the time.
    Thrashing,
    /// `Reconciled`: the spec is not accepted, so nothing is changed.
    NotAccepted,
    /// `Ready`: everything serves.
    Healthy,
    /// `Ready`: the control plane's Deployment is not available.
    ControlNotReady,
    /// `Ready`, `InjectionHealthy`: the injector's Deployment is not available.
    InjectorNotReady,
    /// `Ready`: a gateway's Deployment is not available.
    GatewayNotReady,
    /// `Ready`: an image cannot be had.
    ImageUnavailable,
    /// `Ready`: a container does not stay up.
    PodsFailing,
    /// `Ready`, `InjectionHealthy`: the webhook configuration does not exist yet.
    WebhookPending,
    /// `Progressing`: nothing moves.
    Settled,
    /// `Progressing`: the first control plane is coming up.
    Installing,
    /// `Progressing`: a change is being rolled out.
    Updating,
    /// `InjectionHealthy`: the API server asks ready injectors.
    Serving,
    /// `InjectionHealthy`: `components.injector.enabled` is false.
    InjectionDisabled,
    /// `InjectionHealthy`: no injector answers, so pods start without sidecars.
    AdmittingUninjected,
    /// `InjectionHealthy`: pods that started without sidecars are being replaced.
    Reinjecting,
    /// `CertificatesHealthy`: root and issuer can be used.
    Usable,
    /// `CertificatesHealthy`: a Secret of the authority cannot be used.
    AuthorityDamaged,
    /// `CertificatesHealthy`: the issuer works, its successor cannot be signed.
    RootKeyDamaged,
    /// `CertificatesHealthy`: the root ends within 30 days.
    RootExpiring,
    /// `ValuesAccepted`: all keys are known.
    KeysKnown,
    /// `ValuesAccepted`: some keys do nothing.
    KeysUnknown,
    /// `FieldsSupported`: all fields do something.
    AllSupported,
    /// `FieldsSupported`: some fields do nothing yet.
    NotYetSupported,
    /// `DataPlaneUpToDate`: all proxies are of the stable revision.
    UpToDate,
    /// `DataPlaneUpToDate`: some are not.
    Outdated,
    /// `Removed`: pods still have sidecars.
    InUse,
    /// `Removed`: sidecars are taken out, and what refuses plaintext would refuse their pods.
    StrictMtls,
    /// `Removed`: sidecars are being taken out.
    Uninjecting,
    /// `Removed`: objects are being deleted.
    Removing,
}

impl Kind {
    /// The condition's type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Reconciled => "Reconciled",
            Self::Ready => "Ready",
            Self::Progressing => "Progressing",
            Self::InjectionHealthy => "InjectionHealthy",
            Self::CertificatesHealthy => "CertificatesHealthy",
            Self::ValuesAccepted => "ValuesAccepted",
            Self::FieldsSupported => "FieldsSupported",
            Self::DataPlaneUpToDate => "DataPlaneUpToDate",
            Self::Removed => "Removed",
        }
    }
}

impl Reason {
    /// All of them, in the order of the documentation.
    pub const ALL: &[Self] = &[
        Self::Valid,
        Self::UnknownVersion,
        Self::UnreadableField,
        Self::SecondMesh,
        Self::Applied,
        Self::Paused,
        Self::ObjectInTheWay,
        Self::NamespaceTerminating,
        Self::ApplyFailed,
        Self::Thrashing,
        Self::NotAccepted,
        Self::Healthy,
        Self::ControlNotReady,
        Self::InjectorNotReady,
        Self::GatewayNotReady,
        Self::ImageUnavailable,
        Self::PodsFailing,
        Self::WebhookPending,
        Self::Settled,
        Self::Installing,
        Self::Updating,
        Self::Serving,
        Self::InjectionDisabled,
        Self::AdmittingUninjected,
        Self::Reinjecting,
        Self::Usable,
        Self::AuthorityDamaged,
        Self::RootKeyDamaged,
        Self::RootExpiring,
        Self::KeysKnown,
        Self::KeysUnknown,
        Self::AllSupported,
        Self::NotYetSupported,
        Self::UpToDate,
        Self::Outdated,
        Self::InUse,
        Self::StrictMtls,
        Self::Uninjecting,
        Self::Removing,
    ];

    /// The condition's reason: the variant's own name.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

/// One condition before it has a time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Which.
    pub kind: Kind,
    /// Whether it holds.
    pub holds: bool,
    /// Why.
    pub reason: Reason,
    /// What happened and what to do.
    pub message: String,
}

impl Finding {
    /// A condition that holds.
    pub fn yes(kind: Kind, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind,
            holds: true,
            reason,
            message: message.into(),
        }
    }

    /// A condition that does not hold.
    pub fn no(kind: Kind, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind,
            holds: false,
            reason,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_documented() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/conditions.md");
        let text = std::fs::read_to_string(path).unwrap();
        for reason in Reason::ALL {
            let name = reason.name();
            assert!(
                text.contains(&format!("| `{name}` |")),
                "{name} is not in docs/conditions.md"
            );
        }
    }
}
