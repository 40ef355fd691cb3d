//! The server: one task for each stream, between a client's messages and the state machines.
//!
//! Flows in: a [`Source`], which knows who may connect and hands each stream the [`World`] that it
//! may see. Flows out: pushes, and an [`Event`] for all that an operator wants to count. Nothing is
//! read of a stream before its peer is authenticated. Must never decide what a client may see.
//!
//! At most one response of each type waits for its answer, and one is cut at about 1 MiB, so that a
//! client that does not read costs a bounded amount of memory.

mod delta;
mod lanes;
mod refused;
mod sotw;
mod stream;
#[cfg(test)]
mod tests;

use crate::World;
use refused::Refusals;
use std::sync::Arc;
use std::time::Duration;
use stream::Dialect;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Extensions, Request, Response, Status, Streaming};
use weft_proto::pb::envoy::config::core::v3::Node;
use weft_proto::pb::envoy::service::discovery::v3 as discovery;

use discovery::aggregated_discovery_service_server as generated;
pub use generated::AggregatedDiscoveryServiceServer;

/// Which variant of the protocol a stream speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Variant {
    /// Incremental.
    Delta,
    /// State of the world.
    Sotw,
}

/// What happened on a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The stream was admitted. The first event of each.
    Connected(Variant),
    /// A response was handed to the transport.
    Pushed {
        /// Type of its resources.
        type_url: Arc<str>,
        /// New and changed resources in it.
        resources: usize,
        /// Names in it that are gone.
        removed: usize,
        /// [`World::generation`] that it brings the client nearer to.
        generation: u64,
    },
    /// The client has a response in force.
    Acked {
        /// Type of its resources.
        type_url: Arc<str>,
        /// Since it was pushed.
        after: Duration,
    },
    /// The client refused a response, or a part of it.
    Nacked {
        /// Type of its resources.
        type_url: Arc<str>,
        /// Names in it, of which some are at fault; empty for [`Variant::Sotw`].
        names: Vec<Arc<str>>,
        /// The client's words.
        message: String,
    },
    /// The stream has ended. The last event of each.
    Disconnected,
}

/// An admitted stream.
#[derive(Debug)]
pub struct Admitted<C> {
    /// Given back with each [`Event`].
    pub client: C,
    /// What the client may see; `None` until that is known. Dropping the sender ends the stream.
    pub worlds: watch::Receiver<Option<Arc<World>>>,
}

/// Who may connect, and what they get.
pub trait Source: Send + Sync + 'static {
    /// A peer whose identity is proven.
    type Peer: Send + 'static;
    /// What the source recognises a stream by.
    type Client: Send + Sync + 'static;

    /// Proves who the peer is, from what the transport left in the request. Comes first.
    ///
    /// # Errors
    /// The refusal that the peer gets.
    fn authenticate(&self, extensions: &Extensions) -> Result<Self::Peer, Status>;

    /// Admits a stream of `peer`, which says it is `node`.
    ///
    /// # Errors
    /// The refusal that the peer gets, such as for a node that is not the peer's own.
    fn admit(&self, peer: Self::Peer, node: &Node) -> Result<Admitted<Self::Client>, Status>;

    /// Takes note of what happened. Must not block.
    fn report(&self, client: &Self::Client, event: Event);
}

/// The service for both variants; see [`Server::into_service`].
#[derive(Debug)]
pub struct Server<S> {
    source: Arc<S>,
    refusals: Arc<Refusals>,
}

impl<S: Source> Server<S> {
    /// A server of what `source` offers.
    pub fn new(source: Arc<S>) -> Self {
        let refusals = Arc::default();
        Self { source, refusals }
    }

    /// The service that a tonic server or router takes.
    pub fn into_service(
        self,
    ) -> AggregatedDiscoveryServiceServer<impl generated::AggregatedDiscoveryService> {
        AggregatedDiscoveryServiceServer::new(self)
    }

    fn open<D: Dialect>(&self, request: Request<Streaming<D::Request>>) -> Opened<D::Response> {
        let (_, extensions, requests) = request.into_parts();
        let peer = self.source.authenticate(&extensions)?;
        let (responses, outbound) = mpsc::channel(stream::MOST_UNREAD);
        let ends = stream::Ends {
            requests,
            responses,
        };
        let refusals = Arc::clone(&self.refusals);
        // Ends when either side of the connection does: both halves of `ends` say so.
        tokio::spawn(stream::serve::<D, S>(
            Arc::clone(&self.source),
            refusals,
            peer,
            ends,
        ));
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

type Responses<R> = ReceiverStream<Result<R, Status>>;
type Opened<R> = Result<Response<Responses<R>>, Status>;

#[tonic::async_trait]
impl<S: Source> generated::AggregatedDiscoveryService for Server<S> {
    type StreamAggregatedResourcesStream = Responses<discovery::DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Responses<discovery::DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<discovery::DiscoveryRequest>>,
    ) -> Opened<discovery::DiscoveryResponse> {
        self.open::<sotw::Sotw>(request)
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<discovery::DeltaDiscoveryRequest>>,
    ) -> Opened<discovery::DeltaDiscoveryResponse> {
        self.open::<delta::Delta>(request)
    }
}
