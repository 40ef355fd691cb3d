//! Settings of the operator's process: its flags and environment, read here only.

use clap::Parser;
use std::net::SocketAddr;

/// Makes the cluster as its MeshOperator says.
#[derive(Clone, Debug, Parser)]
#[command(name = "weft-operator", version)]
pub struct Settings {
    /// Image of this program; the mesh's images are taken from the same place.
    #[arg(
        long,
        env = "WEFT_IMAGE",
        default_value = "localhost/weft-operator:dev"
    )]
    pub image: String,
    /// Namespace of this program, where its Lease is.
    #[arg(long, env = "POD_NAMESPACE", default_value = "weft-system")]
    pub namespace: String,
    /// Name of this replica.
    #[arg(long, env = "POD_NAME", default_value = "weft-operator")]
    pub name: String,
    /// Address of health and metrics.
    #[arg(long, env = "WEFT_LISTEN", default_value = "[::]:15014")]
    pub listen: SocketAddr,
    /// Filter of the log.
    #[arg(long, env = "WEFT_LOG", default_value = "warn,weft=info")]
    pub log: String,
    /// `text` or `json`.
    #[arg(long, env = "WEFT_LOG_FORMAT", default_value = "text")]
    pub log_format: String,
}
