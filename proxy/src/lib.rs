//! The proxy: `control` keeps [`config::Config`] true, `data` obeys it.

pub mod config;
pub mod data;
