//! RBAC filters: who may do what with the workload.
//!
//! One filter an action, in the order in which they count: `CUSTOM`, `AUDIT`, `DENY`, `ALLOW`. No
//! external service is asked yet, so what a `CUSTOM` policy matches is refused, as Istio refuses it
//! when the service cannot be reached.

mod rule;
mod text;

use crate::listener::filter as network_filter;
use rule::Carried;
use weft_model::View;
use weft_model::authorization::{Action, Policy};
use weft_proto::pack;
use weft_proto::pb::envoy::config::listener::v3::Filter;
use weft_proto::pb::envoy::config::rbac::v3 as rbac;
use weft_proto::pb::envoy::extensions::filters::http::rbac::v3 as http_rbac;
use weft_proto::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use weft_proto::pb::envoy::extensions::filters::network::rbac::v3 as network_rbac;

const ORDER: [Action; 4] = [Action::Custom, Action::Audit, Action::Deny, Action::Allow];

/// The filters of requests.
pub(crate) fn http(view: &View) -> Vec<HttpFilter> {
    let filters = ORDER.into_iter().filter_map(|action| {
        let rules = Rules::of(view, action, Carried::Requests)?;
        let config = http_rbac::Rbac {
            rules: rules.enforced,
            shadow_rules_stat_prefix: prefix(rules.shadow.as_ref()).to_owned(),
            shadow_rules: rules.shadow,
            ..Default::default()
        };
        Some(HttpFilter {
            name: "envoy.filters.http.rbac".to_owned(),
            config_type: Some(ConfigType::TypedConfig(pack(&config))),
            ..Default::default()
        })
    });
    filters.collect()
}

/// The filters of connections that carry anything but HTTP.
pub(crate) fn tcp(view: &View) -> Vec<Filter> {
    let filters = ORDER.into_iter().filter_map(|action| {
        let rules = Rules::of(view, action, Carried::Bytes)?;
        let config = network_rbac::Rbac {
            rules: rules.enforced,
            shadow_rules_stat_prefix: prefix(rules.shadow.as_ref()).to_owned(),
            shadow_rules: rules.shadow,
            stat_prefix: "tcp.".to_owned(),
            ..Default::default()
        };
        Some(network_filter("envoy.filters.network.rbac", &config))
    });
    filters.collect()
}

/// What the policies of one action say.
struct Rules {
    enforced: Option<rbac::Rbac>,
    shadow: Option<rbac::Rbac>,
}

impl Rules {
    fn of(view: &View, action: Action, carried: Carried) -> Option<Self> {
        let rules = |dry_run: bool| {
            let policies = view.authorization.iter().map(AsRef::as_ref);
            let counted = |policy: &&Policy| policy.action == action && policy.dry_run == dry_run;
            let policies: Vec<_> = policies.filter(counted).collect();
            let rules = (!policies.is_empty()).then(|| merged(action, &policies, carried));
            // Without rules only ALLOW does something.
            rules.filter(|rules| action == Action::Allow || !rules.policies.is_empty())
        };
        let rules = Self {
            enforced: rules(false),
            shadow: rules(true),
        };
        (rules.enforced.is_some() || rules.shadow.is_some()).then_some(rules)
    }
}

/// All rules of `policies`. Without any, `ALLOW` refuses everything.
fn merged(action: Action, policies: &[&Policy], carried: Carried) -> rbac::Rbac {
    let named = policies.iter().flat_map(|policy| {
        policy.rules.iter().filter_map(move |rule| {
            let name = format!(
                "ns[{}]-policy[{}]-rule[{}]",
                policy.key.namespace, policy.key.name, rule.index
            );
            let prefix = match action {
                Action::Custom => "istio-ext-authz-",
                Action::Audit | Action::Deny | Action::Allow => "",
            };
            let said = rule::policy(rule, action.matches_in_doubt(), carried)?;
            Some((format!("{prefix}{name}"), said))
        })
    });
    let action = match action {
        Action::Custom | Action::Deny => rbac::rbac::Action::Deny,
        Action::Audit => rbac::rbac::Action::Log,
        Action::Allow => rbac::rbac::Action::Allow,
    };
    rbac::Rbac {
        action: action.into(),
        policies: named.collect(),
        ..Default::default()
    }
}

/// Istio's names for what dry runs count.
fn prefix(shadow: Option<&rbac::Rbac>) -> &'static str {
    match shadow.map(rbac::Rbac::action) {
        None => "",
        Some(rbac::rbac::Action::Allow) => "istio_dry_run_allow_",
        Some(rbac::rbac::Action::Deny | rbac::rbac::Action::Log) => "istio_dry_run_deny_",
    }
}
