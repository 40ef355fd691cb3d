//! The API server goes away and comes back, as the watches see it.

use std::time::Duration;

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;
use weft_control::collect::{self, Knowledge};
use weft_model::Key;

/// Long enough for several tries.
const OUTAGE: Duration = Duration::from_secs(3);
/// Tries come ever more seldom.
const AT_LAST: Duration = Duration::from_secs(30);

/// What the API server does.
#[derive(Clone, Debug)]
enum Server {
    /// It has these Services, and a list of every other kind.
    Has(Vec<&'static str>),
    /// Nobody listens.
    Away,
}

/// A client whose watches end when the server changes.
fn client(server: &watch::Sender<Server>) -> kube::Client {
    let server = server.subscribe();
    let service = tower::service_fn(move |request: Request<Body>| {
        let mut server = server.clone();
        async move {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let watched = query.contains("watch=true");
            if watched && !matches!(*server.borrow(), Server::Away) {
                // Nothing happens for as long as the server stays as it is.
                let _ = server.changed().await;
            }
            match server.borrow_and_update().clone() {
                Server::Away => Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)),
                // What the watch would go on from is too old for a server that was away.
                Server::Has(_) if watched => Ok(answer(&expired())),
                Server::Has(services) => Ok(answer(&list(request.uri().path(), &services))),
            }
        }
    });
    kube::Client::new(service, "default")
}

fn answer(body: &Value) -> Response<Body> {
    Response::new(Body::from(format!("{body}\n").into_bytes()))
}

/// What an API server says on a watch, as an event.
fn expired() -> Value {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410});
    json!({"type": "ERROR", "object": status})
}

fn list(path: &str, services: &[&str]) -> Value {
    let names = match path.rsplit('/').next() {
        Some("services") => services,
        _ => &[],
    };
    let object = |name: &&str| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop", "resourceVersion": "1"},
            "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 80}]}})
    };
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"},
        "items": names.iter().map(object).collect::<Vec<_>>()})
}

fn has(knowledge: &Knowledge, name: &str) -> bool {
    let known = knowledge.borrow();
    known.objects.services.contains_key(&Key::new("shop", name))
}

#[tokio::test]
async fn without_the_api_server_what_is_known_stays_and_it_is_asked_again() {
    let server = watch::Sender::new(Server::Has(vec!["cart"]));
    let (_watches, mut knowledge) = collect::start(&client(&server), "weft-system");
    let complete = knowledge.wait_for(|known| known.is_complete());
    drop(complete.await.unwrap());
    assert!(has(&knowledge, "cart"));

    server.send_replace(Server::Away);
    tokio::time::sleep(OUTAGE).await;
    assert!(has(&knowledge, "cart"), "an outage must not empty the mesh");
    assert!(knowledge.borrow().is_complete());

    server.send_replace(Server::Has(vec!["cart", "payment"]));
    let payment = Key::new("shop", "payment");
    let back = knowledge.wait_for(|known| known.objects.services.contains_key(&payment));
    let back = tokio::time::timeout(AT_LAST, back).await;
    assert!(back.is_ok(), "what changed meanwhile is learnt soon after");
}

#[tokio::test]
async fn a_control_plane_that_starts_without_the_api_server_waits_for_it() {
    let server = watch::Sender::new(Server::Away);
    let (_watches, mut knowledge) = collect::start(&client(&server), "weft-system");
    tokio::time::sleep(OUTAGE).await;
    assert!(
        !knowledge.borrow().is_complete(),
        "nothing may be served before everything is known"
    );

    server.send_replace(Server::Has(vec!["cart"]));
    let complete = knowledge.wait_for(|known| known.is_complete());
    let complete = tokio::time::timeout(AT_LAST, complete).await;
    assert!(complete.is_ok(), "it is asked again until it answers");
}
