use super::{changed, loaded, refusal};
use crate::config::{Config, Discovery};
use std::path::Path;

fn write(file: &Path, port: u16) {
    let text = format!(
        "version_info: '1'
resources:
- \"@type\": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: shop
  endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}}}]}}]
"
    );
    std::fs::write(file, text).unwrap();
}

/// A bootstrap whose cluster takes its endpoints from `source`.
fn bootstrap(source: &str) -> String {
    let whole = changed(
        "type: STATIC",
        &format!("type: EDS\n    eds_cluster_config: {{service_name: shop{source}}}"),
    );
    let at = whole.find("    load_assignment").unwrap();
    whole[..at].to_owned()
}

fn in_file(file: &Path) -> String {
    let path = file.display();
    bootstrap(&format!(
        ", eds_config: {{path_config_source: {{path: {path}}}}}"
    ))
}

fn ports(config: &Config) -> Vec<u16> {
    let Discovery::Eds(endpoints) = &config.clusters["backend"].discovery else {
        panic!("no EDS");
    };
    let endpoints = endpoints.iter().flat_map(|locality| &locality.endpoints);
    endpoints.map(|endpoint| endpoint.address.port()).collect()
}

#[test]
fn endpoints_follow_their_file_and_a_bad_file_leaves_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("endpoints.yaml");
    write(&file, 1000);
    let mut read = loaded(&in_file(&file));
    assert_eq!(ports(&read.config), [1000]);
    assert!(read.endpoints.refresh().0.is_none());

    write(&file, 2000);
    let (config, wrong) = read.endpoints.refresh();
    assert_eq!((ports(&config.unwrap()), wrong), (vec![2000], vec![]));

    std::fs::write(&file, "resources:\n- colour: red\n").unwrap();
    let (config, wrong) = read.endpoints.refresh();
    assert!(config.is_none());
    assert!(
        wrong[0].contains("endpoints.yaml:2: resources[0]: has no `@type`"),
        "{wrong:?}"
    );
}

#[test]
fn endpoints_that_are_nowhere_are_refused() {
    let said = refusal(&bootstrap(""));
    assert!(
        said.starts_with(
            "b.yaml:25: static_resources.clusters[0].eds_cluster_config: names no file"
        ),
        "{said}"
    );
    let said = refusal(&in_file(Path::new("/nowhere/endpoints.yaml")));
    assert!(
        said.contains("/nowhere/endpoints.yaml: cannot be read"),
        "{said}"
    );
}
