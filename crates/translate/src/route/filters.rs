//! What filters do on a route.

use super::forward::{fraction, in_million};
use super::matches::matcher;
use crate::value::{duration, flag};
use std::collections::HashMap;
use weft_model::routing::{Abort, Cors, Fault, Route};
use weft_proto::pack;
use weft_proto::pb::envoy::extensions::filters::common::fault::v3::{
    FaultDelay, fault_delay::FaultDelaySecifier,
};
use weft_proto::pb::envoy::extensions::filters::http::cors::v3::CorsPolicy;
use weft_proto::pb::envoy::extensions::filters::http::fault::v3::{
    FaultAbort, HttpFault, fault_abort::ErrorType,
};
use weft_proto::pb::google::protobuf::Any;

/// Settings of filters, by the name of the filter.
pub(super) fn settings(of: &Route) -> HashMap<String, Any> {
    let fault = of.fault.as_ref();
    let fault = fault.map(|fault| {
        (
            "envoy.filters.http.fault".to_owned(),
            pack(&injected(fault)),
        )
    });
    let cors = of.cors.as_ref();
    let cors = cors.map(|cors| ("envoy.filters.http.cors".to_owned(), pack(&allowed(cors))));
    fault.into_iter().chain(cors).collect()
}

fn injected(of: &Fault) -> HttpFault {
    let delay = of.delay.map(|(parts, time)| FaultDelay {
        percentage: Some(in_million(parts)),
        fault_delay_secifier: duration(time).map(FaultDelaySecifier::FixedDelay),
    });
    let abort = of.abort.map(|(parts, abort)| FaultAbort {
        percentage: Some(in_million(parts)),
        error_type: Some(match abort {
            Abort::Http(status) => ErrorType::HttpStatus(status),
            Abort::Grpc(status) => ErrorType::GrpcStatus(status),
        }),
        ..Default::default()
    });
    HttpFault {
        delay,
        abort,
        ..Default::default()
    }
}

fn allowed(of: &Cors) -> CorsPolicy {
    const ALL: u32 = 1_000_000;
    CorsPolicy {
        allow_origin_string_match: of.origins.iter().map(matcher).collect(),
        allow_methods: of.methods.join(","),
        allow_headers: of.headers.join(","),
        expose_headers: of.expose.join(","),
        max_age: of
            .max_age
            .map_or_else(String::new, |age| age.as_secs().to_string()),
        allow_credentials: of.credentials.and_then(flag),
        filter_enabled: Some(fraction(ALL)),
        forward_not_matching_preflights: flag(!of.keeps_unmatched),
        ..Default::default()
    }
}
