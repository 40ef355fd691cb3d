//! The state-of-the-world variant on one stream: all its types together.

use super::Variant;
use super::lanes::Lanes;
use super::refused::Suspects;
use super::stream::{Dialect, Push, Taken};
use crate::World;
use crate::interest::Excess;
use crate::sotw::Subscription;
use std::sync::Arc;
use weft_proto::pb::envoy::config::core::v3::Node;
use weft_proto::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use weft_proto::type_url::{CLUSTER, ENDPOINTS};

#[derive(Debug, Default)]
pub(super) struct Sotw {
    lanes: Lanes<Subscription>,
    /// The last world that the client has all of.
    settled: Option<Arc<World>>,
}

impl Dialect for Sotw {
    type Request = DiscoveryRequest;
    type Response = DiscoveryResponse;
    const VARIANT: Variant = Variant::Sotw;

    /// This variant sends everything each time, so that nothing stays behind.
    fn new(_: Suspects) -> Self {
        Self::default()
    }

    fn node(request: &Self::Request) -> Option<&Node> {
        request.node.as_ref()
    }

    fn take(&mut self, request: &Self::Request) -> Result<Taken, Excess> {
        let lane = self.lanes.open(&request.type_url, Subscription::default)?;
        let answer = lane.subscription.request(request)?;
        let type_url = request.type_url.as_str().into();
        Ok(answer.map(|answer| (type_url, answer, lane.settle())))
    }

    /// Absence deletes here, so that a cluster that goes is still sent until no route points to it.
    fn push(&mut self, world: &Arc<World>) -> Vec<Push<Self::Response>> {
        if let Some(settled) = self
            .settled
            .as_ref()
            .filter(|settled| !Arc::ptr_eq(settled, world))
        {
            let bridge = world.keeping(settled, &[CLUSTER, ENDPOINTS]);
            let pushes = self.respond_all(&bridge);
            if !pushes.is_empty() || self.lanes.iter().any(|(_, lane)| lane.is_waiting()) {
                return pushes;
            }
        }
        self.settled = Some(Arc::clone(world));
        self.respond_all(world)
    }
}

impl Sotw {
    fn respond_all(&mut self, world: &World) -> Vec<Push<DiscoveryResponse>> {
        let type_urls = self.lanes.type_urls();
        type_urls
            .iter()
            .filter_map(|type_url| self.respond(type_url, world))
            .collect()
    }

    fn respond(&mut self, type_url: &Arc<str>, world: &World) -> Option<Push<DiscoveryResponse>> {
        let (nonce, lane) = self.lanes.free(type_url)?;
        let mut response = lane.subscription.respond(&world.set(type_url), nonce)?;
        lane.wait();
        response.type_url = type_url.to_string();
        if **type_url == *CLUSTER
            && let Some(endpoints) = self.lanes.of(ENDPOINTS)
        {
            endpoints.subscription.resend();
        }
        Some(Push {
            type_url: Arc::clone(type_url),
            resources: response.resources.len(),
            removed: 0,
            response,
        })
    }
}
