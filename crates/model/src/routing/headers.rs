//! Parsing of changes of header fields.

use super::check::{Fault, fault, header, line, value as check_value};
use super::{HeaderChanges, Operations};
use weft_api::networking::http_route as api;

/// Changes on the way there and back.
pub(super) fn changes(at: &str, of: Option<&api::Headers>) -> Result<HeaderChanges, Fault> {
    let Some(of) = of else {
        return Ok(HeaderChanges::default());
    };
    Ok(HeaderChanges {
        request: operations(&format!("{at}.request"), of.request.as_ref(), true)?,
        response: operations(&format!("{at}.response"), of.response.as_ref(), false)?,
    })
}

/// That a route names a new host once at most.
pub(super) fn one_authority(
    at: &str,
    rewritten: Option<&String>,
    changes: &HeaderChanges,
) -> Result<(), Fault> {
    match (rewritten, &changes.request.authority) {
        (Some(_), Some(_)) => fault(
            format!("{at}.rewrite.authority"),
            "the host is replaced by headers.request.set too",
            "keep one of the two",
        ),
        (_, None) | (None, _) => Ok(()),
    }
}

fn operations(
    at: &str,
    of: Option<&api::HeaderOperations>,
    is_request: bool,
) -> Result<Operations, Fault> {
    let Some(of) = of else {
        return Ok(Operations::default());
    };
    let mut operations = Operations::default();
    for (name, value) in &of.set {
        let is_host = name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority");
        if is_request && is_host {
            operations.authority = Some(line(&format!("{at}.set[{name}]"), value)?);
            continue;
        }
        let field = format!("{at}.set[{name}]");
        let value = check_value(&field, value)?;
        operations.set.insert(header(&field, name)?, value);
    }
    for (name, value) in &of.add {
        let field = format!("{at}.add[{name}]");
        let value = check_value(&field, value)?;
        operations.add.insert(header(&field, name)?, value);
    }
    for name in &of.remove {
        operations
            .remove
            .push(header(&format!("{at}.remove"), name)?);
    }
    Ok(operations)
}
