//! Merging parts of pods as Kubernetes' strategic merge patch does: maps key by key, the lists of
//! [`key_of`] item by item, all else as a whole.

use serde_json::Value;

/// The field that tells the items of a list apart; `None` for lists that are replaced as a whole.
fn key_of(list: &str) -> Option<&'static str> {
    match list {
        "containers" | "initContainers" | "volumes" | "imagePullSecrets" | "env" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        "volumeDevices" => Some("devicePath"),
        "ports" => Some("containerPort"),
        "hostAliases" => Some("ip"),
        _ => None,
    }
}

/// Puts `patch` over `base`: what both have is the patch's, `null` removes.
pub(super) fn overlay(base: &mut Value, patch: &Value) {
    merge("", base, patch, Stronger::Patch);
}

/// Adds to `base` what it lacks; what both have stays the base's.
pub(super) fn fill(base: &mut Value, patch: &Value) {
    merge("", base, patch, Stronger::Base);
}

#[derive(Clone, Copy, PartialEq)]
enum Stronger {
    Base,
    Patch,
}

fn merge(field: &str, base: &mut Value, patch: &Value, stronger: Stronger) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                match base.get_mut(key) {
                    Some(_) if value.is_null() && stronger == Stronger::Patch => {
                        base.shift_remove(key);
                    }
                    Some(old) => merge(key, old, value, stronger),
                    None if value.is_null() => {}
                    None => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(base), Value::Array(patch)) if key_of(field).is_some() => {
            let key = key_of(field).unwrap_or_default();
            patch
                .iter()
                .for_each(|item| merge_item(base, item, key, stronger));
        }
        (base, patch) if stronger == Stronger::Patch || base.is_null() => *base = patch.clone(),
        (_, _) => {}
    }
}

fn merge_item(base: &mut Vec<Value>, item: &Value, key: &str, stronger: Stronger) {
    let same = |old: &&mut Value| old[key] == item[key] && old["protocol"] == item["protocol"];
    match base.iter_mut().find(same) {
        // A variable has either a value or a source, so it is taken whole.
        Some(old) if old.get("valueFrom").is_some() || item.get("valueFrom").is_some() => {
            if stronger == Stronger::Patch {
                *old = item.clone();
            }
        }
        Some(old) => merge("", old, item, stronger),
        None => base.push(item.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn named_items_are_merged_and_new_ones_appended() {
        let mut base = json!({"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}]});
        overlay(
            &mut base,
            &json!({"containers": [{"name": "b"}, {"name": "a", "env": [{"name": "X", "value": "2"}]}]}),
        );
        assert_eq!(
            base,
            json!({"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "2"}]}, {"name": "b"}]})
        );
    }

    #[test]
    fn other_lists_are_replaced_and_null_removes() {
        let mut base = json!({"args": ["a", "b"], "lifecycle": {}});
        overlay(&mut base, &json!({"args": ["c"], "lifecycle": null}));
        assert_eq!(base, json!({"args": ["c"]}));
    }

    #[test]
    fn filling_never_changes_what_is_there() {
        let mut base = json!({"a": 1, "list": [1], "none": null});
        fill(&mut base, &json!({"a": 2, "list": [2], "b": 3, "c": null}));
        assert_eq!(base, json!({"a": 1, "list": [1], "none": null, "b": 3}));
    }
}
