//! Path templates: `/a/{*}/b/{**}`.

use crate::routing::check::{Fault, fault};

/// Variables that Envoy takes in one template.
const MOST: usize = 5;

/// Whether `path` is meant as a template.
pub(super) fn is_template(path: &str) -> bool {
    path.contains("{*}") || path.contains("{**}")
}

/// The template, if every segment is plain text or one variable, and `{**}` is the last.
pub(super) fn check(field: &str, path: &str) -> Result<String, Fault> {
    let remedy = "write each of {*} and a final {**} as a whole segment, such as /a/{*}/b/{**}";
    let Some(rest) = path.strip_prefix('/') else {
        return fault(field, format!("`{path}` does not begin with /"), remedy);
    };
    let segments: Vec<_> = rest.split('/').collect();
    let variables = segments.iter().filter(|each| each.starts_with('{')).count();
    if variables > MOST {
        let message = format!("`{path}` has {variables} variables, more than {MOST}");
        return fault(field, message, "use fewer variables, or end with {**}");
    }
    let last = segments.len() - 1;
    let fits = |(at, segment): (usize, &&str)| match *segment {
        "{*}" => true,
        "{**}" => at == last,
        text => !text.contains(['{', '}', '*']),
    };
    match segments.iter().enumerate().all(fits) {
        true => Ok(path.to_owned()),
        false => fault(
            field,
            format!("`{path}` is not a template of paths"),
            remedy,
        ),
    }
}
