//! Endpoints that a cluster of the type EDS has in a file of their own, which may change while we run.

use super::load::transcoded;
use super::problem::Problem;
use crate::config::Config;
use crate::control::saved::SavedResource;
use crate::control::store::Store;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use weft_proto::pb::envoy::config::cluster::v3::Cluster;
use weft_proto::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use weft_proto::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use weft_proto::pb::envoy::service::discovery::v3::DiscoveryResponse;
use weft_proto::type_url::ENDPOINTS;

/// Everything that a bootstrap says, with the files that it takes endpoints from.
#[derive(Debug)]
pub struct EndpointFiles {
    store: Store,
    sources: Vec<Source>,
}

/// The file of one cluster.
#[derive(Debug)]
pub(super) struct Source {
    service: String,
    path: PathBuf,
    /// What it said when it was last read.
    text: String,
}

impl EndpointFiles {
    pub(super) fn new(store: Store, sources: Vec<Source>) -> Self {
        Self { store, sources }
    }

    /// Whether there is no such file.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Reads files that have changed: the configuration if it is another one now, and what is wrong
    /// with files; the last good endpoints of those stay.
    pub fn refresh(&mut self) -> (Option<Arc<Config>>, Vec<String>) {
        let mut wrong = Vec::new();
        for source in &mut self.sources {
            match source.changed() {
                Ok(Some(resource)) => {
                    let refused = self.store.update(&[resource]);
                    let file = source.path.display();
                    wrong.extend(
                        refused
                            .iter()
                            .map(|refusal| format!("{file}: {}", refusal.fault)),
                    );
                }
                Ok(None) => {}
                Err(reason) => wrong.push(reason),
            }
        }
        (self.store.advance(), wrong)
    }
}

impl Source {
    /// Where `cluster` has its endpoints; `None` if it needs no such file.
    pub(super) fn of(cluster: &Cluster, service: &str) -> Result<Self, Problem> {
        let config = cluster.eds_cluster_config.as_ref();
        let source =
            config.and_then(|config| config.eds_config.as_ref()?.config_source_specifier.as_ref());
        #[expect(deprecated, reason = "files may have the older field")]
        let path = match source {
            Some(ConfigSourceSpecifier::PathConfigSource(source)) => source.path.as_str(),
            Some(ConfigSourceSpecifier::Path(path)) => path.as_str(),
            _ => "",
        };
        match path {
            "" => Err(Problem::field(
                0,
                "eds_cluster_config",
                "names no file; add eds_config: {path_config_source: {path: endpoints.yaml}}",
            )),
            path => Ok(Self {
                service: service.to_owned(),
                path: path.into(),
                text: String::new(),
            }),
        }
    }

    /// The endpoints, if the file has changed.
    fn changed(&mut self) -> Result<Option<SavedResource>, String> {
        let file = self.path.display();
        let text = std::fs::read_to_string(&self.path)
            .map_err(|error| format!("{file}: cannot be read: {error}"))?;
        if text == self.text {
            return Ok(None);
        }
        self.text = text;
        let found = assignment(&self.text, &self.service)
            .map_err(|problem| problem.text(Path::new(&self.path)))?;
        Ok(Some(SavedResource {
            type_url: ENDPOINTS.to_owned(),
            name: self.service.clone(),
            version: String::new(),
            value: found,
        }))
    }
}

/// The bytes of the assignment for `service` in a file that has the form of an answer of EDS.
fn assignment(text: &str, service: &str) -> Result<Vec<u8>, Problem> {
    const ANSWER: &str = "envoy.service.discovery.v3.DiscoveryResponse";
    let read = transcoded::<DiscoveryResponse>(ANSWER, text);
    let answer = read.map_err(|problems| {
        let first = problems.into_iter().next();
        first.unwrap_or_else(|| Problem::at(0, "is no answer of EDS"))
    })?;
    let found = answer.message.resources.into_iter().find(|any| {
        let assignment = weft_proto::unpack::<ClusterLoadAssignment>(any);
        assignment.is_ok_and(|assignment| assignment.cluster_name == service)
    });
    let missing = || {
        Problem::at(
            0,
            format!("has no ClusterLoadAssignment for `{service}`; add it"),
        )
    };
    Ok(found.ok_or_else(missing)?.value)
}
