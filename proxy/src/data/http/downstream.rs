//! A client's connection as its requests see it.

use super::h1::parse::Limits;
use super::headers;
use super::route::Table;
use crate::config::{ForwardClientCert, Hcm};
use crate::data::conn::ConnInfo;
use crate::data::report::HttpStats;
use crate::data::worker::Worker;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// A client's connection.
#[derive(Debug)]
pub struct Downstream {
    /// Its properties.
    pub conn: Rc<ConnInfo>,
    /// How HTTP is served on it.
    pub hcm: Arc<Hcm>,
    /// The worker that serves it.
    pub worker: Rc<Worker>,
    /// `http.<stat_prefix>.*` of this worker.
    pub stats: Arc<HttpStats>,
    /// When it should end however busy it is.
    pub expires: Option<Instant>,
    /// The element of `x-forwarded-client-cert` that names its verified peer.
    pub element: Option<Box<str>>,
}

impl Downstream {
    /// The connection `conn`, served as `hcm` says.
    pub fn new(conn: Rc<ConnInfo>, hcm: Arc<Hcm>, worker: Rc<Worker>) -> Self {
        let wanted = !matches!(hcm.forward_client_cert, ForwardClientCert::Sanitize);
        let peer = conn.peer.as_ref().filter(|_| wanted);
        let own = worker.secrets.current();
        let own = own.as_ref().and_then(|own| own.leaf().id.as_ref());
        let own = own.map(weft_identity::SpiffeId::as_str);
        let element = peer.map(|peer| headers::element(own, peer).into());
        let stats = worker.report.http(&hcm.stat_prefix);
        stats.cx_total.increment();
        let expires = hcm.max_connection_duration;
        Self {
            expires: expires.map(|limit| Instant::now() + limit),
            stats,
            conn,
            hcm,
            worker,
            element,
        }
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.conn.tls.is_some() {
            "https"
        } else {
            "http"
        }
    }

    /// What a request head may be.
    pub fn head_limits(&self) -> Limits {
        Limits {
            bytes: self.hcm.max_headers_bytes,
            fields: self.hcm.max_headers,
            http_10: self.hcm.accept_http_10,
        }
    }

    /// The routes now.
    pub fn table(&self) -> Option<Rc<Table>> {
        self.worker
            .http
            .table(&self.hcm.routes, &self.worker.config())
    }

    /// Whether the connection should end after what it is doing.
    pub fn draining(&self) -> bool {
        self.conn.drain.draining() || self.expires.is_some_and(|end| Instant::now() >= end)
    }

    /// Waits until it should end after what it is doing.
    pub async fn ending(&self) {
        let expired = async {
            match self.expires {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.conn.drain.begun() => {}
            () = expired => {}
        }
    }
}
