//! The words in which the end-to-end tests tell their stories: a mesh, applications, traffic, what is on the wire.
//!
//! Flows in: a cluster named by `KUBECONFIG`, with the images loaded and `helm` on the path. Flows out: what a user
//! would see. Must never look inside a program: only the API server, the pods' ports and the network count.

mod admin;
mod app;
mod cluster;
mod eventually;
mod exec;
mod kill;
mod length;
mod mesh;
mod tls;
mod traffic;
mod wire;

pub use admin::{Certificate, admin, certificates, page};
pub use app::{Answer, App, AppSettings, is_injected, is_ready};
pub use cluster::{Cluster, Namespace};
pub use eventually::{eventually, seconds};
pub use exec::{Output, exec};
pub use kill::kill_proxy;
pub use length::{Length, figure};
pub use mesh::{MESH, Mesh, SYSTEM};
pub use tls::Issuer;
pub use traffic::{Report, Traffic};
pub use wire::Capture;
