//! Automatic addresses, shown in `status.addresses` of ServiceEntries.
//!
//! They have a field manager of their own, so that conditions and addresses never take each other away.

use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::collections::BTreeMap;
use weft_api::networking::ServiceEntry;
use weft_api::networking::service_entry::EntryAddress;
use weft_model::{Key, Snapshot};

/// Field manager of the addresses.
const MANAGER: &str = "weft-control-addresses";

/// Addresses by ServiceEntry; none that is empty.
pub(super) type Given = BTreeMap<Key, Vec<EntryAddress>>;

/// What should be shown of `snapshot`.
pub(super) fn wanted(snapshot: &Snapshot) -> Given {
    let all = snapshot.automatic_addresses().iter();
    all.map(|(key, given)| {
        let shown = given.iter().map(|(host, ip)| EntryAddress {
            value: ip.to_string(),
            host: host.to_string(),
        });
        (key.clone(), shown.collect())
    })
    .collect()
}

/// The writes that bring what is `shown` to what is `wanted`; an empty list takes it away.
pub(super) fn plan(shown: &Given, wanted: &Given) -> Given {
    let gone = shown.keys().filter(|key| !wanted.contains_key(*key));
    let gone = gone.map(|key| (key.clone(), Vec::new()));
    let news = wanted
        .iter()
        .filter(|(key, given)| shown.get(*key) != Some(*given));
    gone.chain(news.map(|(key, given)| (key.clone(), given.clone())))
        .collect()
}

/// What an earlier leader has written.
pub(super) async fn shown(client: &Client) -> Result<Given, kube::Error> {
    let api: Api<ServiceEntry> = Api::all(client.clone());
    let objects = match api.list(&ListParams::default()).await {
        Ok(list) => list.items,
        // The kind's definition is not there yet, so nothing of it is.
        Err(kube::Error::Api(status)) if status.is_not_found() => Vec::new(),
        Err(error) => return Err(error),
    };
    let ours = |object: &ServiceEntry| {
        let mut managers = object.managed_fields().iter();
        managers.any(|entry| entry.manager.as_deref() == Some(MANAGER))
    };
    let given = objects.into_iter().filter(ours).filter_map(|object| {
        let key = Key::new(object.namespace().unwrap_or_default(), object.name_any());
        let addresses = object.status.map(|status| status.addresses)?;
        (!addresses.is_empty()).then_some((key, addresses))
    });
    Ok(given.collect())
}

/// Writes what `plan` says and keeps the books in `shown`; false if something has to be tried again.
pub(super) async fn write(client: &Client, plan: Given, shown: &mut Given) -> bool {
    let mut settled = true;
    for (key, given) in plan {
        match apply(client, &key, &given).await {
            Ok(()) => {}
            // The object is gone, and its addresses with it.
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            // Trying again would not help; the next change does.
            Err(kube::Error::Api(status)) if status.is_forbidden() || status.is_conflict() => {
                tracing::warn!(?key, %status, "addresses refused");
            }
            Err(error) => {
                tracing::warn!(?key, %error, "addresses not written; trying again");
                settled = false;
                continue;
            }
        }
        match given.is_empty() {
            true => _ = shown.remove(&key),
            false => _ = shown.insert(key, given),
        }
    }
    settled
}

async fn apply(client: &Client, key: &Key, given: &[EntryAddress]) -> Result<(), kube::Error> {
    let api: Api<ServiceEntry> = Api::namespaced(client.clone(), &key.namespace);
    let status = match given {
        [] => json!({}),
        given => json!({ "addresses": given }),
    };
    let body = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": { "name": key.name, "namespace": key.namespace },
        "status": status,
    });
    api.patch_status(
        &key.name,
        &PatchParams::apply(MANAGER),
        &Patch::Apply(&body),
    )
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Given {
        let entry = |(name, address): &(&str, &str)| {
            let address = EntryAddress {
                value: (*address).into(),
                host: "a.example.com".into(),
            };
            (Key::new("shop", *name), vec![address])
        };
        pairs.iter().map(entry).collect()
    }

    #[test]
    fn only_what_differs_is_written_and_what_is_gone_is_taken_away() {
        let shown = given(&[
            ("same", "240.240.0.1"),
            ("old", "240.240.0.2"),
            ("gone", "240.240.0.3"),
        ]);
        let wanted = given(&[
            ("same", "240.240.0.1"),
            ("old", "240.240.0.4"),
            ("new", "240.240.0.5"),
        ]);
        let mut expected = given(&[("old", "240.240.0.4"), ("new", "240.240.0.5")]);
        expected.insert(Key::new("shop", "gone"), Vec::new());
        assert_eq!(plan(&shown, &wanted), expected);
        assert_eq!(
            plan(&wanted, &wanted),
            Given::new(),
            "a settled cluster gets no writes"
        );
    }
}
