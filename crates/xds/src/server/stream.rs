//! The life of one stream: admit, then exchange until somebody ends it.

use super::refused::{Refusals, Suspects};
use super::{Admitted, Event, Source, Variant};
use crate::World;
use crate::delta::Answer;
use crate::interest::Excess;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};
use weft_proto::pb::envoy::config::core::v3::Node;

/// Responses that wait for the transport: one of each type, so that sending never waits.
pub(super) const MOST_UNREAD: usize = super::lanes::MOST_TYPES + 1;
/// A client that opens a stream and says nothing is not one.
const FIRST_REQUEST: Duration = Duration::from_secs(10);

/// The answer that a request held: type, content, and how long after the push.
pub(super) type Taken = Option<(Arc<str>, Answer, Duration)>;

/// A response with what is told about it.
pub(super) struct Push<R> {
    pub(super) type_url: Arc<str>,
    pub(super) resources: usize,
    pub(super) removed: usize,
    pub(super) response: R,
}

/// One variant of the protocol with the state of one stream.
pub(super) trait Dialect: Send + 'static {
    type Request: Send + Sync + 'static;
    type Response: Send + 'static;
    const VARIANT: Variant;

    fn new(suspects: Suspects) -> Self;
    fn node(request: &Self::Request) -> Option<&Node>;
    fn take(&mut self, request: &Self::Request) -> Result<Taken, Excess>;
    /// All that may be sent now, in the order of sending.
    fn push(&mut self, world: &Arc<World>) -> Vec<Push<Self::Response>>;
}

/// Both directions of a stream.
pub(super) struct Ends<D: Dialect> {
    pub(super) requests: Streaming<D::Request>,
    pub(super) responses: mpsc::Sender<Result<D::Response, Status>>,
}

/// Serves one stream to its end.
pub(super) async fn serve<D: Dialect, S: Source>(
    source: Arc<S>,
    refusals: Arc<Refusals>,
    peer: S::Peer,
    mut ends: Ends<D>,
) {
    let ended = async {
        let first = first_request(&mut ends).await?;
        let node = D::node(&first)
            .ok_or_else(|| Status::invalid_argument("the first request names no node"))?;
        let Admitted { client, worlds } = source.admit(peer, node)?;
        let stream = Stream {
            source: &*source,
            refusals: &refusals,
            node: &node.id,
            client: &client,
        };
        source.report(&client, Event::Connected(D::VARIANT));
        let ended = stream.exchange(&first, worlds, &mut ends).await;
        source.report(&client, Event::Disconnected);
        ended
    };
    if let Err(status) = ended.await {
        // A client that is gone cannot be told why.
        let _ = ends.responses.try_send(Err(status));
    }
}

async fn first_request<D: Dialect>(ends: &mut Ends<D>) -> Result<D::Request, Status> {
    let silent = |_| Status::deadline_exceeded("no request came; send one with the node");
    let first = tokio::time::timeout(FIRST_REQUEST, ends.requests.message());
    first
        .await
        .map_err(silent)??
        .ok_or_else(|| Status::cancelled("the stream ended before its first request"))
}

struct Stream<'a, S: Source> {
    source: &'a S,
    refusals: &'a Refusals,
    node: &'a str,
    client: &'a S::Client,
}

impl<S: Source> Stream<'_, S> {
    async fn exchange<D: Dialect>(
        &self,
        first: &D::Request,
        mut worlds: watch::Receiver<Option<Arc<World>>>,
        ends: &mut Ends<D>,
    ) -> Result<(), Status> {
        let mut dialect = D::new(self.refusals.of(self.node));
        self.take(&mut dialect, first)?;
        loop {
            let world = worlds.borrow_and_update().clone();
            if let Some(world) = world {
                self.push(&mut dialect, &world, &ends.responses)?;
            }
            tokio::select! {
                request = ends.requests.message() => match request? {
                    Some(request) => self.take(&mut dialect, &request)?,
                    None => return Ok(()),
                },
                changed = worlds.changed() => {
                    changed.map_err(|_| Status::unavailable("this server is going away; connect again"))?;
                }
                () = ends.responses.closed() => return Ok(()),
            }
        }
    }

    fn take<D: Dialect>(&self, dialect: &mut D, request: &D::Request) -> Result<(), Status> {
        let taken = dialect
            .take(request)
            .map_err(|excess| Status::resource_exhausted(excess.to_string()))?;
        let event = match taken {
            None => return Ok(()),
            Some((type_url, Answer::Accepted, after)) => Event::Acked { type_url, after },
            Some((type_url, Answer::Refused { names, message }, _)) => {
                self.refusals
                    .add(self.node, &type_url, &names, Instant::now());
                Event::Nacked {
                    type_url,
                    names,
                    message,
                }
            }
        };
        self.source.report(self.client, event);
        Ok(())
    }

    fn push<D: Dialect>(
        &self,
        dialect: &mut D,
        world: &Arc<World>,
        responses: &mpsc::Sender<Result<D::Response, Status>>,
    ) -> Result<(), Status> {
        for push in dialect.push(world) {
            let Push {
                type_url,
                resources,
                removed,
                response,
            } = push;
            // Full only if a client answers what it has not read.
            let unread = |_| Status::resource_exhausted("the client does not read its responses");
            responses.try_send(Ok(response)).map_err(unread)?;
            let generation = world.generation;
            self.source.report(
                self.client,
                Event::Pushed {
                    type_url,
                    resources,
                    removed,
                    generation,
                },
            );
        }
        Ok(())
    }
}
