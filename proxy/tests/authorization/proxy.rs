//! The whole chain: objects, model, translation, decoding, decision.

use super::call::{Call, Http};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use weft_model::{Node, Snapshot};
use weft_proto::type_url::LISTENER;
use weft_proxy::config::{FilterChain, HttpFilter, Listener, NetworkFilter, Terminal};
use weft_proxy::control::decode;
use weft_proxy::data::admit::{Facts, decide};
use weft_proxy::data::conn::{ConnInfo, PeerIdentity};
use weft_proxy::data::drain::DrainSender;
use weft_proxy::data::http::head::Request;
use weft_proxy::data::http::headers;

/// The proxy beside pod `shop/cart-1`.
pub(crate) struct Proxy {
    listener: Arc<Listener>,
    http: Arc<FilterChain>,
    tcp: Arc<FilterChain>,
}

impl Proxy {
    /// The proxy as `policies` make it.
    pub(crate) fn of(policies: &[Value]) -> Self {
        let mut objects = weft_model::Objects::default();
        let mesh = json!({
            "kind": "MeshSettings", "trustDomain": "td.example",
            "trustDomainAliases": ["old.example", "cluster.local"],
        });
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "cart-1", "namespace": "shop", "labels": {"app": "cart"}},
            "spec": {"containers": [{"name": "app"}]}, "status": {"podIP": "10.0.0.9"},
        });
        for document in [mesh, pod].into_iter().chain(policies.iter().cloned()) {
            weft_testkit::objects::add(&mut objects, document);
        }
        let node = Node {
            namespace: "shop".into(),
            pod: "cart-1".into(),
            ..Node::default()
        };
        let (resources, _) = weft_translate::resources(&Snapshot::build(&objects).0.view(&node));
        let mut listeners = resources.of(LISTENER);
        let (_, any) = listeners
            .find(|(name, _)| &***name == "virtualInbound")
            .unwrap();
        let listener = decode::listener(any).unwrap();
        let chain = |http: bool| {
            let mut chains = listener.filter_chains.iter();
            let wanted = |chain: &&Arc<FilterChain>| {
                &*chain.name == "virtualInbound"
                    && matches!(chain.terminal, Terminal::Http(_)) == http
            };
            Arc::clone(chains.find(wanted).unwrap())
        };
        Self {
            http: chain(true),
            tcp: chain(false),
            listener: Arc::new(listener),
        }
    }

    /// Whether `call` gets through.
    pub(crate) fn passes(&self, call: &Call) -> bool {
        match &call.http {
            Some(http) => self.request_passes(call, http),
            None => {
                let conn = self.conn(call, &self.tcp);
                let mut filters = self.tcp.filters.iter();
                filters.all(|NetworkFilter::Rbac(rbac)| {
                    decide(rbac, &Facts::tcp(&conn)).verdict.passes()
                })
            }
        }
    }

    fn request_passes(&self, call: &Call, http: &Http) -> bool {
        let Terminal::Http(hcm) = &self.http.terminal else {
            panic!("the chain of requests has a connection manager");
        };
        let conn = self.conn(call, &self.http);
        let mut request = Request {
            method: http.method.parse().unwrap(),
            scheme: "http",
            authority: http.host.to_owned(),
            target: http.path.to_owned(),
            fields: http.fields.iter().copied().collect(),
            ..Request::default()
        };
        headers::normalize(hcm, &mut request.target);
        let facts = Facts::http(&conn, &request, hcm.use_remote_address);
        hcm.filters.iter().all(|filter| match filter {
            HttpFilter::Rbac(rbac) => decide(rbac, &facts).verdict.passes(),
            HttpFilter::Fault(_)
            | HttpFilter::Cors
            | HttpFilter::LocalRateLimit(_)
            | HttpFilter::PeerMetadata
            | HttpFilter::IstioStats => true,
        })
    }

    fn conn(&self, call: &Call, chain: &Arc<FilterChain>) -> ConnInfo {
        let peer = call.peer.map(|name| PeerIdentity {
            uri: Some(format!("spiffe://{name}").into()),
            dns: Vec::new(),
            cert_sha256: "".into(),
            subject: "".into(),
        });
        ConnInfo {
            remote: SocketAddr::new(call.ip, 40000),
            local: SocketAddr::new(call.destination, call.port),
            redirected: true,
            sni: call.sni.map(Into::into),
            alpn: None,
            tls: None,
            peer,
            listener: Arc::clone(&self.listener),
            chain: Arc::clone(chain),
            started: Instant::now(),
            drain: DrainSender::new().subscribe(),
        }
    }
}
