//! Reading and writing of JSON by dotted paths.

use serde_json::{Map, Value};

/// The value at `path`, such as `global.proxy.resources`; null counts as absent.
pub(super) fn read<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(value, |value, name| value.get(name))
        .filter(|value| !value.is_null())
}

/// Puts `new` at `path`, making objects on the way, unless something is there already.
pub(super) fn fill(value: &mut Value, path: &str, new: &Value) {
    match (path.split_once('.'), value.as_object_mut()) {
        (Some((first, rest)), Some(object)) => {
            let below = object
                .entry(first)
                .or_insert_with(|| Value::Object(Map::new()));
            fill(below, rest, new);
        }
        (None, Some(object)) => {
            object.entry(path).or_insert_with(|| new.clone());
        }
        // A scalar where an object belongs: the schema refuses it, and so will the typed reading.
        (_, None) => {}
    }
}

/// The paths of all leaves of `value` that lie under none of `known`.
pub(super) fn leaves_outside(value: &Value, known: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    collect("", value, known, &mut found);
    found
}

fn collect(path: &str, value: &Value, known: &[&str], found: &mut Vec<String>) {
    if known.contains(&path) {
        return;
    }
    match value.as_object() {
        Some(object) if !object.is_empty() => {
            for (name, below) in object {
                let dot = if path.is_empty() { "" } else { "." };
                collect(&format!("{path}{dot}{name}"), below, known, found);
            }
        }
        _ if path.is_empty() => {}
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_set_is_not_replaced() {
        let mut value = json!({"a": {"b": 1}});
        fill(&mut value, "a.b", &json!(2));
        fill(&mut value, "a.c.d", &json!(3));
        assert_eq!(value, json!({"a": {"b": 1, "c": {"d": 3}}}));
    }

    #[test]
    fn leaves_are_found_outside_of_what_is_known() {
        let value = json!({"a": {"b": 1, "c": [1]}, "d": {"e": {"f": 1}}, "g": {}});
        assert_eq!(leaves_outside(&value, &["a.b", "d.e"]), ["a.c", "g"]);
    }
}
