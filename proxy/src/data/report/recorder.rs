//! One worker's way to its counters: series are found by address, never by text.

use super::envoy::{ClusterStats, HttpStats, ListenerStats, TcpStats};
use super::labels::{Labels, Own, Protocol, Side, Workload};
use super::log::Templates;
use super::metadata;
use super::series::{Family, Finished, MessageSeries, RequestSeries, TcpSeries};
use super::{Flags, Metrics, Record, Shard};
use crate::config::{AccessLog, Cluster};
use crate::data::secrets::Secrets;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// Entries of each cache; a full one is emptied and fills again.
const MOST_CACHED: usize = 4096;

/// The longest description of a workload that is kept; a stranger could send longer ones for ever.
const LONGEST_KEPT: usize = 4096;

/// Counts for one worker.
#[derive(Debug)]
pub struct Recorder {
    metrics: Arc<Metrics>,
    shard: Arc<Shard>,
    secrets: Arc<Secrets>,
    requests: RefCell<HashMap<Key, Found<RequestSeries>>>,
    tcp: RefCell<HashMap<Key, Found<TcpSeries>>>,
    messages: RefCell<HashMap<Key, Found<MessageSeries>>>,
    texts: RefCell<HashMap<Arc<str>, ()>>,
    workloads: RefCell<HashMap<Box<[u8]>, Arc<Workload>>>,
    templates: Templates,
    announcement: OnceCell<(String, String)>,
    frame: OnceCell<Vec<u8>>,
}

/// [`Labels`] by address. The addresses stay in use as long as the entry: see [`Found`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    cluster: usize,
    peer: usize,
    principal: usize,
    code: u16,
    grpc_status: Option<u32>,
    flags: Flags,
    side: Side,
    protocol: Protocol,
    mutual_tls: bool,
}

/// A series, and what its key points to.
#[derive(Debug)]
struct Found<S> {
    series: Arc<S>,
    _cluster: Option<Arc<Cluster>>,
    _peer: Option<Arc<Workload>>,
    _principal: Option<Arc<str>>,
}

impl Key {
    fn of(labels: &Labels<'_>) -> Self {
        Self {
            cluster: labels
                .cluster
                .map_or(0, |cluster| Arc::as_ptr(cluster).addr()),
            peer: labels.peer.map_or(0, |peer| Arc::as_ptr(peer).addr()),
            principal: labels.principal.map_or(0, |name| Arc::as_ptr(name).addr()),
            code: labels.code,
            grpc_status: labels.grpc_status,
            flags: labels.flags,
            side: labels.side,
            protocol: labels.protocol,
            mutual_tls: labels.mutual_tls,
        }
    }
}

impl Recorder {
    /// A recorder of `metrics` for one more worker; `secrets` names this workload.
    pub fn new(metrics: Arc<Metrics>, secrets: Arc<Secrets>) -> Self {
        Self {
            shard: metrics.shard(),
            metrics,
            secrets,
            requests: RefCell::default(),
            tcp: RefCell::default(),
            messages: RefCell::default(),
            texts: RefCell::default(),
            workloads: RefCell::default(),
            templates: Templates::default(),
            announcement: OnceCell::new(),
            frame: OnceCell::new(),
        }
    }

    /// Counts a finished HTTP or gRPC request.
    pub fn request(&self, labels: &Labels<'_>, done: &Finished) {
        let family = &self.shard.standard.requests;
        self.series(&self.requests, family, labels, true)
            .record(done);
    }

    /// The series of a TCP connection; take it once and keep it.
    pub fn tcp(&self, labels: &Labels<'_>) -> Arc<TcpSeries> {
        self.series(&self.tcp, &self.shard.standard.tcp, labels, false)
    }

    /// Counts the gRPC messages of one stream.
    pub fn messages(&self, labels: &Labels<'_>, requests: u64, responses: u64) {
        let series = self.series(&self.messages, &self.shard.standard.messages, labels, false);
        series.requests.add(requests);
        series.responses.add(responses);
    }

    /// `cluster.<name>.*`; the same group at each call.
    pub fn cluster(&self, name: &Arc<str>) -> Arc<ClusterStats> {
        self.shard.clusters.of(name)
    }

    /// `listener.<name>.*`
    pub fn listener(&self, name: &Arc<str>) -> Arc<ListenerStats> {
        self.shard.listeners.of(name)
    }

    /// `http.<stat_prefix>.*`; take it once for each connection.
    pub fn http(&self, stat_prefix: &Arc<str>) -> Arc<HttpStats> {
        self.shard.http.of(stat_prefix)
    }

    /// `tcp.<stat_prefix>.*`
    pub fn tcp_proxy(&self, stat_prefix: &Arc<str>) -> Arc<TcpStats> {
        self.shard.tcp.of(stat_prefix)
    }

    /// Writes a line to each of `logs` that wants it. Never waits: lines that find no room are
    /// counted and dropped.
    pub fn log(&self, logs: &[AccessLog], record: &Record<'_>) {
        for log in logs {
            let wanted = log
                .only_flag
                .as_deref()
                .is_none_or(|flag| record.flags.has_named(flag));
            if wanted {
                let line = self.templates.line(&log.format, record);
                self.metrics.logs.write(&log.path, line);
            }
        }
    }

    /// `text` at an address that equal texts share.
    pub fn intern(&self, text: &str) -> Arc<str> {
        let mut texts = self.texts.borrow_mut();
        if let Some((known, ())) = texts.get_key_value(text) {
            return Arc::clone(known);
        }
        make_room(&mut texts);
        let text: Arc<str> = text.into();
        texts.insert(Arc::clone(&text), ());
        text
    }

    /// The workload that `encoded` describes, decoded at its first use: a peer metadata header.
    pub fn workload(
        &self,
        encoded: &[u8],
        decode: impl FnOnce(&[u8]) -> Workload,
    ) -> Arc<Workload> {
        if encoded.len() > LONGEST_KEPT {
            return Arc::new(decode(encoded));
        }
        let mut workloads = self.workloads.borrow_mut();
        if let Some(known) = workloads.get(encoded) {
            return Arc::clone(known);
        }
        make_room(&mut workloads);
        let workload = Arc::new(decode(encoded));
        workloads.insert(encoded.into(), Arc::clone(&workload));
        workload
    }

    /// The workload that a peer metadata header describes.
    pub fn peer(&self, header: &[u8]) -> Arc<Workload> {
        self.workload(header, metadata::decode)
    }

    /// What this workload says of itself: values of `x-envoy-peer-metadata-id` and
    /// `x-envoy-peer-metadata`.
    pub fn announcement(&self) -> &(String, String) {
        self.announcement.get_or_init(|| {
            let own = &self.metrics.own;
            (metadata::id(own), metadata::encode(own))
        })
    }

    /// The same for TCP: the text of the frame that Istio's `istio.metadata_exchange` sends.
    pub fn frame(&self) -> &[u8] {
        self.frame
            .get_or_init(|| metadata::encode_frame(&self.metrics.own))
    }

    /// The workload that such a frame describes.
    pub fn peer_of_frame(&self, frame: &[u8]) -> Arc<Workload> {
        self.workload(frame, metadata::decode_frame)
    }

    /// Forgets addresses of an earlier configuration; the counts stay.
    pub fn forget(&self) {
        self.requests.borrow_mut().clear();
        self.tcp.borrow_mut().clear();
        self.messages.borrow_mut().clear();
        self.templates.forget();
    }

    fn series<S: Default>(
        &self,
        cache: &RefCell<HashMap<Key, Found<S>>>,
        family: &Family<S>,
        labels: &Labels<'_>,
        response: bool,
    ) -> Arc<S> {
        let key = Key::of(labels);
        let mut cache = cache.borrow_mut();
        if let Some(found) = cache.get(&key) {
            return Arc::clone(&found.series);
        }
        make_room(&mut cache);
        let series = self.resolve(family, labels, response);
        let found = Found {
            series: Arc::clone(&series),
            _cluster: labels.cluster.cloned(),
            _peer: labels.peer.cloned(),
            _principal: labels.principal.cloned(),
        };
        cache.insert(key, found);
        series
    }

    fn resolve<S: Default>(
        &self,
        family: &Family<S>,
        labels: &Labels<'_>,
        response: bool,
    ) -> Arc<S> {
        let identity = self.secrets.current();
        let id = identity
            .as_ref()
            .and_then(|identity| identity.leaf().id.as_ref());
        let own = Own {
            workload: &self.metrics.own,
            principal: id.map(weft_identity::SpiffeId::as_str),
        };
        let anonymous = Labels {
            peer: None,
            principal: None,
            ..*labels
        };
        family.series(labels.text(own, response), || anonymous.text(own, response))
    }
}

fn make_room<K, V>(cache: &mut HashMap<K, V>) {
    if cache.len() >= MOST_CACHED {
        cache.clear();
    }
}
