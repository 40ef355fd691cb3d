//! The incremental variant on one stream: all its types together.

use super::Variant;
use super::lanes::{Lane, Lanes};
use super::refused::Suspects;
use super::stream::{Dialect, Push, Taken};
use crate::World;
use crate::delta::{Part, Subscription};
use crate::interest::Excess;
use std::sync::Arc;
use weft_proto::pb::envoy::config::core::v3::Node;
use weft_proto::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
};
use weft_proto::type_url::{CLUSTER, ENDPOINTS};

/// Where a response is cut.
const LONGEST_RESPONSE: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Delta {
    lanes: Lanes<Subscription>,
    suspects: Suspects,
}

impl Dialect for Delta {
    type Request = DeltaDiscoveryRequest;
    type Response = DeltaDiscoveryResponse;
    const VARIANT: Variant = Variant::Delta;

    fn new(suspects: Suspects) -> Self {
        let lanes = Lanes::default();
        Self { lanes, suspects }
    }

    fn node(request: &Self::Request) -> Option<&Node> {
        request.node.as_ref()
    }

    fn take(&mut self, request: &Self::Request) -> Result<Taken, Excess> {
        let suspects = &mut self.suspects;
        let lane = self.lanes.open(&request.type_url, || {
            let mut subscription = Subscription::default();
            subscription.suspect(suspects.remove(&*request.type_url).unwrap_or_default());
            subscription
        })?;
        let answer = lane.subscription.request(request)?;
        let type_url = request.type_url.as_str().into();
        Ok(answer.map(|answer| (type_url, answer, lane.settle())))
    }

    fn push(&mut self, world: &Arc<World>) -> Vec<Push<Self::Response>> {
        let mut pushes = Vec::new();
        for type_url in self.lanes.type_urls() {
            pushes.extend(self.respond(&type_url, Part::Changes, world));
        }
        // What is removed may still be pointed at by something that waits for its own turn.
        let due = |(type_url, lane): (&Arc<str>, &Lane<Subscription>)| {
            lane.subscription
                .is_due(&world.set(type_url), Part::Changes)
        };
        if self.lanes.iter().any(due) {
            return pushes;
        }
        for type_url in self.lanes.type_urls().iter().rev() {
            let set = world.set(type_url);
            let waiting = self.lanes.of(type_url).is_some_and(|lane| {
                lane.is_waiting() && lane.subscription.is_due(&set, Part::Removals)
            });
            if waiting {
                break;
            }
            pushes.extend(self.respond(type_url, Part::Removals, world));
        }
        pushes
    }
}

impl Delta {
    fn respond(
        &mut self,
        type_url: &Arc<str>,
        part: Part,
        world: &World,
    ) -> Option<Push<DeltaDiscoveryResponse>> {
        let (nonce, lane) = self.lanes.free(type_url)?;
        let mut response =
            lane.subscription
                .respond(&world.set(type_url), part, nonce, LONGEST_RESPONSE)?;
        lane.wait();
        response.type_url = type_url.to_string();
        response.system_version_info = world.generation.to_string();
        if **type_url == *CLUSTER
            && let Some(endpoints) = self.lanes.of(ENDPOINTS)
        {
            let changed = response
                .resources
                .iter()
                .map(|cluster| cluster.name.as_str());
            endpoints.subscription.resend(changed);
        }
        Some(Push {
            type_url: Arc::clone(type_url),
            resources: response.resources.len(),
            removed: response.removed_resources.len(),
            response,
        })
    }
}
