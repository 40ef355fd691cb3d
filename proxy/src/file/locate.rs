//! From the way that [`decode`](crate::control::decode) gives to a line of the file.

use super::tree::{Node, Value};

/// The line of the last part of `path` that the tree has under `node`.
///
/// `decode` leaves out `typed_config` and names filters, so parts that are not found are passed over.
pub(super) fn line(node: &Node, path: &str) -> usize {
    let mut here = (node.line, node);
    for part in path.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        let (_, node) = here;
        let below = child(node, part).or_else(|| child(node.get("typed_config")?, part));
        here = below.unwrap_or(here);
    }
    here.0
}

fn child<'a>(node: &'a Node, part: &str) -> Option<(usize, &'a Node)> {
    match &node.value {
        Value::List(list) => {
            let entry = list.get(part.parse::<usize>().ok()?)?;
            Some((entry.line, entry))
        }
        Value::Map(entries) => {
            let entry = entries.iter().find(|entry| entry.key == part)?;
            Some((entry.line, &entry.node))
        }
        Value::Null | Value::Plain(_) | Value::Quoted(_) => None,
    }
}

/// The first mention of the cluster `name` below `node`, which stands at `path`: path and line.
pub(super) fn mention(node: &Node, path: &str, name: &str) -> Option<(String, usize)> {
    match &node.value {
        Value::List(list) => {
            let mut entries = list.iter().enumerate();
            entries.find_map(|(at, entry)| mention(entry, &format!("{path}[{at}]"), name))
        }
        Value::Map(entries) => entries.iter().find_map(|entry| {
            let path = format!("{path}.{}", entry.key);
            // `name` is the one of a weighted cluster.
            let names = entry.key == "cluster" || path.ends_with("].name");
            let here = names && entry.node.text() == Some(name);
            here.then(|| (path.clone(), entry.line))
                .or_else(|| mention(&entry.node, &path, name))
        }),
        Value::Null | Value::Plain(_) | Value::Quoted(_) => None,
    }
}
