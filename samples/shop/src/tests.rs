//! The whole shop on loopback ports.

use super::*;
use axum::Router;
use axum::http::HeaderMap;
use clap::CommandFactory;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[test]
fn the_command_line_is_consistent() {
    Settings::command().debug_assert();
}

fn me(service: &str, version: &str) -> Arc<Me> {
    let text = |text: &str| text.to_owned();
    Arc::new(Me {
        service: text(service),
        version: text(version),
        pod: format!("{service}-0"),
        node: text("node1"),
    })
}

async fn start(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A client of a shop whose reviews have this version.
async fn shop(version: &str) -> (Client, String) {
    let mut peers = Settings::parse_from(["weft-shop", "frontend"]).peers;
    peers.catalog = start(catalog::router(me("catalog", "v1"))).await;
    peers.payment = start(payment::router(me("payment", "v1"))).await;
    peers.ratings = start(ratings::router(me("ratings", "v1"))).await;
    peers.cart = start(cart::router(me("cart", "v1"))).await;
    let client = || Arc::new(Client::new(peers.clone()).unwrap());
    let reviews = start(reviews::router(me("reviews", version), client())).await;
    peers.reviews = reviews;
    let client = Arc::new(Client::new(peers.clone()).unwrap());
    let frontend = start(frontend::router(me("frontend", "v1"), client)).await;
    (Client::new(peers).unwrap(), frontend)
}

fn services(answer: &Value) -> Vec<&str> {
    let hops = answer["hops"].as_array().unwrap();
    hops.iter()
        .map(|hop| hop["service"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_page_tells_every_service_that_took_part() {
    let (client, frontend) = shop("v3").await;
    let page: Value = client
        .get(format!("{frontend}/products/1"), &HeaderMap::new())
        .await
        .unwrap();
    assert_eq!(
        services(&page),
        ["frontend", "catalog", "reviews", "ratings"]
    );
    assert_eq!(page["name"], "loom");
    assert!(page["mean"].is_number());
}

#[tokio::test]
async fn the_first_version_of_reviews_has_no_stars() {
    let (client, frontend) = shop("v1").await;
    let page: Value = client
        .get(format!("{frontend}/products/1"), &HeaderMap::new())
        .await
        .unwrap();
    assert_eq!(services(&page), ["frontend", "catalog", "reviews"]);
    assert_eq!(page["stars"], json!([]));
}

#[tokio::test]
async fn whoever_buys_pays_and_has_it_in_the_cart() {
    let (client, frontend) = shop("v1").await;
    let order = json!({"user": "ada", "product": 2});
    let url = format!("{frontend}/checkout");
    let bought: Value = client.post(url, &order, &HeaderMap::new()).await.unwrap();
    assert_eq!(
        services(&bought),
        ["frontend", "catalog", "cart", "payment"]
    );
    assert_eq!(
        (&bought["paid"], &bought["items"]),
        (&json!(1450), &json!(1))
    );
}

#[tokio::test]
async fn a_product_that_does_not_exist_is_told_with_the_service_that_said_so() {
    let (client, frontend) = shop("v1").await;
    let page = client
        .get::<Value>(format!("{frontend}/products/99"), &HeaderMap::new())
        .await;
    let text = format!("{:#}", page.unwrap_err());
    assert!(
        text.contains("502") && text.contains("/products/99: 404"),
        "{text}"
    );
}
