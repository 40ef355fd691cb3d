//! What every pass of the operator shares.

use crate::condition::{Finding, Kind};
use crate::evict::Bucket;
use crate::metrics::Metrics;
use crate::pace::Pace;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use weft_api::operator::MeshOperator;

/// Shared by all passes.
#[derive(Clone)]
pub struct Context {
    /// The API server.
    pub kube: Client,
    /// Image of the operator, beside which the mesh's images are.
    pub own_image: String,
    /// Namespace of the operator, whose Secrets it may read and write.
    pub namespace: String,
    /// Recent writes.
    pub pace: std::sync::Arc<Pace>,
    /// Evictions that may happen now.
    pub evictions: std::sync::Arc<Bucket>,
    /// Counters.
    pub metrics: std::sync::Arc<Metrics>,
    events: Recorder,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("own_image", &self.own_image)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// A context for the operator `instance`, the name of its pod, in `namespace`.
    pub fn new(kube: Client, own_image: String, (namespace, instance): (String, String)) -> Self {
        let reporter = Reporter {
            controller: "weft-operator".to_owned(),
            instance: Some(instance),
        };
        Self {
            events: Recorder::new(kube.clone(), reporter),
            kube,
            own_image,
            namespace,
            pace: std::sync::Arc::default(),
            evictions: std::sync::Arc::default(),
            metrics: std::sync::Arc::default(),
        }
    }

    /// Tells, as an event of `mesh`, each condition that is new or has changed its reason.
    pub async fn tell_changes(&self, mesh: &MeshOperator, findings: &[Finding]) {
        let old = mesh
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        for finding in findings
            .iter()
            .filter(|finding| worth_telling(finding.kind))
        {
            let name = finding.reason.name();
            let told = old
                .iter()
                .any(|c| c.type_ == finding.kind.as_str() && c.reason == name);
            if !told {
                let kind = if finding.holds {
                    EventType::Normal
                } else {
                    EventType::Warning
                };
                self.tell(mesh, kind, (&name, &finding.message)).await;
            }
        }
    }

    /// Tells one thing as an event of `mesh`; one that cannot be told is logged.
    pub async fn tell(&self, mesh: &MeshOperator, type_: EventType, (reason, note): (&str, &str)) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            // Longer notes are refused.
            note: Some(note.chars().take(1000).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.events.publish(&event, &mesh.object_ref(&())).await {
            tracing::warn!(reason, %error, "an event cannot be written; the status says the same");
        }
    }
}

/// Counts of proxies change all the time, and progress is told by `Ready`.
fn worth_telling(kind: Kind) -> bool {
    match kind {
        Kind::Progressing | Kind::DataPlaneUpToDate => false,
        Kind::Accepted
        | Kind::Reconciled
        | Kind::Ready
        | Kind::InjectionHealthy
        | Kind::CertificatesHealthy
        | Kind::ValuesAccepted
        | Kind::FieldsSupported
        | Kind::Removed => true,
    }
}
