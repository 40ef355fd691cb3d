//! The proxy: `control` keeps [`config::Config`] true, `data` obeys it.

pub mod bootstrap;
pub mod config;
pub mod control;
pub mod data;
pub mod init;
