//! A server on loopback with a world of the test's choice.

use super::*;

/// Admits every node but one that is called `stranger`.
pub(super) struct Gate {
    pub(super) worlds: Mutex<Option<watch::Sender<Option<Arc<World>>>>>,
    events: UnboundedSender<Event>,
}

impl Source for Gate {
    type Peer = ();
    type Client = ();

    fn authenticate(&self, _: &Extensions) -> Result<(), Status> {
        Ok(())
    }

    fn admit(&self, (): (), node: &Node) -> Result<Admitted<()>, Status> {
        if node.id == "stranger" {
            return Err(Status::permission_denied("not your node"));
        }
        let worlds = self.worlds.lock().unwrap().as_ref().unwrap().subscribe();
        Ok(Admitted { client: (), worlds })
    }

    fn report(&self, (): &(), event: Event) {
        self.events.send(event).unwrap();
    }
}

pub(super) struct Fixture {
    pub(super) gate: Arc<Gate>,
    pub(super) events: UnboundedReceiver<Event>,
    address: SocketAddr,
}

impl Fixture {
    pub(super) async fn start(world: Option<World>) -> Self {
        let (events, received) = unbounded_channel();
        let worlds = Mutex::new(Some(watch::Sender::new(world.map(Arc::new))));
        let gate = Arc::new(Gate { worlds, events });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = Server::new(Arc::clone(&gate)).into_service();
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self {
            gate,
            events: received,
            address,
        }
    }

    pub(super) async fn channel(&self) -> Channel {
        let uri = format!("http://{}", self.address);
        Channel::from_shared(uri).unwrap().connect().await.unwrap()
    }

    pub(super) async fn client(&self) -> Client {
        let mut client = Client::new(node("sidecar"));
        client.subscribe(CLUSTER, &["*".into()]);
        client.connect(self.channel().await).await.unwrap();
        client
    }

    pub(super) fn publish(&self, world: World) {
        let worlds = self.gate.worlds.lock().unwrap();
        worlds.as_ref().unwrap().send_replace(Some(Arc::new(world)));
    }

    pub(super) async fn event(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.events.recv().await.unwrap();
            if wanted(&event) {
                return event;
            }
        }
    }

    /// The type and size of the next push.
    pub(super) async fn pushed(&mut self) -> (Arc<str>, usize, usize) {
        match self
            .event(|event| matches!(event, Event::Pushed { .. }))
            .await
        {
            Event::Pushed {
                type_url,
                resources,
                removed,
                ..
            } => (type_url, resources, removed),
            other => unreachable!("{other:?}"),
        }
    }
}

pub(super) fn node(id: &str) -> Node {
    Node {
        id: id.into(),
        ..Default::default()
    }
}

/// A world of one type, from name and content.
pub(super) fn world(sets: &[(&str, &[(&str, &str)])]) -> World {
    sets.iter()
        .fold(World::new(1), |world, (type_url, entries)| {
            let set: Set = entries
                .iter()
                .map(|(name, content)| ((*name).into(), resource(type_url, content)))
                .collect();
            world.with(type_url, Arc::new(set))
        })
}

pub(super) fn resource(type_url: &str, content: &str) -> Resource {
    let version = format!("{}-{}", content.len(), content.get(..1).unwrap_or_default()).into();
    let body = Any {
        type_url: type_url.into(),
        value: content.into(),
    };
    Resource {
        version,
        body: Arc::new(body),
    }
}

pub(super) fn hello(type_url: &str) -> discovery::DiscoveryRequest {
    discovery::DiscoveryRequest {
        node: Some(node("envoy")),
        type_url: type_url.into(),
        ..Default::default()
    }
}

/// A state-of-the-world stream that has sent these requests.
pub(super) async fn ends(
    fixture: &Fixture,
    requests: Vec<discovery::DiscoveryRequest>,
) -> Streaming<discovery::DiscoveryResponse> {
    let mut client = AggregatedDiscoveryServiceClient::new(fixture.channel().await);
    let requests =
        tokio_stream::StreamExt::chain(tokio_stream::iter(requests), tokio_stream::pending());
    client
        .stream_aggregated_resources(requests)
        .await
        .unwrap()
        .into_inner()
}
