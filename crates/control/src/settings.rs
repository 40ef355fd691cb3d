//! Start-up settings: flags and the environment, read here only.

use clap::Parser;
use std::net::SocketAddr;

/// Settings of `weft-control`. What may change while it runs is in ConfigMap `weft-mesh` instead.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "weft-control",
    version,
    about = "Weft's control plane: xDS and the CA"
)]
pub struct Settings {
    /// Namespace of the control plane, which is the mesh's root namespace.
    #[arg(long, env = "POD_NAMESPACE", default_value = "weft-system")]
    pub namespace: String,
    /// Name of the pod; the holder of the Lease.
    #[arg(long, env = "POD_NAME", default_value = "weft-control")]
    pub pod: String,
    /// Where xDS and the CA are served, over TLS.
    #[arg(long, env = "WEFT_LISTEN", default_value = "[::]:15012")]
    pub listen: SocketAddr,
    /// Where metrics and health are served, in plaintext.
    #[arg(long, env = "WEFT_MONITORING", default_value = "[::]:15014")]
    pub monitoring: SocketAddr,
    /// Mesh revision that this control plane belongs to.
    #[arg(long, env = "WEFT_REVISION", default_value = "")]
    pub revision: String,
    /// Log filter.
    #[arg(long, env = "WEFT_LOG", default_value = "warn,weft=info")]
    pub log: String,
    /// `text` or `json`.
    #[arg(long, env = "WEFT_LOG_FORMAT", default_value = "text")]
    pub log_format: String,
}
