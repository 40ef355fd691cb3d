//! Pods before and after: `golden/<case>/in.yaml` is what a user or controller creates, `out.yaml`
//! what becomes of it, with the verdict and the warnings in its first lines. A case may have its own
//! `settings.yaml`, `namespace.yaml` (labels) and `templates.yaml` (Istio's injector configuration).
//!
//! `BLESS=1 cargo test -p weft-injector --test golden` writes the files anew, to be read in the diff.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use weft_api::injection::InjectionSettings;
use weft_injector::{Namespace, Subject, Verdict, review};

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

fn read(case: &Path, file: &str) -> Option<String> {
    std::fs::read_to_string(case.join(file)).ok()
}

fn settings(case: &Path) -> InjectionSettings {
    let text = read(case, "settings.yaml").unwrap_or("{version: 0.1.0, revision: 0-1-0}".into());
    let mut settings = serde_saphyr::from_str(&text).unwrap();
    if let Some(templates) = read(case, "templates.yaml") {
        weft_api::templates::apply(&templates, &mut settings).unwrap();
    }
    settings
}

fn namespace(case: &Path) -> Namespace {
    let text = read(case, "namespace.yaml").unwrap_or("weft.mesh/inject: enabled".into());
    let labels: BTreeMap<String, String> = serde_saphyr::from_str(&text).unwrap();
    Namespace {
        name: "shop".into(),
        labels,
    }
}

fn pod(case: &Path) -> Value {
    serde_saphyr::from_str(&read(case, "in.yaml").unwrap()).unwrap()
}

fn judge(case: &Path, pod: Value) -> Verdict {
    review(
        &Subject::new(pod).unwrap(),
        &namespace(case),
        &settings(case),
    )
}

fn apply(mut pod: Value, verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Injected { patch, .. } | Verdict::Skipped { patch, .. } => {
            json_patch::patch(&mut pod, patch).unwrap();
            pod
        }
        Verdict::Denied(refused) => panic!("{refused}"),
    }
}

fn rendered(pod: &Value, verdict: &Verdict) -> String {
    let (result, reason) = verdict.labels();
    let mut text = format!("# {result}: {reason}\n");
    if let Verdict::Injected { warnings, .. } = verdict {
        for warning in warnings {
            writeln!(text, "# warning: {warning}").unwrap();
        }
    }
    text + &serde_saphyr::to_string(pod).unwrap()
}

#[test]
fn every_pod_becomes_what_its_golden_file_says() {
    for case in cases() {
        let before = pod(&case);
        let verdict = judge(&case, before.clone());
        let text = rendered(&apply(before, &verdict), &verdict);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(case.join("out.yaml"), &text).unwrap();
        }
        let expected = read(&case, "out.yaml").unwrap_or_default();
        assert_eq!(
            text,
            expected,
            "{}: if this is right, run with BLESS=1",
            case.display()
        );
    }
}

#[test]
fn a_pod_that_was_injected_is_not_changed_again() {
    for case in cases() {
        let before = pod(&case);
        let once = apply(before.clone(), &judge(&case, before));
        let again = apply(once.clone(), &judge(&case, once.clone()));
        assert_eq!(again, once, "{}", case.display());
    }
}
