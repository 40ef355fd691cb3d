//! How services call each other.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// Longest time for one call.
const LIMIT: Duration = Duration::from_secs(10);

/// Headers that go on to the next service, so that one request can be followed through all of them
/// and routed by what the first one said.
const PASSED_ON: [&str; 6] = [
    "x-request-id",
    "traceparent",
    "tracestate",
    "end-user",
    "x-shop-fault",
    "authorization",
];

/// Addresses of the services.
#[derive(Args, Clone, Debug)]
pub(crate) struct Peers {
    #[arg(
        long,
        env = "SHOP_FRONTEND",
        default_value = "http://frontend",
        global = true
    )]
    pub(crate) frontend: String,
    #[arg(
        long,
        env = "SHOP_CATALOG",
        default_value = "http://catalog",
        global = true
    )]
    pub(crate) catalog: String,
    #[arg(
        long,
        env = "SHOP_REVIEWS",
        default_value = "http://reviews",
        global = true
    )]
    pub(crate) reviews: String,
    #[arg(
        long,
        env = "SHOP_PAYMENT",
        default_value = "http://payment",
        global = true
    )]
    pub(crate) payment: String,
    #[arg(
        long,
        env = "SHOP_RATINGS",
        default_value = "http://ratings:9000",
        global = true
    )]
    pub(crate) ratings: String,
    #[arg(
        long,
        env = "SHOP_CART",
        default_value = "http://cart:9000",
        global = true
    )]
    pub(crate) cart: String,
}

/// Connections to the other services.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peers: Peers,
    pub(crate) ratings: Channel,
    pub(crate) cart: Channel,
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// Connects when it is first used.
    pub(crate) fn new(peers: Peers) -> Result<Self> {
        let channel = |url: &str| -> Result<Channel> {
            Ok(Endpoint::from_shared(url.to_owned())?
                .timeout(LIMIT)
                .connect_lazy())
        };
        Ok(Self {
            ratings: channel(&peers.ratings)?,
            cart: channel(&peers.cart)?,
            http: hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http(),
            peers,
        })
    }

    /// Asks over HTTP; `from` are the headers of the request that this call is made for.
    pub(crate) async fn get<A: DeserializeOwned>(
        &self,
        url: String,
        from: &HeaderMap,
    ) -> Result<A> {
        let request = Request::get(&url).body(Full::default())?;
        self.call(request, from).await.with_context(|| url)
    }

    /// Sends `body` over HTTP.
    pub(crate) async fn post<A: DeserializeOwned>(
        &self,
        url: String,
        body: &impl Serialize,
        from: &HeaderMap,
    ) -> Result<A> {
        let request = Request::post(&url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(serde_json::to_vec(body)?))?;
        self.call(request, from).await.with_context(|| url)
    }

    async fn call<A: DeserializeOwned>(
        &self,
        mut request: Request<Full<Bytes>>,
        from: &HeaderMap,
    ) -> Result<A> {
        request.headers_mut().extend(passed_on(from));
        let answer = async {
            let answer = self.http.request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            ensure!(
                status.is_success(),
                "{status}: {}",
                String::from_utf8_lossy(&body).trim_end()
            );
            Ok(serde_json::from_slice(&body)?)
        };
        tokio::time::timeout(LIMIT, answer)
            .await
            .context("no answer in time")?
    }
}

/// Those of `from` that go on to the next service.
pub(crate) fn passed_on(from: &HeaderMap) -> HeaderMap {
    let known = |name: &&str| Some((name.parse().ok()?, from.get(*name)?.clone()));
    PASSED_ON.iter().filter_map(known).collect()
}
