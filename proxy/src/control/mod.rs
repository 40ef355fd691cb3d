//! The control side: keeps [`crate::config::Config`] and the workload's certificate true.

pub mod decode;
