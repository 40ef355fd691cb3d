//! The delta client of one proxy: [`Session`] on a tonic channel.
//!
//! Connections, certificates and waiting between attempts are the caller's: the session outlives the
//! stream, so a new [`Client::connect`] after an error asks only for what changed.
//!
//! ```no_run
//! # async fn run(channel: tonic::transport::Channel, node: weft_proto::pb::envoy::config::core::v3::Node) -> Result<(), tonic::Status> {
//! use weft_proto::type_url::{CLUSTER, LISTENER};
//! let mut client = weft_xds::Client::new(node);
//! client.subscribe(CLUSTER, &["*".into()]);
//! client.subscribe(LISTENER, &["*".into()]);
//! client.connect(channel).await?;
//! loop {
//!     let update = client.next().await?;
//!     // apply it, then:
//!     client.ack(&update.type_url, &update.nonce);
//! }
//! # }
//! ```

use crate::delta::{Received, Session, Update};
use discovery::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use weft_proto::pb::envoy::config::core::v3::Node;
use weft_proto::pb::envoy::service::discovery::v3 as discovery;

/// A response is cut by our server at about 1 MiB; other servers send everything at once.
const LONGEST_RESPONSE: usize = 64 << 20;
/// Shortest and longest wait of [`retry_after`].
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3));

/// Subscriptions of one proxy and, while connected, its stream.
#[derive(Debug)]
pub struct Client {
    session: Session,
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    requests: mpsc::UnboundedSender<discovery::DeltaDiscoveryRequest>,
    responses: Streaming<discovery::DeltaDiscoveryResponse>,
}

impl Client {
    /// A client that is not connected and asks for nothing yet.
    pub fn new(node: Node) -> Self {
        Self {
            session: Session::new(node),
            stream: None,
        }
    }

    /// Asks for names, `*` for everything. Before [`Client::connect`] or at any time later.
    pub fn subscribe(&mut self, type_url: &str, names: &[String]) {
        let request = self.session.subscribe(type_url, names);
        self.send(request);
    }

    /// Asks no longer for names.
    pub fn unsubscribe(&mut self, type_url: &str, names: &[String]) {
        let request = self.session.unsubscribe(type_url, names);
        self.send(request);
    }

    /// Declares what a saved configuration already holds, so that it is not sent again; name and version.
    ///
    /// To be called before the first [`Client::connect`].
    pub fn restore(
        &mut self,
        type_url: &str,
        versions: impl IntoIterator<Item = (String, String)>,
    ) {
        self.session.restore(type_url, versions);
    }

    /// What is in force, as name and version; to be saved beside the configuration.
    pub fn versions(&self, type_url: &str) -> impl Iterator<Item = (&str, &str)> {
        self.session.versions(type_url)
    }

    /// Opens a stream, in place of the old one, and asks for all that is subscribed.
    ///
    /// # Errors
    /// The server's refusal, or why there is no connection.
    pub async fn connect(&mut self, channel: Channel) -> Result<(), Status> {
        self.stream = None;
        let (requests, outbound) = mpsc::unbounded_channel();
        for request in self.session.hello() {
            // The receiver is two lines up.
            let _ = requests.send(request);
        }
        let responses = AggregatedDiscoveryServiceClient::new(channel)
            .max_decoding_message_size(LONGEST_RESPONSE)
            .delta_aggregated_resources(UnboundedReceiverStream::new(outbound))
            .await?
            .into_inner();
        self.stream = Some(Stream {
            requests,
            responses,
        });
        Ok(())
    }

    /// Waits for the next response, which must be applied and then answered by [`Client::ack`] or
    /// [`Client::nack`]. May be dropped while waiting.
    ///
    /// An update without content is a server that says: all you have is current.
    ///
    /// # Errors
    /// The stream has ended; connect again after [`retry_after`].
    pub async fn next(&mut self) -> Result<Update, Status> {
        loop {
            let stream = self
                .stream
                .as_mut()
                .ok_or_else(|| Status::unavailable("not connected"))?;
            let response = stream.responses.message().await.transpose();
            let response =
                response.unwrap_or_else(|| Err(Status::unavailable("the server ended the stream")));
            match response
                .inspect_err(|_| self.stream = None)
                .map(|response| self.session.receive(response))?
            {
                Received::Update(update) => return Ok(update),
                Received::Broken(refusal) => self.send(Some(*refusal)),
            }
        }
    }

    /// Everything of this response is in force.
    pub fn ack(&mut self, type_url: &str, nonce: &str) {
        let request = self.session.ack(type_url, nonce);
        self.send(Some(request));
    }

    /// The named resources were refused and their last good versions stay; the rest is in force.
    pub fn nack(&mut self, type_url: &str, nonce: &str, refused: &[String], message: String) {
        let request = self.session.nack(type_url, nonce, refused, message);
        self.send(Some(request));
    }

    fn send(&self, request: Option<discovery::DeltaDiscoveryRequest>) {
        if let (Some(stream), Some(request)) = (&self.stream, request) {
            // A stream that has ended shows in `next`, and the next hello repeats all that counts.
            let _ = stream.requests.send(request);
        }
    }
}

/// How long to wait before the attempt after `failures` failed ones; `chance` in 0..1 spreads a fleet.
pub fn retry_after(failures: u32, chance: f64) -> Duration {
    let (shortest, longest) = WAITS;
    let full = shortest.saturating_mul(1 << failures.min(10)).min(longest);
    full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}
