//! What each object's condition should say, and what has to be written for it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use std::collections::BTreeMap;
use weft_model::{ObjectRef, Problem, Severity};

/// The one type of condition that the control plane writes.
pub(super) const ACCEPTED: &str = "Accepted";
/// Faults that one message names; the rest is counted.
const MOST_NAMED: usize = 10;

/// What is true of an object that has faults.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// `False` if a part of the object is not applied, `True` if there are only warnings.
    pub status: &'static str,
    /// Reason of the worst fault.
    pub reason: &'static str,
    /// All faults, one a line.
    pub message: String,
    /// Generation that they were found in, where the kind has any.
    pub generation: Option<i64>,
}

/// The verdicts on all objects that have faults, found in these generations of them.
pub fn verdicts(
    problems: &[Problem],
    generations: &BTreeMap<ObjectRef, i64>,
) -> BTreeMap<ObjectRef, Verdict> {
    let mut by_object: BTreeMap<&ObjectRef, Vec<&Problem>> = BTreeMap::new();
    for problem in problems {
        by_object.entry(&problem.object).or_default().push(problem);
    }
    by_object
        .into_iter()
        .filter_map(|(object, problems)| {
            let generation = generations.get(object).copied();
            Some((object.clone(), verdict(problems, generation)?))
        })
        .collect()
}

fn verdict(mut problems: Vec<&Problem>, generation: Option<i64>) -> Option<Verdict> {
    problems.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
    let worst = problems.first()?;
    let line =
        |problem: &&Problem| format!("{}: {}; {}", problem.field, problem.message, problem.remedy);
    let mut lines: Vec<String> = problems.iter().take(MOST_NAMED).map(line).collect();
    if let Some(more @ 1..) = problems.len().checked_sub(MOST_NAMED) {
        lines.push(format!("and {more} more"));
    }
    let status = match worst.severity {
        Severity::Error => "False",
        Severity::Warning => "True",
    };
    Some(Verdict {
        status,
        reason: worst.reason,
        message: lines.join("\n"),
        generation,
    })
}

/// The writes that bring what is `shown` to what is `wanted`; `None` takes a condition away.
pub fn plan(
    shown: &BTreeMap<ObjectRef, Condition>,
    wanted: &BTreeMap<ObjectRef, Verdict>,
    now: Timestamp,
) -> Vec<(ObjectRef, Option<Condition>)> {
    let gone = shown
        .keys()
        .filter(|object| !wanted.contains_key(*object))
        .map(|object| (object.clone(), None));
    let news = wanted.iter().filter_map(|(object, verdict)| {
        let old = shown.get(object);
        let same = old.is_some_and(|old| says(old, verdict));
        (!same).then(|| (object.clone(), Some(condition(old, verdict, now))))
    });
    gone.chain(news).collect()
}

fn says(condition: &Condition, verdict: &Verdict) -> bool {
    condition.status == verdict.status
        && condition.reason == verdict.reason
        && condition.message == verdict.message
        && condition.observed_generation == verdict.generation
}

/// The time is that of the last change of `status`, as Kubernetes' conventions want it.
fn condition(old: Option<&Condition>, verdict: &Verdict, now: Timestamp) -> Condition {
    let since = old
        .filter(|old| old.status == verdict.status)
        .map(|old| old.last_transition_time.clone());
    Condition {
        type_: ACCEPTED.into(),
        status: verdict.status.into(),
        reason: verdict.reason.into(),
        message: verdict.message.clone(),
        last_transition_time: since.unwrap_or(Time(now)),
        observed_generation: verdict.generation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_model::Key;

    fn object(name: &str) -> ObjectRef {
        ObjectRef {
            group: "security.istio.io",
            kind: "PeerAuthentication",
            key: Key::new("shop", name),
        }
    }

    fn problem(name: &str, severity: Severity, reason: &'static str) -> Problem {
        Problem {
            object: object(name),
            field: "spec.mtls".into(),
            reason,
            message: "it is odd".into(),
            remedy: "mend it".into(),
            severity,
        }
    }

    /// The verdicts on objects of a kind without generations.
    fn found(problems: &[Problem]) -> BTreeMap<ObjectRef, Verdict> {
        verdicts(problems, &BTreeMap::new())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// What is shown once all that was planned is written.
    fn written(
        shown: &BTreeMap<ObjectRef, Condition>,
        problems: &[Problem],
        second: i64,
    ) -> BTreeMap<ObjectRef, Condition> {
        let mut shown = shown.clone();
        for (object, condition) in plan(&shown.clone(), &found(problems), at(second)) {
            match condition {
                Some(condition) => _ = shown.insert(object, condition),
                None => _ = shown.remove(&object),
            }
        }
        shown
    }

    #[test]
    fn the_worst_fault_gives_status_and_reason() {
        let problems = [
            problem("a", Severity::Warning, "Odd"),
            problem("a", Severity::Error, "Wrong"),
            problem("b", Severity::Warning, "Odd"),
        ];
        let verdicts = found(&problems);
        let short = |name| {
            let verdict: &Verdict = &verdicts[&object(name)];
            (
                verdict.status,
                verdict.reason,
                verdict.message.lines().count(),
            )
        };
        assert_eq!(short("a"), ("False", "Wrong", 2));
        assert_eq!(short("b"), ("True", "Odd", 1));
        assert_eq!(
            verdicts[&object("b")].message,
            "spec.mtls: it is odd; mend it"
        );
    }

    #[test]
    fn a_settled_cluster_gets_no_writes() {
        let problems = [problem("a", Severity::Error, "Wrong")];
        let shown = written(&BTreeMap::new(), &problems, 1);
        assert_eq!(plan(&shown, &found(&problems), at(2)), []);
        assert_eq!(plan(&BTreeMap::new(), &found(&[]), at(2)), []);
    }

    #[test]
    fn a_condition_says_which_generation_it_is_about() {
        let problems = [problem("a", Severity::Error, "Wrong")];
        let of = |generation| verdicts(&problems, &BTreeMap::from([(object("a"), generation)]));
        let first = plan(&BTreeMap::new(), &of(1), at(1));
        let first = first[0].1.clone().unwrap();
        assert_eq!(first.observed_generation, Some(1));

        let shown = BTreeMap::from([(object("a"), first)]);
        assert_eq!(plan(&shown, &of(1), at(2)), []);
        let second = plan(&shown, &of(2), at(2))[0].1.clone().unwrap();
        assert_eq!(second.observed_generation, Some(2));
        assert_eq!(second.last_transition_time.0, at(1), "it says the same");
    }

    #[test]
    fn a_mended_object_loses_its_condition() {
        let shown = written(
            &BTreeMap::new(),
            &[problem("a", Severity::Error, "Wrong")],
            1,
        );
        assert_eq!(plan(&shown, &found(&[]), at(2)), [(object("a"), None)]);
    }

    #[test]
    fn the_time_is_of_the_last_change_of_status() {
        let first = written(
            &BTreeMap::new(),
            &[problem("a", Severity::Error, "Wrong")],
            1,
        );
        let other_reason = written(&first, &[problem("a", Severity::Error, "Worse")], 2);
        let other_status = written(&other_reason, &[problem("a", Severity::Warning, "Odd")], 3);
        let time =
            |shown: &BTreeMap<ObjectRef, Condition>| shown[&object("a")].last_transition_time.0;
        assert_eq!([time(&other_reason), time(&other_status)], [at(1), at(3)]);
        assert_eq!(other_reason[&object("a")].reason, "Worse");
    }

    #[test]
    fn a_hundred_faults_fit_in_one_message() {
        let mut problems: Vec<Problem> = (0..100)
            .map(|_| problem("a", Severity::Error, "Wrong"))
            .collect();
        for (at, problem) in problems.iter_mut().enumerate() {
            problem.field = format!("spec.http[{at}]");
        }
        let verdicts = found(&problems);
        let message = &verdicts[&object("a")].message;
        assert_eq!(message.lines().count(), 11);
        assert!(message.ends_with("and 90 more"), "{message}");
    }
}
