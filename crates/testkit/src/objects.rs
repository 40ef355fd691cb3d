//! Objects from YAML.

use crate::endpoints;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use weft_api::networking::{
    DestinationRule, Gateway, ServiceEntry, Sidecar, VirtualService, WorkloadEntry,
};
use weft_api::security::{AuthorizationPolicy, PeerAuthentication};
use weft_model::objects::{
    Config, Credential, EndpointSlice, KubeNode, Namespace, Pod, Service, Store,
};
use weft_model::{Key, Objects};

/// The cluster that these YAML documents describe.
///
/// A Service whose EndpointSlices are not written gets those that Kubernetes would make. The
/// document `kind: MeshSettings` has the settings of the mesh at its top level.
///
/// # Panics
/// On YAML that is not an object of a known kind.
pub fn objects(yaml: &str) -> Objects {
    let mut objects = Objects::default();
    for document in documents(yaml) {
        add(&mut objects, document);
    }
    endpoints::fill_in(&mut objects);
    objects
}

/// The documents of a YAML stream, without empty ones.
///
/// # Panics
/// On what is not YAML.
pub fn documents(yaml: &str) -> Vec<Value> {
    let split = yaml.split("\n---");
    let parse = |text: &str| -> Value {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    };
    let has_content = |text: &&str| {
        let mut lines = text.lines().map(str::trim);
        lines.any(|line| !line.is_empty() && !line.starts_with('#') && line != "---")
    };
    split.filter(has_content).map(parse).collect()
}

/// Adds the object in `document`, as the API server would send it.
///
/// # Panics
/// Where [`try_add`] has an error.
pub fn add(objects: &mut Objects, document: Value) {
    let text = document.to_string();
    try_add(objects, document).unwrap_or_else(|error| panic!("{error} in {text}"));
}

/// Adds the object in `document`.
///
/// # Errors
/// On an object that is not of its kind's form: the API server refuses it.
///
/// # Panics
/// On an object of a kind that tests do not know.
pub fn try_add(objects: &mut Objects, document: Value) -> Result<(), serde_json::Error> {
    let kind = document["kind"].as_str().unwrap_or_default().to_owned();
    match kind.as_str() {
        "MeshSettings" => objects.settings = Arc::new(serde_json::from_value(document)?),
        "Namespace" => {
            let namespace = Namespace::from(&read::<core::Namespace>(document)?);
            insert(&mut objects.namespaces, namespace.key.clone(), namespace);
        }
        "Node" => {
            let node = KubeNode::from(&read::<core::Node>(document)?);
            insert(&mut objects.nodes, node.key.clone(), node);
        }
        "Service" => {
            let service = Service::from(&read::<core::Service>(document)?);
            insert(&mut objects.services, service.meta.key.clone(), service);
        }
        "EndpointSlice" => {
            let slice = EndpointSlice::from(&read::<discovery::EndpointSlice>(document)?);
            insert(&mut objects.endpoint_slices, slice.key.clone(), slice);
        }
        "Secret" => {
            let secret = Credential::from(&in_bytes(read(document)?));
            insert(&mut objects.credentials, secret.key.clone(), secret);
        }
        "Pod" => {
            let pod = Pod::from(&read::<core::Pod>(document)?);
            insert(&mut objects.pods, pod.key.clone(), pod);
        }
        _ => try_add_istio(objects, &kind, document)?,
    }
    Ok(())
}

fn try_add_istio(
    objects: &mut Objects,
    kind: &str,
    document: Value,
) -> Result<(), serde_json::Error> {
    /// Reads a document of one kind into its store.
    macro_rules! add {
        ($kind:ty, $store:ident) => {{
            let object: $kind = read(document)?;
            let config = Config::new(&object.metadata, object.spec);
            insert(&mut objects.$store, config.meta.key.clone(), config);
        }};
    }
    match kind {
        "PeerAuthentication" => add!(PeerAuthentication, peer_authentications),
        "AuthorizationPolicy" => add!(AuthorizationPolicy, authorization_policies),
        "VirtualService" => add!(VirtualService, virtual_services),
        "DestinationRule" => add!(DestinationRule, destination_rules),
        "Gateway" => add!(Gateway, gateways),
        "ServiceEntry" => add!(ServiceEntry, service_entries),
        "WorkloadEntry" => add!(WorkloadEntry, workload_entries),
        "Sidecar" => add!(Sidecar, sidecars),
        unknown => panic!("tests know no kind `{unknown}`"),
    }
    Ok(())
}

/// `stringData` as the API server turns it into `data`.
fn in_bytes(mut secret: core::Secret) -> core::Secret {
    let texts = secret.string_data.take().into_iter().flatten();
    let bytes = texts.map(|(name, text)| (name, ByteString(text.into_bytes())));
    secret.data.get_or_insert_default().extend(bytes);
    secret
}

fn insert<T>(store: &mut Store<T>, key: Key, object: T) {
    store.insert(key, Arc::new(object));
}

fn read<T: DeserializeOwned>(document: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(document)
}
