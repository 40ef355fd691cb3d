//! A file becomes a configuration.

use super::endpoints::{EndpointFiles, Source};
use super::locate;
use super::older;
use super::problem::{Problem, Refused};
use super::schema::Schema;
use super::transcode::Transcoder;
use super::tree::{self, Node};
use crate::config::Config;
use crate::control::decode;
use crate::control::saved::SavedResource;
use crate::control::store::{Refusal, Store};
use crate::data::tls;
use prost::Message;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use weft_proto::pb::envoy::config::bootstrap::v3::{Admin, Bootstrap, bootstrap::StaticResources};
use weft_proto::pb::envoy::config::core::v3 as core;
use weft_proto::pb::envoy::config::listener::v3::Listener;
use weft_proto::type_url::{CLUSTER, LISTENER};

const BOOTSTRAP: &str = "envoy.config.bootstrap.v3.Bootstrap";

/// What a file says.
#[derive(Debug)]
pub struct Loaded {
    /// What the data path obeys.
    pub config: Arc<Config>,
    /// The same, with what may still change.
    pub endpoints: EndpointFiles,
    /// Where the admin interface listens, if the file wants one.
    pub admin: Option<SocketAddr>,
    /// Who the proxy says that it is.
    pub node: core::Node,
    /// Fields that are accepted but have no effect.
    pub warnings: Vec<Problem>,
}

/// Reads and checks the bootstrap in `file`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(file: &Path) -> Result<Loaded, Refused> {
    let refused = |problems| Refused {
        file: file.to_owned(),
        problems,
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| refused(vec![Problem::at(0, format!("cannot be read: {error}"))]))?;
    parse(&text).map_err(refused)
}

/// A message out of a file.
pub(super) struct Transcoded<M> {
    /// It.
    pub(super) message: M,
    tree: Node,
    warnings: Vec<Problem>,
}

/// The message `name` that `text` describes.
pub(super) fn transcoded<M: Message + Default>(
    name: &str,
    text: &str,
) -> Result<Transcoded<M>, Vec<Problem>> {
    let mut tree = tree::parse(text).map_err(|problem| vec![problem])?;
    let mut warnings = older::rewrite(&mut tree);
    let schema = Schema::new();
    let mut transcoder = Transcoder::new(&schema);
    let bytes = transcoder.transcode(name, &tree);
    if !transcoder.problems.is_empty() {
        return Err(transcoder.problems);
    }
    warnings.extend(transcoder.warnings);
    let message = M::decode(&bytes[..])
        .map_err(|error| vec![Problem::at(0, format!("is no {name}: {error}"))])?;
    Ok(Transcoded {
        message,
        tree,
        warnings,
    })
}

pub(super) fn parse(text: &str) -> Result<Loaded, Vec<Problem>> {
    let read: Transcoded<Bootstrap> = transcoded(BOOTSTRAP, text)?;
    let (bootstrap, tree) = (read.message, read.tree);
    let resources = bootstrap.static_resources.unwrap_or_default();
    let mut problems = Vec::new();
    let admin = admin(bootstrap.admin.as_ref(), &tree);
    let admin = admin
        .map_err(|problem| problems.push(problem))
        .ok()
        .flatten();
    let store = store(&resources, &tree, &mut problems);
    let mut endpoints = endpoints(store, &resources, &tree, &mut problems);
    let (config, wrong) = endpoints.refresh();
    problems.extend(wrong.into_iter().map(|reason| Problem::at(0, reason)));
    let config = config.unwrap_or_default();
    problems.extend(useless_tls(&config, &resources, &tree));
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Loaded {
        config,
        endpoints,
        admin,
        node: bootstrap.node.unwrap_or_default(),
        warnings: read.warnings,
    })
}

fn admin(admin: Option<&Admin>, tree: &Node) -> Result<Option<SocketAddr>, Problem> {
    let address = admin.and_then(|admin| admin.address.as_ref());
    let Some(address) = address else {
        return Ok(None);
    };
    let path = "admin.address";
    let wrong =
        |fault: decode::Fault| Problem::field(locate::line(tree, path), path, fault.to_string());
    decode::address(address).map(Some).map_err(wrong)
}

fn store(resources: &StaticResources, tree: &Node, problems: &mut Vec<Problem>) -> Store {
    let mut store = Store::default();
    for (path, resource) in named(resources) {
        let refused = match resource.name.as_str() {
            "" => vec![Problem::field(0, &path, "has no name; add one")],
            _ => taken(&mut store, &path, resource),
        };
        problems.extend(refused.into_iter().map(|problem| Problem {
            line: locate::line(tree, &problem.path),
            ..problem
        }));
    }
    problems.extend(without_cluster(&store, resources, tree));
    store
}

/// The store with the files of its clusters of the type EDS.
fn endpoints(
    store: Store,
    resources: &StaticResources,
    tree: &Node,
    problems: &mut Vec<Problem>,
) -> EndpointFiles {
    let mut sources = Vec::new();
    for (at, cluster) in resources.clusters.iter().enumerate() {
        let service = store.endpoints_of(&cluster.name);
        match service.map(|service| Source::of(cluster, service)) {
            Some(Ok(source)) => sources.push(source),
            Some(Err(problem)) => {
                let path = format!("{}.{}", place("clusters", at), problem.path);
                problems.push(Problem::field(
                    locate::line(tree, &path),
                    &path,
                    problem.reason,
                ));
            }
            None => {}
        }
    }
    EndpointFiles::new(store, sources)
}

/// TLS whose certificates, keys or roots cannot be used.
fn useless_tls(config: &Config, resources: &StaticResources, tree: &Node) -> Vec<Problem> {
    let clusters = resources
        .clusters
        .iter()
        .enumerate()
        .flat_map(|(at, from)| {
            let cluster = config.clusters.get(from.name.as_str());
            let all = cluster.into_iter().flat_map(|cluster| {
                let matches = cluster.tls_matches.iter().map(|entry| &entry.tls);
                matches.chain([&cluster.tls]).flatten()
            });
            let checked = all.filter_map(|settings| tls::check_client(settings).err());
            let path = format!("{}.transport_socket", place("clusters", at));
            checked
                .map(move |error| (path.clone(), error))
                .collect::<Vec<_>>()
        });
    let listeners = resources
        .listeners
        .iter()
        .enumerate()
        .flat_map(|(at, from)| {
            let listener = config.listeners.get(listener_name(at, from).as_str());
            let chains = listener.into_iter().flat_map(|listener| {
                let chains = listener.filter_chains.iter();
                chains.chain(&listener.default_filter_chain).enumerate()
            });
            let checked = chains.filter_map(|(chain, settings)| {
                let error = tls::check_server(settings.tls.as_ref()?).err()?;
                let path = format!("{}.filter_chains[{chain}]", place("listeners", at));
                Some((format!("{path}.transport_socket"), error))
            });
            checked.collect::<Vec<_>>()
        });
    let problem = |(path, error): (String, tls::Unusable)| {
        Problem::field(locate::line(tree, &path), &path, error.to_string())
    };
    clusters.chain(listeners).map(problem).collect()
}

fn place(list: &str, at: usize) -> String {
    format!("static_resources.{list}[{at}]")
}

/// Every resource with its place in the file.
fn named(resources: &StaticResources) -> Vec<(String, SavedResource)> {
    let resource = |type_url: &str, name: &str, value| SavedResource {
        type_url: type_url.to_owned(),
        name: name.to_owned(),
        version: String::new(),
        value,
    };
    let clusters = resources.clusters.iter().enumerate().map(|(at, cluster)| {
        let resource = resource(CLUSTER, &cluster.name, cluster.encode_to_vec());
        (place("clusters", at), resource)
    });
    let listeners = resources
        .listeners
        .iter()
        .enumerate()
        .map(|(at, listener)| {
            let resource = resource(
                LISTENER,
                &listener_name(at, listener),
                listener.encode_to_vec(),
            );
            (place("listeners", at), resource)
        });
    clusters.chain(listeners).collect()
}

/// A listener may be without a name, which xDS does not allow.
fn listener_name(at: usize, listener: &Listener) -> String {
    match listener.name.as_str() {
        "" => format!("listeners[{at}]"),
        name => name.to_owned(),
    }
}

fn taken(store: &mut Store, path: &str, resource: SavedResource) -> Vec<Problem> {
    if store.has(&resource) {
        let reason = format!("the name `{}` is there twice; change one", resource.name);
        return vec![Problem::field(0, path, reason)];
    }
    let refused = store.update(&[resource]);
    let problem = |refusal: Refusal| {
        let path = match refusal.fault.path() {
            "" => path.to_owned(),
            below => format!("{path}.{below}"),
        };
        Problem::field(0, &path, refusal.fault.reason())
    };
    refused.into_iter().map(problem).collect()
}

/// Mentions of clusters that the file does not have.
fn without_cluster(store: &Store, resources: &StaticResources, tree: &Node) -> Vec<Problem> {
    let listeners = || resources.listeners.iter().enumerate();
    let problem = |(listener, cluster): (Arc<str>, Arc<str>)| {
        let at = listeners().position(|(at, from)| listener_name(at, from) == *listener)?;
        let path = place("listeners", at);
        let nodes = tree.get("static_resources")?.get("listeners")?;
        let (path, line) = locate::mention(nodes.entry(at)?, &path, &cluster)?;
        let reason = format!("there is no cluster `{cluster}`; add it or correct the name");
        Some(Problem::field(line, &path, reason))
    };
    store
        .unknown_clusters()
        .into_iter()
        .filter_map(problem)
        .collect()
}
