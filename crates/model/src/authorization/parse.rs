//! From an object to a policy. What cannot be read closes; see the module's description.

use super::check::of_fault;
use super::value::{Attribute, attribute, tests};
use super::{Action, Condition, Policy, Rule, Test};
use crate::mesh::Mesh;
use crate::objects::Config;
use crate::problem::Problem;
use crate::routing::check::{Fault, fault};
use weft_api::security::authorization_policy::{Operation, Source, When};
use weft_api::security::{AuthorizationAction, AuthorizationPolicySpec, AuthorizationRule};

type Object = Config<AuthorizationPolicySpec>;

/// What has no sure meaning matches nothing.
struct Never;

/// Reads one object.
pub(super) struct Reader<'a> {
    mesh: &'a Mesh,
    object: &'a Object,
    action: Action,
    /// Whether the rule that is being read asks for something of HTTP.
    asks_http: bool,
    problems: Vec<Problem>,
}

/// The policy of `object`, and what is wrong with its rules.
pub(super) fn policy(mesh: &Mesh, object: &Object, dry_run: bool) -> (Policy, Vec<Problem>) {
    let action = match object.spec.action {
        AuthorizationAction::Allow => Action::Allow,
        AuthorizationAction::Deny => Action::Deny,
        AuthorizationAction::Audit => Action::Audit,
        AuthorizationAction::Custom => Action::Custom,
    };
    let mut reader = Reader {
        mesh,
        object,
        action,
        asks_http: false,
        problems: Vec::new(),
    };
    let rules = object.spec.rules.iter().enumerate();
    let rules = rules.filter_map(|(index, rule)| reader.rule(index, rule).ok());
    let policy = Policy {
        key: object.meta.key.clone(),
        action,
        dry_run,
        rules: rules.collect(),
    };
    (policy, reader.problems)
}

impl Reader<'_> {
    fn rule(&mut self, index: usize, rule: &AuthorizationRule) -> Result<Rule, Never> {
        self.asks_http = false;
        let mut sources = Vec::new();
        for (at, from) in rule.from.iter().enumerate() {
            let field = format!("spec.rules[{index}].from[{at}].source");
            sources.extend(self.alternative(&field, &source(&from.source)));
        }
        let mut operations = Vec::new();
        for (at, to) in rule.to.iter().enumerate() {
            let field = format!("spec.rules[{index}].to[{at}].operation");
            operations.extend(self.alternative(&field, &operation(&to.operation)));
        }
        let mut conditions = Ok(Vec::new());
        for (at, when) in rule.when.iter().enumerate() {
            let condition = self.when(&format!("spec.rules[{index}].when[{at}]"), when);
            conditions = conditions.and_then(|all| joined(all, condition?));
        }
        let none_left = (sources.is_empty() && !rule.from.is_empty())
            || (operations.is_empty() && !rule.to.is_empty());
        if none_left {
            return Err(Never);
        }
        Ok(Rule {
            index,
            asks_http: self.asks_http,
            sources,
            operations,
            conditions: conditions?,
        })
    }

    /// The conditions of a source or operation; `None` if it matches nothing.
    fn alternative(&mut self, field: &str, lists: &[List<'_>]) -> Option<Vec<Condition>> {
        if lists.iter().all(|list| list.values.is_empty()) {
            // A field whose name is misspelled is dropped by the API server, and nothing is left.
            let empty = fault::<()>(
                field,
                "it has no conditions",
                "check the spelling of its fields, or remove the entry",
            );
            self.note(empty.err());
            return self.action.matches_in_doubt().then(Vec::new);
        }
        let mut all = Ok(Vec::new());
        for pair in lists.chunks(2) {
            let condition = self.condition(field, pair);
            all = all.and_then(|all| joined(all, condition?));
        }
        all.ok()
    }

    fn when(&mut self, field: &str, when: &When) -> Result<Condition, Never> {
        let attribute = match attribute(&format!("{field}.key"), &when.key) {
            Ok(attribute) => attribute,
            Err(fault) => return self.unsure(fault),
        };
        if when.values.is_empty() && when.not_values.is_empty() {
            let fault = Fault {
                field: field.to_owned(),
                message: format!("`{}` is compared with nothing", when.key),
                remedy: "add values or notValues",
            };
            return self.unsure(fault);
        }
        let list = |name, values| List {
            attribute: attribute.clone(),
            name,
            values,
        };
        let pair = [
            list("values", &when.values[..]),
            list("notValues", &when.not_values),
        ];
        self.condition(field, &pair)
    }

    /// A list of values and the list of their exceptions.
    fn condition(&mut self, field: &str, pair: &[List<'_>]) -> Result<Condition, Never> {
        let mut read = |list: &List<'_>| self.read(field, list);
        let (any_of, any_faulty) = read(&pair[0]);
        let (none_of, none_faulty) = read(&pair[1]);
        let in_doubt = self.action.matches_in_doubt();
        let lost = any_faulty && any_of.is_empty();
        match in_doubt {
            true => Ok(Condition {
                any_of: if any_faulty { Vec::new() } else { any_of },
                none_of,
            }),
            false if lost || none_faulty => Err(Never),
            false => Ok(Condition { any_of, none_of }),
        }
    }

    /// The tests of the values that can be read, and whether there are others.
    fn read(&mut self, field: &str, list: &List<'_>) -> (Vec<Test>, bool) {
        self.asks_http |= list.attribute.is_http() && !list.values.is_empty();
        let mut read = Vec::new();
        let mut faulty = false;
        let namespace = &self.object.meta.key.namespace;
        for (at, value) in list.values.iter().enumerate() {
            let field = format!("{field}.{}[{at}]", list.name);
            match tests(self.mesh, namespace, &list.attribute, (&field, value)) {
                Ok(tests) => read.extend(tests),
                Err(fault) => {
                    self.note(Some(fault));
                    faulty = true;
                }
            }
        }
        (read, faulty)
    }

    /// Where a match closes, a condition that is not understood is met.
    fn unsure(&mut self, fault: Fault) -> Result<Condition, Never> {
        self.note(Some(fault));
        match self.action.matches_in_doubt() {
            true => Ok(Condition::default()),
            false => Err(Never),
        }
    }

    fn note(&mut self, fault: Option<Fault>) {
        let found = fault.map(|fault| of_fault(self.object, self.action, fault));
        self.problems.extend(found);
    }
}

/// `all` and `condition`, unless that asks for nothing.
fn joined(mut all: Vec<Condition>, condition: Condition) -> Result<Vec<Condition>, Never> {
    all.extend((condition != Condition::default()).then_some(condition));
    Ok(all)
}

/// One list of an object.
struct List<'a> {
    attribute: Attribute,
    name: &'static str,
    values: &'a [String],
}

/// The lists of a source in pairs of values and exceptions.
fn source(of: &Source) -> [List<'_>; 14] {
    use Attribute as A;
    let list = |attribute, name, values| List {
        attribute,
        name,
        values,
    };
    [
        list(A::Principal, "principals", &of.principals[..]),
        list(A::Principal, "notPrincipals", &of.not_principals),
        list(
            A::RequestPrincipal,
            "requestPrincipals",
            &of.request_principals,
        ),
        list(
            A::RequestPrincipal,
            "notRequestPrincipals",
            &of.not_request_principals,
        ),
        list(A::Namespace, "namespaces", &of.namespaces),
        list(A::Namespace, "notNamespaces", &of.not_namespaces),
        list(A::ServiceAccount, "serviceAccounts", &of.service_accounts),
        list(
            A::ServiceAccount,
            "notServiceAccounts",
            &of.not_service_accounts,
        ),
        list(A::TrustDomain, "trustDomains", &of.trust_domains),
        list(A::TrustDomain, "notTrustDomains", &of.not_trust_domains),
        list(A::PeerIp, "ipBlocks", &of.ip_blocks),
        list(A::PeerIp, "notIpBlocks", &of.not_ip_blocks),
        list(A::ClientIp, "remoteIpBlocks", &of.remote_ip_blocks),
        list(A::ClientIp, "notRemoteIpBlocks", &of.not_remote_ip_blocks),
    ]
}

/// The lists of an operation in pairs of values and exceptions.
fn operation(of: &Operation) -> [List<'_>; 8] {
    use Attribute as A;
    let list = |attribute, name, values| List {
        attribute,
        name,
        values,
    };
    [
        list(A::Host, "hosts", &of.hosts[..]),
        list(A::Host, "notHosts", &of.not_hosts),
        list(A::Method, "methods", &of.methods),
        list(A::Method, "notMethods", &of.not_methods),
        list(A::Path, "paths", &of.paths),
        list(A::Path, "notPaths", &of.not_paths),
        list(A::DestinationPort, "ports", &of.ports),
        list(A::DestinationPort, "notPorts", &of.not_ports),
    ]
}
