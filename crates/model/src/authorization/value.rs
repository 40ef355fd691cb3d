//! What single values of a policy may be.

use super::template;
use super::{PathPattern, Pattern, Test};
use crate::mesh::Mesh;
use crate::routing::check::{Fault, fault, header, net};

/// What Istio calls the mesh's own trust domain, whatever its name.
const LOCAL: &str = "cluster.local";
/// Names that the parts of a request's head have where headers are asked for.
const PSEUDO: [&str; 4] = [":authority", ":method", ":path", ":scheme"];

/// A property that conditions look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Attribute {
    Principal,
    Namespace,
    ServiceAccount,
    TrustDomain,
    RequestPrincipal,
    Claim(Vec<String>),
    PeerIp,
    ClientIp,
    DestinationIp,
    DestinationPort,
    ServerName,
    Host,
    Method,
    Path,
    Header(String),
}

impl Attribute {
    /// Whether only HTTP requests have it.
    pub(super) fn is_http(&self) -> bool {
        match self {
            Self::Principal
            | Self::Namespace
            | Self::ServiceAccount
            | Self::TrustDomain
            | Self::PeerIp
            | Self::ClientIp
            | Self::DestinationIp
            | Self::DestinationPort
            | Self::ServerName => false,
            Self::RequestPrincipal
            | Self::Claim(_)
            | Self::Host
            | Self::Method
            | Self::Path
            | Self::Header(_) => true,
        }
    }
}

/// What a `key` of `when` names.
pub(super) fn attribute(field: &str, key: &str) -> Result<Attribute, Fault> {
    let inside = |prefix: &str| key.strip_prefix(prefix)?.strip_suffix(']');
    if let Some(name) = inside("request.headers[") {
        if PSEUDO.contains(&name) {
            return Ok(Attribute::Header(name.to_owned()));
        }
        return header(field, name).map(Attribute::Header);
    }
    if let Some(path) = inside("request.auth.claims[") {
        let path: Vec<String> = path.split("][").map(str::to_owned).collect();
        if path.iter().all(|step| !step.is_empty()) {
            return Ok(Attribute::Claim(path));
        }
    }
    let claim = |name: &str| Attribute::Claim(vec![name.to_owned()]);
    Ok(match key {
        "source.ip" => Attribute::PeerIp,
        "remote.ip" => Attribute::ClientIp,
        "source.namespace" => Attribute::Namespace,
        "source.principal" => Attribute::Principal,
        "source.serviceAccount" => Attribute::ServiceAccount,
        "source.trustDomain" => Attribute::TrustDomain,
        "request.auth.principal" => Attribute::RequestPrincipal,
        "request.auth.audiences" => claim("aud"),
        "request.auth.presenter" => claim("azp"),
        "destination.ip" => Attribute::DestinationIp,
        "destination.port" => Attribute::DestinationPort,
        "connection.sni" => Attribute::ServerName,
        _ => {
            let message = match key.starts_with("experimental.envoy.filters.") {
                true => format!("`{key}`: no proxy here has metadata of other filters"),
                false => format!("`{key}` is not known"),
            };
            return fault(
                field,
                message,
                "use a key of Istio's table of conditions, such as request.headers[x-token]",
            );
        }
    })
}

/// The tests that a value stands for; several where trust domains have aliases.
pub(super) fn tests(
    mesh: &Mesh,
    namespace: &str,
    of: &Attribute,
    (field, value): (&str, &str),
) -> Result<Vec<Test>, Fault> {
    if value.is_empty() {
        return fault(field, "an empty value", "remove it, or use * for any");
    }
    let pattern = Pattern::of(value);
    let one = match of {
        Attribute::Principal => return principals(mesh, field, value),
        Attribute::Path => return paths(field, value),
        Attribute::Namespace => Test::Namespace(name(field, value)?),
        Attribute::ServiceAccount => account(namespace, field, value)?,
        Attribute::TrustDomain => Test::TrustDomain(pattern),
        Attribute::RequestPrincipal => request_principal(field, value)?,
        Attribute::Claim(path) => Test::Claim(path.clone(), pattern),
        Attribute::PeerIp => Test::PeerIp(net(field, value)?),
        Attribute::ClientIp => Test::ClientIp(net(field, value)?),
        Attribute::DestinationIp => Test::DestinationIp(net(field, value)?),
        Attribute::DestinationPort => Test::DestinationPort(port(field, value)?),
        Attribute::ServerName => Test::ServerName(pattern),
        Attribute::Host => Test::Host(pattern),
        Attribute::Method => Test::Method(pattern),
        Attribute::Header(name) => Test::Header(name.clone(), pattern),
    };
    Ok(vec![one])
}

/// A principal in every trust domain that the mesh takes for its own.
///
/// Source: Istio `pilot/pkg/security/trustdomain`.
fn principals(mesh: &Mesh, field: &str, value: &str) -> Result<Vec<Test>, Fault> {
    if value.contains("://") {
        return fault(
            field,
            format!("`{value}` has a scheme"),
            "write it without spiffe://, such as cluster.local/ns/shop/sa/cart",
        );
    }
    let one = |text: &str| Test::Principal(Pattern::of(text));
    let Some((domain, rest)) = value.split_once('/') else {
        return Ok(vec![one(value)]);
    };
    let domains = &mesh.trust_domains;
    if domain != LOCAL && !domains.iter().any(|own| own == domain) {
        return Ok(vec![one(value)]);
    }
    let aliases = domains.iter().map(|own| one(&format!("{own}/{rest}")));
    Ok(aliases.collect())
}

/// A path; also with its escapes in upper case, as requests have them in normal form.
fn paths(field: &str, value: &str) -> Result<Vec<Test>, Fault> {
    if value.contains(['?', '#']) {
        return fault(
            field,
            format!("`{value}` has a query, which is no part of the path"),
            "remove everything from the ? on",
        );
    }
    if template::is_template(value) {
        let text = template::check(field, value)?;
        return Ok(vec![Test::Path(PathPattern::Template(text))]);
    }
    let text = |text: &str| Test::Path(PathPattern::Text(Pattern::of(text)));
    let normal = upper_case_escapes(value);
    let own = std::iter::once(text(value));
    Ok(own
        .chain((normal != value).then(|| text(&normal)))
        .collect())
}

fn upper_case_escapes(path: &str) -> String {
    let mut parts = path.split('%');
    let mut normal = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        normal.push('%');
        match part.split_at_checked(2) {
            Some((escape, rest)) => {
                normal.push_str(&escape.to_ascii_uppercase());
                normal.push_str(rest);
            }
            None => normal.push_str(part),
        }
    }
    normal
}

fn account(namespace: &str, field: &str, value: &str) -> Result<Test, Fault> {
    let (namespace, account) = value.split_once('/').unwrap_or((namespace, value));
    if value.contains('*') || namespace.is_empty() || account.is_empty() || account.contains('/') {
        return fault(
            field,
            format!("`{value}` is not a service account"),
            "write namespace/name, or the name of one in the object's namespace; no wildcards",
        );
    }
    Ok(Test::ServiceAccount(
        namespace.to_owned(),
        account.to_owned(),
    ))
}

/// A name in which `*` stands for any text.
fn name(field: &str, value: &str) -> Result<String, Fault> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.*".contains(&byte);
    match value.bytes().all(allowed) {
        true => Ok(value.to_owned()),
        false => fault(
            field,
            format!("`{value}` is not the name of a namespace"),
            "use letters, digits, hyphens and *",
        ),
    }
}

fn port(field: &str, value: &str) -> Result<u16, Fault> {
    match value.parse() {
        Ok(port @ 1..) => Ok(port),
        Ok(0) | Err(_) => fault(
            field,
            format!("`{value}` is not a port"),
            "use the number of a port of the pod, 1 to 65535",
        ),
    }
}

/// `<issuer>/<subject>`, divided at the last slash as issuers are URLs.
fn request_principal(field: &str, value: &str) -> Result<Test, Fault> {
    let any_if_empty = |text: &str| match text {
        "" => Pattern::Present,
        text => Pattern::of(text),
    };
    let (issuer, subject) = match (value, value.rsplit_once('/')) {
        ("*", _) => (Pattern::Present, Pattern::Present),
        (_, Some((issuer, subject))) => (any_if_empty(issuer), any_if_empty(subject)),
        (suffix, None) if suffix.starts_with('*') => (Pattern::Present, Pattern::of(suffix)),
        (prefix, None) if prefix.ends_with('*') => (Pattern::of(prefix), Pattern::Present),
        _ => {
            return fault(
                field,
                format!("`{value}` has no subject"),
                "write issuer/subject, such as https://issuer.example/*",
            );
        }
    };
    Ok(Test::RequestPrincipal(issuer, subject))
}
