//! A client's connection as its requests see it.

use super::h1::parse::Limits;
use super::headers;
use super::route::Table;
use crate::config::{Config, ForwardClientCert, Hcm};
use crate::data::conn::ConnInfo;
use crate::data::report::HttpStats;
use crate::data::worker::Worker;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// A configuration, and the table that it has for a connection.
type Found = (Arc<Config>, Option<Rc<Table>>);

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
    /// The routes, and the configuration that they were looked up in.
    routes: RefCell<Option<Found>>,
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
            routes: RefCell::default(),
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
        let config = self.worker.config();
        let mut routes = self.routes.borrow_mut();
        match &*routes {
            Some((seen, table)) if Arc::ptr_eq(seen, &config) => table.clone(),
            Some(_) | None => {
                let table = self.worker.http.table(&self.hcm.routes, &config);
                *routes = Some((config, table.clone()));
                table
            }
        }
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
