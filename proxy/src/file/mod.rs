//! Envoy's bootstrap files: a proxy that runs by itself, without a control plane.
//!
//! Flows in: YAML or JSON in Envoy's v3 form. Flows out: the same resources that xDS brings, through
//! the same [`decode`](crate::control::decode), or everything that is wrong with the file, each with
//! its line, its field and the remedy. Nothing in a file is passed over without a word.

mod endpoints;
mod load;
mod locate;
mod older;
mod problem;
mod schema;
mod transcode;
mod tree;

#[cfg(test)]
mod tests;

pub use endpoints::EndpointFiles;
pub use load::{Loaded, load};
pub use problem::{Problem, Refused};
