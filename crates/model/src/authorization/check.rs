//! What can be wrong with AuthorizationPolicies.

use super::{Action, Policy, Test};
use crate::objects::Config;
use crate::problem::{ObjectRef, Problem, Severity};
use crate::routing::check::Fault;
use weft_api::networking::selector::Selector;
use weft_api::security::AuthorizationPolicySpec;

type Object = Config<AuthorizationPolicySpec>;

/// Istio's annotation of policies that are only counted.
const DRY_RUN: &str = "istio.io/dry-run";

/// Whether `object` is only counted, and what is wrong if that cannot be said.
pub(super) fn dry_run(object: &Object) -> (bool, Option<Problem>) {
    let action = format!("{:?}", object.spec.action).to_uppercase();
    let stated = object.meta.annotations.get(DRY_RUN).map(String::as_str);
    let (message, remedy) = match (stated, action.as_str()) {
        (None | Some("false"), _) => return (false, None),
        (Some("true"), "ALLOW" | "DENY") => return (true, None),
        (Some("true"), action) => (
            format!("action {action} has no dry run, so the policy is in force"),
            "remove the annotation",
        ),
        (Some(other), _) => (
            format!("`{other}` is neither true nor false, so the policy is in force"),
            "use true or false",
        ),
    };
    let problem = Problem {
        field: format!("metadata.annotations[{DRY_RUN}]"),
        message,
        remedy: remedy.into(),
        severity: Severity::Warning,
        ..error(object)
    };
    (false, Some(problem))
}

/// What is wrong with `object` apart from its rules.
pub(super) fn object(object: &Object) -> Vec<Problem> {
    let spec = &object.spec;
    let mut problems = Vec::new();
    if spec.rules.is_empty() && spec.action != weft_api::security::AuthorizationAction::Allow {
        problems.push(Problem {
            field: "spec.rules".into(),
            message: "without rules it matches nothing".into(),
            remedy: "add rules; rules: [{}] matches everything".into(),
            ..error(object)
        });
    }
    if spec.action == weft_api::security::AuthorizationAction::Custom {
        problems.push(Problem {
            field: "spec.action".into(),
            reason: "NotApplied",
            message: "no external service is asked yet, so what the rules match is refused".into(),
            remedy: "use ALLOW or DENY, or remove the object".into(),
            ..error(object)
        });
    }
    if !spec.target_refs.is_empty() {
        problems.push(Problem {
            field: "spec.targetRefs".into(),
            reason: "NotApplied",
            message:
                "it names gateways and waypoints, of which there are none, so it has no effect"
                    .into(),
            remedy: "use spec.selector.matchLabels to name pods".into(),
            ..error(object)
        });
    }
    problems.extend(wildcards(object));
    problems
}

/// Labels are compared as they stand.
fn wildcards(object: &Object) -> Option<Problem> {
    let Selector { match_labels } = object.spec.selector.as_ref()?;
    let starred = |(key, value): &(&String, &String)| key.contains('*') || value.contains('*');
    let (key, value) = match_labels.iter().find(starred)?;
    Some(Problem {
        field: format!("spec.selector.matchLabels[{key}]"),
        message: format!("`{key}: {value}` has a wildcard, which no label has"),
        remedy: "write the label of the pods as it is".into(),
        ..error(object)
    })
}

/// What of `policy` waits for something that is not there yet.
pub(super) fn unverified_tokens(object: &Object, policy: &Policy) -> Option<Problem> {
    let mut tests = policy.rules.iter().flat_map(|rule| {
        let conditions = rule.all();
        conditions.flat_map(|each| each.any_of.iter().chain(&each.none_of))
    });
    let asks = |test: &Test| matches!(test, Test::RequestPrincipal(..) | Test::Claim(..));
    tests.any(asks).then(|| Problem {
        field: "spec.rules".into(),
        reason: "NotApplied",
        message: "no proxy verifies tokens of requests yet, so no request has a principal or claim"
            .into(),
        remedy: "use principals of mutual TLS".into(),
        severity: Severity::Warning,
        ..error(object)
    })
}

/// A value that cannot be read, and what that means for the others.
pub(super) fn of_fault(object: &Object, action: Action, fault: Fault) -> Problem {
    let effect = match action.matches_in_doubt() {
        true => "the rule matches as if it were not there",
        false => "nothing is allowed by it",
    };
    Problem {
        field: fault.field,
        message: format!("{}; {effect}", fault.message),
        remedy: fault.remedy.into(),
        ..error(object)
    }
}

fn error(object: &Object) -> Problem {
    Problem {
        object: ObjectRef {
            group: "security.istio.io",
            kind: "AuthorizationPolicy",
            key: object.meta.key.clone(),
        },
        field: String::new(),
        reason: "Invalid",
        message: String::new(),
        remedy: String::new(),
        severity: Severity::Error,
    }
}
