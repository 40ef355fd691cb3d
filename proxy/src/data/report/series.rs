//! Istio's standard series: what is counted for one label set.

use super::count::{Count, Histogram, HistogramSum};
use super::text::Page;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Most label sets of one kind and worker; what comes later is counted without its peer.
const MOST_SERIES: usize = 2000;

/// One finished request or stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finished {
    /// From the first byte of the request to the last of the response.
    pub duration: Duration,
    /// Body and header bytes of the request, as Istio counts them.
    pub request_bytes: u64,
    /// Body and header bytes of the response.
    pub response_bytes: u64,
}

/// Requests with equal labels.
#[derive(Debug, Default)]
pub struct RequestSeries {
    total: Count,
    milliseconds: Histogram,
    request_bytes: Histogram,
    response_bytes: Histogram,
}

impl RequestSeries {
    /// Counts one request.
    pub fn record(&self, done: &Finished) {
        self.total.increment();
        let milliseconds = u64::try_from(done.duration.as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.record(milliseconds);
        self.request_bytes.record(done.request_bytes);
        self.response_bytes.record(done.response_bytes);
    }
}

/// TCP connections with equal labels.
#[derive(Debug, Default)]
pub struct TcpSeries {
    /// Connections that began.
    pub opened: Count,
    /// Connections that ended.
    pub closed: Count,
    /// Bytes towards the client.
    pub sent: Count,
    /// Bytes from the client.
    pub received: Count,
}

/// gRPC messages of streams with equal labels.
#[derive(Debug, Default)]
pub struct MessageSeries {
    /// From the client.
    pub requests: Count,
    /// To the client.
    pub responses: Count,
}

/// One worker's series of one kind, by label set.
#[derive(Debug)]
pub(super) struct Family<S>(Mutex<HashMap<String, Arc<S>>>);

impl<S> Default for Family<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Default> Family<S> {
    /// The series of `labels`, or of `anonymous` ones when there are too many already.
    pub(super) fn series(&self, labels: String, anonymous: impl FnOnce() -> String) -> Arc<S> {
        let mut series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = series.len() >= MOST_SERIES && !series.contains_key(&labels);
        let labels = if full { anonymous() } else { labels };
        Arc::clone(series.entry(labels).or_default())
    }

    pub(super) fn each(&self, mut visit: impl FnMut(&str, &S)) {
        let series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (labels, series) in series.iter() {
            visit(labels, series);
        }
    }
}

/// One worker's series.
#[derive(Debug, Default)]
pub(super) struct Standard {
    pub(super) requests: Family<RequestSeries>,
    pub(super) tcp: Family<TcpSeries>,
    pub(super) messages: Family<MessageSeries>,
}

/// All workers' series added up.
#[derive(Debug, Default)]
pub(super) struct StandardSum {
    requests: BTreeMap<String, RequestSum>,
    tcp: BTreeMap<String, [u64; 4]>,
    messages: BTreeMap<String, [u64; 2]>,
}

#[derive(Debug, Default)]
struct RequestSum {
    total: u64,
    histograms: [HistogramSum; 3],
}

impl StandardSum {
    pub(super) fn add(&mut self, shard: &Standard) {
        shard.requests.each(|labels, series| {
            let sum = self.requests.entry(labels.to_owned()).or_default();
            sum.total += series.total.value();
            let parts = [
                &series.milliseconds,
                &series.request_bytes,
                &series.response_bytes,
            ];
            for (sum, histogram) in sum.histograms.iter_mut().zip(parts) {
                sum.add(histogram);
            }
        });
        shard.tcp.each(|labels, tcp| {
            let parts = [&tcp.opened, &tcp.closed, &tcp.sent, &tcp.received];
            accumulate(self.tcp.entry(labels.to_owned()).or_default(), parts);
        });
        shard.messages.each(|labels, messages| {
            let parts = [&messages.requests, &messages.responses];
            accumulate(self.messages.entry(labels.to_owned()).or_default(), parts);
        });
    }

    pub(super) fn print(&self, page: &mut Page) {
        page.counters(
            "istio_requests_total",
            self.requests.iter().map(|(l, s)| (l, s.total)),
        );
        let histograms = [
            "istio_request_duration_milliseconds",
            "istio_request_bytes",
            "istio_response_bytes",
        ];
        for (at, name) in histograms.into_iter().enumerate() {
            page.histograms(
                name,
                self.requests.iter().map(|(l, s)| (l, &s.histograms[at])),
            );
        }
        let tcp = [
            "connections_opened",
            "connections_closed",
            "sent_bytes",
            "received_bytes",
        ];
        for (at, name) in tcp.into_iter().enumerate() {
            let name = format!("istio_tcp_{name}_total");
            page.counters(&name, self.tcp.iter().map(|(l, s)| (l, s[at])));
        }
        for (at, name) in ["request", "response"].into_iter().enumerate() {
            let name = format!("istio_{name}_messages_total");
            page.counters(&name, self.messages.iter().map(|(l, s)| (l, s[at])));
        }
    }
}

fn accumulate<const N: usize>(sums: &mut [u64; N], parts: [&Count; N]) {
    for (sum, part) in sums.iter_mut().zip(parts) {
        *sum += part.value();
    }
}
