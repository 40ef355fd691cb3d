//! From two pods to the patch between them.

use json_patch::Patch;
use serde_json::Value;

/// RFC 6902 operations that turn `before` into `after`; none where they are equal.
pub fn between(before: &Value, after: &Value) -> Patch {
    json_patch::diff(before, after)
}
