//! What is legal, is done, and is surely not all that was meant.

use super::parse::reference;
use crate::objects::Config;
use crate::problem::{Problem, Severity};
use weft_api::networking::VirtualServiceSpec;
use weft_api::networking::http_route::HttpRoute;

/// Every such thing in `object`.
pub(super) fn all(object: &Config<VirtualServiceSpec>) -> Vec<Problem> {
    let routes = object.spec.http.iter().enumerate();
    let notes = routes.flat_map(|(index, route)| of_route(&format!("spec.http[{index}]"), route));
    let problem = |(field, reason, message): (String, &'static str, &str)| Problem {
        object: reference(&object.meta.key),
        field,
        reason,
        message: message.into(),
        remedy: match reason {
            "NotSupported" => "remove it; routes are counted by their name".into(),
            _ => "set percentage".into(),
        },
        severity: Severity::Warning,
    };
    notes.map(problem).collect()
}

fn of_route(at: &str, of: &HttpRoute) -> Vec<(String, &'static str, &'static str)> {
    let named = of.matches.iter().enumerate();
    let named = named.filter(|(_, each)| each.stat_prefix.is_some());
    let mut notes: Vec<_> = named
        .map(|(index, _)| {
            let field = format!("{at}.match[{index}].statPrefix");
            (field, "NotSupported", "no statistics are kept for it")
        })
        .collect();
    let fault = of.fault.clone().unwrap_or_default();
    let delay = fault
        .delay
        .filter(|it| it.percentage.is_none() && it.percent.is_none());
    let abort = fault.abort.filter(|it| it.percentage.is_none());
    for (name, _) in [("delay", delay.map(drop)), ("abort", abort.map(drop))]
        .into_iter()
        .filter(|(_, found)| found.is_some())
    {
        let field = format!("{at}.fault.{name}.percentage");
        notes.push((field, "NoEffect", "without it no request is meant"));
    }
    notes
}
