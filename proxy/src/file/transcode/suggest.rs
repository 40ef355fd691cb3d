//! What a misspelt field may have meant.

use crate::file::schema::{Field, Mark};

/// The text about a field that no message has.
pub(super) fn unknown(key: &str, known: &[Field]) -> String {
    let usable = known.iter().filter(|field| field.mark != Mark::Refused);
    let nearest = usable
        .map(|field| (distance(key, field.name), field.name))
        .min()
        // A third of the letters may be wrong; more is another word.
        .filter(|(wrong, name)| *wrong <= name.len().max(3) / 3);
    match nearest {
        Some((_, name)) => format!("unknown field; did you mean {name}?"),
        None => "unknown field; remove it".to_owned(),
    }
}

/// How many letters must change (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, letter) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], above + 1);
        for (at, other) in b.iter().enumerate() {
            let change = corner + usize::from(letter != *other);
            corner = row[at + 1];
            row[at + 1] = change.min(corner + 1).min(row[at] + 1);
        }
    }
    row[b.len()]
}
