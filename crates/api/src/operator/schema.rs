//! Schemas that the derive cannot write: bounds, Kubernetes' extensions, texts with a grammar.
//!
//! Every text, list and map of the MeshOperator is bounded: the API server prices CEL rules by the
//! largest object that the schema admits, and refuses the definition if a rule may cost too much.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Validation rules in CEL, each with the field and the remedy that the user reads.
pub(crate) fn rules(rules: &[(&str, &str)]) -> Value {
    rules
        .iter()
        .map(|(rule, message)| json!({"rule": rule, "message": message}))
        .collect()
}

/// A name of a Kubernetes namespace or object that is a DNS label.
pub(crate) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"})
}

/// A duration such as `1h30m`, read by CEL's `duration()` and [`super::Duration`].
pub(crate) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 16, "pattern": "^([0-9]+(h|m|s|ms))+$"})
}

/// A decimal number written as text, such as `0.005`.
pub(crate) fn decimal(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 20, "pattern": r"^[0-9]+(\.[0-9]+)?$"})
}

/// A number or a text.
pub(crate) fn int_or_string(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true, "maxLength": 128})
}

/// A quantity such as `100m` or `1Gi`, or a whole number.
pub(crate) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 32,
        "pattern": r"^([0-9]+(\.[0-9]+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti)?$",
    })
}

/// Quantities by resource name.
pub(crate) fn quantities(generator: &mut SchemaGenerator) -> Schema {
    let quantity = quantity(generator);
    json_schema!({"type": "object", "maxProperties": 8, "additionalProperties": quantity})
}

/// A number from 0, or a percentage.
pub(crate) fn count_or_percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 8,
        "x-kubernetes-validations": [{
            "rule": "type(self) == string ? self.matches('^(100|[1-9]?[0-9])%$') : self >= 0",
            "message": "must be a number from 0 or a percentage such as 25%",
        }],
    })
}

/// An object of Kubernetes' own API, checked by the operator when it is used.
pub(crate) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// A list of [`any_object`]s.
pub(crate) fn any_objects(generator: &mut SchemaGenerator) -> Schema {
    let item = any_object(generator);
    json_schema!({"type": "array", "maxItems": 32, "items": item})
}

/// Any JSON value.
pub(crate) fn any_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

/// Texts by name: labels, annotations, node selectors.
pub(crate) fn strings_by_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 4096},
    })
}

/// Kubernetes' `LabelSelector`, bounded.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "type": "object",
                "maxProperties": 16,
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
            "matchExpressions": {
                "type": "array",
                "maxItems": 16,
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {"type": "string", "maxLength": 316},
                        "operator": {
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "type": "array",
                            "maxItems": 64,
                            "items": {"type": "string", "maxLength": 63},
                        },
                    },
                },
            },
        },
    })
}

/// A list of [`label_selector`]s.
pub(crate) fn label_selectors(generator: &mut SchemaGenerator) -> Schema {
    let item = label_selector(generator);
    json_schema!({"type": "array", "maxItems": 32, "items": item})
}

/// A short list of names, such as namespaces or Secrets, without duplicates.
pub(crate) fn names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 128,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": 253},
    })
}
