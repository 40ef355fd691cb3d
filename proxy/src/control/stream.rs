//! The xDS stream: keeps the published configuration equal to what the control plane says.
//!
//! Never gives up: without a control plane the last good configuration stays in force.

use super::channel::{Control, causes};
use super::saved::{Saved, SavedResource};
use super::store::{Refusal, Store};
use crate::config::Config;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;
use weft_identity::Identity;
use weft_proto::pb::envoy::config::core::v3::Node;
use weft_proto::type_url::{CLUSTER, ENDPOINTS, LISTENER, NAMES, ROUTE, SECRET};
use weft_xds::Client;
use weft_xds::client::retry_after;
use weft_xds::delta::Update;

/// The stream and what it fills.
#[derive(Debug)]
pub struct Stream {
    control: Control,
    saved: Saved,
    client: Client,
    store: Store,
    endpoints: BTreeSet<String>,
    routes: BTreeSet<String>,
    secrets: BTreeSet<String>,
    publish: watch::Sender<Option<Arc<Config>>>,
}

impl Stream {
    /// A stream that begins with what is saved, and publishes that at once if it is complete.
    pub fn new(
        control: Control,
        saved: Saved,
        node: Node,
        publish: watch::Sender<Option<Arc<Config>>>,
    ) -> Self {
        let mut client = Client::new(node);
        client.subscribe(CLUSTER, &["*".into()]);
        client.subscribe(LISTENER, &["*".into()]);
        client.subscribe(NAMES, &["*".into()]);
        let mut stream = Self {
            control,
            saved,
            client,
            store: Store::default(),
            endpoints: BTreeSet::new(),
            routes: BTreeSet::new(),
            secrets: BTreeSet::new(),
            publish,
        };
        stream.restore();
        stream
    }

    /// Follows the control plane for ever, with the certificate that is current at each connection.
    pub async fn run(mut self, mut identity: watch::Receiver<Option<Identity>>) {
        let mut failures = 0;
        loop {
            // The sender lives as long as the program.
            let Ok(()) = identity.wait_for(Option::is_some).await.map(drop) else {
                return;
            };
            let current = identity.borrow().clone();
            match self.follow(current.as_ref(), &mut failures).await {
                Ok(never) => match never {},
                Err(reason) => {
                    tracing::warn!(reason, "no configuration stream; connecting again");
                }
            }
            tokio::time::sleep(retry_after(failures, rand::random())).await;
            failures = failures.saturating_add(1);
        }
    }

    async fn follow(
        &mut self,
        identity: Option<&Identity>,
        failures: &mut u32,
    ) -> Result<std::convert::Infallible, String> {
        let channel = self.control.connect(identity).await;
        let channel = channel.map_err(|error| error.to_string())?;
        let connected = self.client.connect(channel).await;
        connected.map_err(|status| reason(&status))?;
        tracing::info!(host = self.control.host, "configuration stream open");
        loop {
            let update = self.client.next().await;
            let update = update.map_err(|status| reason(&status))?;
            *failures = 0;
            self.apply(update);
        }
    }

    fn apply(&mut self, update: Update) {
        let resources: Vec<SavedResource> = update
            .resources
            .into_iter()
            .map(|resource| SavedResource {
                type_url: update.type_url.clone(),
                name: resource.name,
                version: resource.version,
                value: resource.resource.map(|body| body.value).unwrap_or_default(),
            })
            .collect();
        let refused = self.store.update(&resources);
        self.store.remove(&update.type_url, &update.removed);
        self.follow_names();
        self.answer(&update.type_url, &update.nonce, &refused);
        self.advance();
    }

    fn answer(&mut self, type_url: &str, nonce: &str, refused: &[Refusal]) {
        if refused.is_empty() {
            return self.client.ack(type_url, nonce);
        }
        let text = |refusal: &Refusal| format!("{}: {}", refusal.name, refusal.fault);
        let message = refused.iter().map(text).collect::<Vec<_>>().join("; ");
        tracing::warn!(
            message,
            "resources are refused; their last good versions stay"
        );
        let names: Vec<String> = refused.iter().map(|refusal| refusal.name.clone()).collect();
        self.client.nack(type_url, nonce, &names, message);
    }

    /// Asks for the endpoints and routes that are wanted now, and no longer for others.
    fn follow_names(&mut self) {
        let wanted = self.store.wanted_endpoints();
        self.ask(ENDPOINTS, &self.endpoints.clone(), &wanted);
        self.endpoints = wanted;
        let wanted = self.store.wanted_routes();
        self.ask(ROUTE, &self.routes.clone(), &wanted);
        self.routes = wanted;
        let wanted = self.store.wanted_secrets();
        self.ask(SECRET, &self.secrets.clone(), &wanted);
        self.secrets = wanted;
    }

    fn ask(&mut self, type_url: &str, before: &BTreeSet<String>, wanted: &BTreeSet<String>) {
        let new: Vec<String> = wanted.difference(before).cloned().collect();
        let old: Vec<String> = before.difference(wanted).cloned().collect();
        if !new.is_empty() {
            self.client.subscribe(type_url, &new);
        }
        if !old.is_empty() {
            self.client.unsubscribe(type_url, &old);
            self.store.forget(type_url, &old);
        }
    }

    fn advance(&mut self) {
        let first = self.publish.borrow().is_none();
        if first && !self.store.complete() {
            return;
        }
        if let Some(config) = self.store.advance() {
            self.publish.send_replace(Some(config));
            if let Err(error) = self.saved.keep_configuration(&self.store.saved()) {
                tracing::warn!(%error, "the configuration is not saved");
            }
        }
    }

    fn restore(&mut self) {
        let saved = match self.saved.configuration() {
            Ok(Some(saved)) => saved,
            Ok(None) => return,
            Err(error) => return tracing::warn!(%error, "starting without saved configuration"),
        };
        let good = self.store.restore(&saved);
        if !self.store.complete() {
            self.store = Store::default();
            return;
        }
        self.follow_names();
        for (type_url, name, version) in good {
            self.client.restore(&type_url, [(name, version)]);
        }
        tracing::info!("serving with the saved configuration");
        self.advance();
    }
}

/// What the server said, or what broke the connection, which tonic hides behind "transport error".
fn reason(status: &tonic::Status) -> String {
    let source = std::error::Error::source(status);
    source.map_or_else(|| status.message().to_owned(), causes)
}
