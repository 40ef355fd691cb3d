//! Settings of the mesh, as decisions need them.

use std::time::Duration;
use weft_api::settings::{AccessLogSettings, MeshSettings, MtlsMode, OutboundPolicy};

/// How long a proxy waits for the first bytes before it takes a connection for server-first.
///
/// Istio waits for ever, so that a server that speaks first hangs behind an undeclared port.
const DETECTION_TIMEOUT: Duration = Duration::from_millis(50);

/// Settings that count for every proxy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mesh {
    /// Namespace whose objects count for the whole mesh.
    pub root_namespace: String,
    /// SPIFFE trust domain, then the further ones that are accepted.
    pub trust_domains: Vec<String>,
    /// Cluster domain of service names.
    pub cluster_domain: String,
    /// Cluster id in metric labels.
    pub cluster_id: String,
    /// mTLS where no PeerAuthentication says otherwise.
    pub mtls: MtlsMode,
    /// Whether destinations that the mesh does not know are reached.
    pub outbound: OutboundPolicy,
    /// Access log of every proxy.
    pub access_log: Option<AccessLogSettings>,
    /// Wait for the first bytes of a connection of unknown protocol; zero waits for ever.
    pub detection_timeout: Duration,
    /// The form into which the paths of requests are brought.
    pub paths: Paths,
}

/// Istio `PathNormalization.NormalizationType`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Paths {
    /// As they came.
    None,
    /// Dot segments and needless escapes are resolved, `\` is `/` (RFC 3986).
    #[default]
    Base,
    /// As `Base`, and several slashes are one.
    MergeSlashes,
    /// As `MergeSlashes`, and escaped slashes are slashes.
    DecodeAndMergeSlashes,
}

impl Default for Mesh {
    fn default() -> Self {
        Self::from(&MeshSettings::default())
    }
}

impl From<&MeshSettings> for Mesh {
    fn from(settings: &MeshSettings) -> Self {
        let aliases = settings.trust_domain_aliases.iter();
        Self {
            root_namespace: settings.root_namespace.clone(),
            trust_domains: std::iter::once(&settings.trust_domain)
                .chain(aliases)
                .cloned()
                .collect(),
            cluster_domain: settings.cluster_domain.clone(),
            cluster_id: settings.cluster_id.clone(),
            mtls: settings.mtls,
            outbound: settings.outbound,
            access_log: settings.access_log.clone(),
            detection_timeout: detection_timeout(settings),
            paths: paths(settings),
        }
    }
}

fn detection_timeout(settings: &MeshSettings) -> Duration {
    settings
        .extra
        .get("protocolDetectionTimeout")
        .and_then(|value| crate::duration::parse(value.as_str()?))
        .unwrap_or(DETECTION_TIMEOUT)
}

/// What is not known counts as Istio's default.
fn paths(settings: &MeshSettings) -> Paths {
    let stated = settings.extra.get("pathNormalization");
    match stated.and_then(|value| value.get("normalization")?.as_str()) {
        Some("NONE") => Paths::None,
        Some("MERGE_SLASHES") => Paths::MergeSlashes,
        Some("DECODE_AND_MERGE_SLASHES") => Paths::DecodeAndMergeSlashes,
        _ => Paths::Base, // text of the user's
    }
}
