//! The proxy: `control` keeps [`config::Config`] true, `data` obeys it.

pub mod bootstrap;
pub mod init;

pub mod config;
pub mod control;
pub mod data;
pub mod dns;
pub mod file;

pub mod admin;
pub mod health;
pub mod serve;
pub mod sidecar;
pub mod standalone;
pub mod state;
