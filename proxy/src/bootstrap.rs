//! What the environment says; the only place of the proxy that reads it.

use anyhow::{Context, Result, anyhow};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use weft_identity::{Namespace, ServiceAccount, SpiffeId, TrustDomain};

/// Looks up one variable.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable of this process; `None` when unset or not UTF-8.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Starts logging as `WEFT_LOG` and `WEFT_LOG_FORMAT` say.
///
/// # Errors
/// Which of the two cannot be read.
pub fn start_log(lookup: Lookup<'_>) -> Result<()> {
    let filter = lookup("WEFT_LOG").filter(|text| !text.is_empty());
    let filter = filter.unwrap_or_else(|| "warn,weft=info".to_owned());
    let format = lookup("WEFT_LOG_FORMAT").unwrap_or_default().parse()?;
    weft_telemetry::start(&filter, format).context("WEFT_LOG is not a log filter")
}

/// Who this proxy stands beside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `POD_NAME`.
    pub name: String,
    /// `POD_NAMESPACE`.
    pub namespace: String,
    /// `POD_IPS`, else `POD_IP`; never empty.
    pub addresses: Vec<IpAddr>,
    /// `SERVICE_ACCOUNT`.
    pub service_account: String,
    /// `NODE_NAME`.
    pub node: String,
    /// `WEFT_WORKLOAD`.
    pub workload: String,
    /// `WEFT_OWNER`.
    pub owner: String,
    /// The pod's labels, from the downward API.
    pub labels: BTreeMap<String, String>,
}

/// What the proxy does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It stands beside one workload, whose traffic it captures.
    #[default]
    Sidecar,
    /// It stands at the edge.
    Router,
}

impl Role {
    /// As Istio's node ids begin.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Router => "router",
        }
    }

    fn read(lookup: Lookup<'_>) -> Result<Self> {
        match or(lookup, "WEFT_ROLE", "sidecar").as_str() {
            "sidecar" => Ok(Self::Sidecar),
            "router" => Ok(Self::Router),
            other => Err(anyhow!("WEFT_ROLE has `{other}`; use sidecar or router")),
        }
    }
}

/// Where things are on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The projected service-account token.
    pub token: PathBuf,
    /// The mesh's roots, PEM.
    pub roots: PathBuf,
    /// Where key, certificate and the last good configuration are kept.
    pub state: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            token: "/var/run/secrets/weft/token/token".into(),
            roots: "/var/run/secrets/weft/roots/root-cert.pem".into(),
            state: "/var/lib/weft".into(),
        }
    }
}

/// Everything that a sidecar is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// `WEFT_ROLE`: `sidecar`, the default, or `router`.
    pub role: Role,
    /// The pod.
    pub pod: Pod,
    /// `WEFT_CONTROL`: host and port of the control plane.
    pub control: (String, u16),
    /// The pod's identity.
    pub identity: SpiffeId,
    /// `WEFT_CLUSTER_ID`.
    pub cluster: String,
    /// `WEFT_REVISION`.
    pub revision: String,
    /// `WEFT_VERSION`.
    pub version: String,
    /// How many workers.
    pub workers: usize,
    /// Files.
    pub paths: Paths,
    /// `WEFT_APP_PROBES`, JSON.
    pub probes: String,
    /// `WEFT_APP_METRICS`, JSON.
    pub metrics: String,
    /// `WEFT_DRAIN`: the longest time that connections get at the end.
    pub drain: Duration,
    /// `WEFT_MINIMUM_DRAIN`: how long at least the proxy goes on after it was told to end.
    pub minimum_drain: Duration,
    /// `WEFT_CERT_TTL`; `None` leaves it to the CA.
    pub certificate_lifetime: Option<Duration>,
    /// `WEFT_DNS_CAPTURE`: whether `init` sends DNS queries here.
    pub captures_dns: bool,
}

impl Bootstrap {
    /// Reads the variables of `weft-proxy run`; `labels` is the text of the downward API's file.
    ///
    /// # Errors
    /// The variable that is missing or cannot be read.
    pub fn read(lookup: Lookup<'_>, labels: &str) -> Result<Self> {
        let pod = pod(lookup, labels)?;
        let domain = or(lookup, "WEFT_TRUST_DOMAIN", "cluster.local");
        let identity = SpiffeId::new(
            &domain.parse::<TrustDomain>().context("WEFT_TRUST_DOMAIN")?,
            &pod.namespace
                .parse::<Namespace>()
                .context("POD_NAMESPACE")?,
            &pod.service_account
                .parse::<ServiceAccount>()
                .context("SERVICE_ACCOUNT")?,
        );
        let control = or(lookup, "WEFT_CONTROL", "weft-control.weft-system.svc:15012");
        let lifetime = lookup("WEFT_CERT_TTL").filter(|text| !text.is_empty());
        Ok(Self {
            role: Role::read(lookup)?,
            pod,
            control: host_port(&control).context("WEFT_CONTROL")?,
            identity,
            cluster: or(lookup, "WEFT_CLUSTER_ID", "Kubernetes"),
            revision: or(lookup, "WEFT_REVISION", "default"),
            version: or(lookup, "WEFT_VERSION", env!("CARGO_PKG_VERSION")),
            workers: workers(lookup)?,
            paths: Paths::default(),
            probes: or(lookup, "WEFT_APP_PROBES", "{}"),
            metrics: or(lookup, "WEFT_APP_METRICS", ""),
            drain: time(lookup, "WEFT_DRAIN", Duration::from_secs(25))?,
            minimum_drain: time(lookup, "WEFT_MINIMUM_DRAIN", Duration::from_secs(5))?,
            certificate_lifetime: lifetime
                .map(|text| duration(&text).context("WEFT_CERT_TTL"))
                .transpose()?,
            captures_dns: or(lookup, "WEFT_DNS_CAPTURE", "false") == "true",
        })
    }
}

/// What a proxy that runs from a file is told beside the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standalone {
    /// How many workers.
    pub workers: usize,
    /// `WEFT_DRAIN`: the longest time that connections get at the end.
    pub drain: Duration,
}

impl Standalone {
    /// Reads the variables of `weft-proxy run -c FILE`.
    ///
    /// # Errors
    /// The variable that cannot be read.
    pub fn read(lookup: Lookup<'_>) -> Result<Self> {
        Ok(Self {
            workers: workers(lookup)?,
            drain: time(lookup, "WEFT_DRAIN", Duration::from_secs(25))?,
        })
    }
}

/// The downward API's file of labels; empty where there is none.
pub fn pod_labels() -> String {
    std::fs::read_to_string(Path::new("/etc/weft/podinfo/labels")).unwrap_or_default()
}

fn pod(lookup: Lookup<'_>, labels: &str) -> Result<Pod> {
    let must = |name: &str| lookup(name).ok_or_else(|| anyhow!("{name} is not set"));
    let ips = lookup("POD_IPS").filter(|text| !text.is_empty());
    let ips = ips.map_or_else(|| must("POD_IP"), Ok)?;
    let addresses: Result<Vec<IpAddr>, _> = ips.split(',').map(|ip| ip.trim().parse()).collect();
    let name = must("POD_NAME")?;
    Ok(Pod {
        namespace: must("POD_NAMESPACE")?,
        addresses: addresses.with_context(|| format!("`{ips}` is not a list of addresses"))?,
        service_account: or(lookup, "SERVICE_ACCOUNT", "default"),
        node: or(lookup, "NODE_NAME", ""),
        workload: or(lookup, "WEFT_WORKLOAD", &name),
        owner: or(lookup, "WEFT_OWNER", ""),
        labels: labels_of(labels),
        name,
    })
}

/// Lines of `key="value"`, the value quoted as Go does.
fn labels_of(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            let value = serde_json::from_str(value).ok()?;
            Some((key.to_owned(), value))
        })
        .collect()
}

fn or(lookup: Lookup<'_>, name: &str, default: &str) -> String {
    lookup(name)
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| default.to_owned())
}

fn number<T: FromStr>(lookup: Lookup<'_>, name: &str, default: T) -> Result<T> {
    match lookup(name).filter(|text| !text.is_empty()) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| anyhow!("{name} has `{text}`, which is not a number")),
    }
}

/// `WEFT_CONCURRENCY`; else the CPU limit rounded up; else 2.
fn workers(lookup: Lookup<'_>) -> Result<usize> {
    let wished: usize = number(lookup, "WEFT_CONCURRENCY", 0)?;
    let millicores: usize = number(lookup, "WEFT_CPU_LIMIT", 0)?;
    Ok(match (wished, millicores) {
        (0, 0) => 2,
        (0, limit) => limit.div_ceil(1000),
        (wished, _) => wished,
    })
}

fn time(lookup: Lookup<'_>, name: &'static str, default: Duration) -> Result<Duration> {
    match lookup(name).filter(|text| !text.is_empty()) {
        None => Ok(default),
        Some(text) => duration(&text).context(name),
    }
}

fn host_port(text: &str) -> Result<(String, u16)> {
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| anyhow!("`{text}` is not host:port"))?;
    let port = port
        .parse()
        .map_err(|_| anyhow!("`{text}` does not end in a port"))?;
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

/// A duration as Kubernetes and Istio write it: `1h30m`, `25s`, `500ms`.
fn duration(text: &str) -> Result<Duration> {
    let wrong = || anyhow!("`{text}` is not a duration such as 25s or 1h30m");
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let (count, unit) = rest.split_at(digits);
        let count: f64 = count.parse().map_err(|_| wrong())?;
        let length = unit
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(unit.len());
        let seconds = match &unit[..length] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return Err(wrong()),
        };
        total += Duration::try_from_secs_f64(count * seconds).map_err(|_| wrong())?;
        rest = &unit[length..];
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap(more: &[(&str, &str)]) -> Result<Bootstrap> {
        let mut all = vec![
            ("POD_NAME", "cart-1"),
            ("POD_NAMESPACE", "shop"),
            ("POD_IP", "10.1.2.3"),
        ];
        all.extend(more);
        let lookup = |name: &str| {
            let found = all.iter().rev().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Bootstrap::read(&lookup, "app=\"cart\"\nnote=\"a \\\"b\\\"\"\n")
    }

    #[test]
    fn the_architectures_defaults_hold() {
        let read = bootstrap(&[]).unwrap();
        assert_eq!(read.control.0, "weft-control.weft-system.svc");
        assert_eq!(read.control.1, 15012);
        assert_eq!(
            read.identity.as_str(),
            "spiffe://cluster.local/ns/shop/sa/default"
        );
        assert_eq!(read.drain, Duration::from_secs(25));
        assert_eq!(read.workers, 2);
        assert_eq!(read.pod.labels["note"], "a \"b\"");
    }

    #[test]
    fn workers_follow_the_cpu_limit_unless_their_number_is_given() {
        #[rustfmt::skip]
        let table = [
            (vec![("WEFT_CPU_LIMIT", "500")], 1),
            (vec![("WEFT_CPU_LIMIT", "2500")], 3),
            (vec![("WEFT_CONCURRENCY", "4"), ("WEFT_CPU_LIMIT", "500")], 4),
            (vec![("WEFT_CONCURRENCY", "0"), ("WEFT_CPU_LIMIT", "2000")], 2),
        ];
        for (variables, expected) in table {
            let workers = bootstrap(&variables).unwrap().workers;
            assert_eq!(workers, expected, "{variables:?}");
        }
    }

    #[test]
    fn a_role_is_one_that_there_is() {
        assert_eq!(bootstrap(&[]).unwrap().role, Role::Sidecar);
        let router = bootstrap(&[("WEFT_ROLE", "router")]).unwrap();
        assert_eq!(router.role, Role::Router);
        assert!(bootstrap(&[("WEFT_ROLE", "waypoint")]).is_err());
    }

    #[test]
    fn durations_are_read_as_kubernetes_writes_them() {
        let seconds = |text| duration(text).map(|d| d.as_secs_f64()).ok();
        assert_eq!(seconds("1h30m"), Some(5400.0));
        assert_eq!(seconds("500ms"), Some(0.5));
        assert_eq!(seconds("24h0m0s"), Some(86_400.0));
        assert_eq!(seconds("10"), None);
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_named() {
        let error = bootstrap(&[("WEFT_DRAIN", "later")]).unwrap_err();
        assert!(format!("{error:#}").starts_with("WEFT_DRAIN: `later`"));
    }
}
