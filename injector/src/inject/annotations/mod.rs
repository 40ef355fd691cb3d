//! What a pod's annotations change of its sidecar.
//!
//! One row of [`ROWS`] for each thing that can be changed: our key, Istio's key, what a right value
//! looks like, and what it does. Our key counts where both are there.

use super::sidecar::Sidecar;
use super::{capture, quantity};
use crate::Subject;
use crate::refused::Refused;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use weft_api::injection::{InjectionSettings, NativeSidecar};
use weft_api::labels;

#[cfg(test)]
mod tests;

/// A value that cannot be.
enum Wrong {
    /// It has not the form that the row tells.
    Form,
    /// It is above this bound of the mesh.
    Over(String),
}

struct Row {
    ours: &'static str,
    istio: &'static str,
    expected: &'static str,
    set: fn(&mut Sidecar, &str) -> Result<(), Wrong>,
}

const QUANTITY: &str = "a quantity such as 100m or 64Mi";
const PORTS: &str = "a comma-separated list of port numbers, or *";
const NUMBERS: &str = "a comma-separated list of port numbers";
const RANGES: &str = "a comma-separated list of CIDRs such as 10.0.0.0/8, or *";
const CIDRS: &str = "a comma-separated list of CIDRs such as 10.0.0.0/8";
const SWITCH: &str = "true or false";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { ours: "weft.mesh/proxy-cpu", istio: "sidecar.istio.io/proxyCPU", expected: QUANTITY, set: |s, v| resource(s, ("requests", "cpu"), v) },
    Row { ours: "weft.mesh/proxy-memory", istio: "sidecar.istio.io/proxyMemory", expected: QUANTITY, set: |s, v| resource(s, ("requests", "memory"), v) },
    Row { ours: "weft.mesh/proxy-cpu-limit", istio: "sidecar.istio.io/proxyCPULimit", expected: QUANTITY, set: |s, v| resource(s, ("limits", "cpu"), v) },
    Row { ours: "weft.mesh/proxy-memory-limit", istio: "sidecar.istio.io/proxyMemoryLimit", expected: QUANTITY, set: |s, v| resource(s, ("limits", "memory"), v) },
    Row { ours: "weft.mesh/include-inbound-ports", istio: "traffic.sidecar.istio.io/includeInboundPorts", expected: PORTS, set: |s, v| text(&mut s.settings.interception.include_inbound_ports, v, capture::is_ports) },
    Row { ours: "weft.mesh/exclude-inbound-ports", istio: "traffic.sidecar.istio.io/excludeInboundPorts", expected: NUMBERS, set: |s, v| text(&mut s.settings.interception.exclude_inbound_ports, v, capture::is_port_numbers) },
    Row { ours: "weft.mesh/include-outbound-ports", istio: "traffic.sidecar.istio.io/includeOutboundPorts", expected: NUMBERS, set: |s, v| text(&mut s.settings.interception.include_outbound_ports, v, capture::is_port_numbers) },
    Row { ours: "weft.mesh/exclude-outbound-ports", istio: "traffic.sidecar.istio.io/excludeOutboundPorts", expected: NUMBERS, set: |s, v| text(&mut s.settings.interception.exclude_outbound_ports, v, capture::is_port_numbers) },
    Row { ours: "weft.mesh/include-outbound-ranges", istio: "traffic.sidecar.istio.io/includeOutboundIPRanges", expected: RANGES, set: |s, v| text(&mut s.settings.interception.include_outbound_ip_ranges, v, capture::is_ranges) },
    Row { ours: "weft.mesh/exclude-outbound-ranges", istio: "traffic.sidecar.istio.io/excludeOutboundIPRanges", expected: CIDRS, set: |s, v| text(&mut s.settings.interception.exclude_outbound_ip_ranges, v, capture::is_cidrs) },
    Row { ours: "weft.mesh/dns-capture", istio: "", expected: SWITCH, set: |s, v| switch(&mut s.settings.interception.dns_capture, v) },
    Row { ours: "weft.mesh/native-sidecar", istio: "sidecar.istio.io/nativeSidecar", expected: SWITCH, set: native },
    Row { ours: "weft.mesh/rewrite-probes", istio: "sidecar.istio.io/rewriteAppHTTPProbers", expected: SWITCH, set: |s, v| switch(&mut s.settings.rewrite_probes, v) },
    Row { ours: "weft.mesh/merge-metrics", istio: "prometheus.istio.io/merge-metrics", expected: SWITCH, set: |s, v| switch(&mut s.settings.prometheus_merge, v) },
    Row { ours: "weft.mesh/hold-application", istio: "", expected: SWITCH, set: |s, v| switch(&mut s.settings.proxy.hold_application, v) },
    Row { ours: labels::KEEP_IMAGE, istio: "", expected: SWITCH, set: |s, v| switch(&mut s.keep_image, v) },
    Row { ours: "weft.mesh/concurrency", istio: "", expected: "a number of threads from 0 to 64", set: concurrency },
    Row { ours: "weft.mesh/drain", istio: "", expected: "a duration such as 25s", set: |s, v| text(&mut s.settings.proxy.drain, v, is_duration) },
    Row { ours: "weft.mesh/log-level", istio: "sidecar.istio.io/logLevel", expected: "trace, debug, info, warning, error or off", set: log_level },
    Row { ours: labels::TEMPLATES, istio: labels::ISTIO_TEMPLATES, expected: "a comma-separated list of templates", set: templates },
];

/// Istio's annotations that would matter and that we do not honour.
const UNSUPPORTED: &[(&str, &str)] = &[
    (
        "sidecar.istio.io/proxyImage",
        "the image belongs to the mesh's version; remove the annotation",
    ),
    (
        "sidecar.istio.io/bootstrapOverride",
        "the proxy has no bootstrap file; remove the annotation",
    ),
];

/// Prefixes of annotations that are meant for an injector.
const PREFIXES: &[&str] = &[
    "weft.mesh/",
    "sidecar.istio.io/",
    "traffic.sidecar.istio.io/",
    "proxy.istio.io/",
    "inject.istio.io/",
];

/// The mesh's settings with the pod's changes.
///
/// # Errors
/// If an annotation has a value that it cannot have, or may not be used in this mesh.
pub(super) fn read(pod: &Subject, settings: &InjectionSettings) -> Result<Sidecar, Refused> {
    let mut sidecar = Sidecar::new(settings);
    refuse_unsupported(pod)?;
    for row in ROWS {
        let found = [row.ours, row.istio]
            .into_iter()
            .find_map(|key| Some((key, pod.annotation(key)?)));
        if let Some((key, value)) = found {
            set(&mut sidecar, row, (key, value))?;
        }
    }
    sidecar.warnings.extend(unknown(pod).map(|key| {
        format!("annotation {key} has no effect in Weft; remove it, see docs/injection.md")
    }));
    Ok(sidecar)
}

fn set(sidecar: &mut Sidecar, row: &Row, (key, value): (&str, &str)) -> Result<(), Refused> {
    if !sidecar.settings.overrides.allow_annotations {
        return Err(Refused::AnnotationsForbidden {
            key: key.to_owned(),
        });
    }
    let (owned, value) = (key.to_owned(), value.trim());
    (row.set)(sidecar, value).map_err(|wrong| match wrong {
        Wrong::Form => Refused::BadValue {
            key: owned,
            value: value.to_owned(),
            expected: row.expected.to_owned(),
        },
        Wrong::Over(limit) => Refused::OverLimit {
            key: owned,
            value: value.to_owned(),
            limit,
        },
    })
}

fn refuse_unsupported(pod: &Subject) -> Result<(), Refused> {
    let unsupported = |key: &str, reason: &str| Refused::Unsupported {
        key: key.to_owned(),
        reason: reason.to_owned(),
    };
    if let Some((key, reason)) = UNSUPPORTED
        .iter()
        .find(|(key, _)| pod.annotation(key).is_some())
    {
        return Err(unsupported(key, reason));
    }
    const MODE: &str = "sidecar.istio.io/interceptionMode";
    match pod.annotation(MODE) {
        None | Some("REDIRECT") => Ok(()),
        Some(_) => Err(unsupported(
            MODE,
            "traffic is captured by REDIRECT only; remove the annotation",
        )),
    }
}

/// Annotations that look like ours or Istio's and mean nothing here.
fn unknown(pod: &Subject) -> impl Iterator<Item = &String> {
    const OTHERS: &[&str] = &[
        labels::INJECT,
        labels::ISTIO_INJECT,
        labels::STATUS,
        labels::SKIPPED,
        labels::REVISION,
        "sidecar.istio.io/interceptionMode",
    ];
    let known = |key: &str| {
        OTHERS.contains(&key) || ROWS.iter().any(|row| row.ours == key || row.istio == key)
    };
    let all = pod
        .typed
        .metadata
        .annotations
        .iter()
        .flat_map(|all| all.keys());
    all.filter(move |key| PREFIXES.iter().any(|prefix| key.starts_with(prefix)) && !known(key))
}

fn text(field: &mut String, value: &str, right: fn(&str) -> bool) -> Result<(), Wrong> {
    if !right(value) {
        return Err(Wrong::Form);
    }
    value.clone_into(field);
    Ok(())
}

fn switch(field: &mut bool, value: &str) -> Result<(), Wrong> {
    *field = value.parse().map_err(|_| Wrong::Form)?;
    Ok(())
}

fn resource(
    sidecar: &mut Sidecar,
    place: (&'static str, &'static str),
    value: &str,
) -> Result<(), Wrong> {
    let amount = quantity::parse(value)
        .filter(|n| *n > 0.0)
        .ok_or(Wrong::Form)?;
    let overrides = &sidecar.settings.overrides;
    let limit = if place.1 == "cpu" {
        &overrides.max_cpu
    } else {
        &overrides.max_memory
    };
    match limit {
        Some(Quantity(limit)) if quantity::parse(limit).is_some_and(|limit| amount > limit) => {
            Err(Wrong::Over(limit.clone()))
        }
        _ => {
            sidecar.resources.insert(place, value.to_owned());
            Ok(())
        }
    }
}

fn native(sidecar: &mut Sidecar, value: &str) -> Result<(), Wrong> {
    let mut wanted = sidecar.native;
    switch(&mut wanted, value)?;
    match sidecar.settings.proxy.native_sidecar {
        NativeSidecar::Auto | NativeSidecar::Never => sidecar.native = wanted,
        NativeSidecar::Always if wanted => {}
        NativeSidecar::Always => sidecar.warnings.push(
            "the mesh's nativeSidecar is Always, so that the annotation weft.mesh/native-sidecar has no effect".into(),
        ),
    }
    Ok(())
}

fn concurrency(sidecar: &mut Sidecar, value: &str) -> Result<(), Wrong> {
    let threads = value.parse().ok().filter(|n| *n <= 64).ok_or(Wrong::Form)?;
    sidecar.settings.proxy.concurrency = threads;
    Ok(())
}

fn log_level(sidecar: &mut Sidecar, value: &str) -> Result<(), Wrong> {
    let level = match value {
        "trace" | "debug" | "info" | "error" | "off" => value,
        "warning" | "warn" => "warn",
        _ => return Err(Wrong::Form),
    };
    sidecar.settings.proxy.log = format!("warn,weft={level}");
    Ok(())
}

fn templates(sidecar: &mut Sidecar, value: &str) -> Result<(), Wrong> {
    let names = value
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    sidecar.templates = names.map(str::to_owned).collect();
    Ok(())
}

/// Digits and a unit, such as `25s`.
fn is_duration(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    digits.parse::<u32>().is_ok() && matches!(unit, "ms" | "s" | "m" | "h")
}
