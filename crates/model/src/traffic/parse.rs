//! One DestinationRule from its object.

use super::policy::{Hash, LoadBalancing, Outlier, Policy, Pool, SlowStart, TlsMode};
use super::{Policies, Rule, Subset};
use crate::host::Host;
use crate::mesh::Mesh;
use crate::objects::Config;
use crate::routing::check::{Fault, fault, header, optional, parts, port, positive};
use crate::visibility::Visibility;
use std::collections::BTreeMap;
use weft_api::networking::DestinationRuleSpec;
use weft_api::networking::http_route::Percent;
use weft_api::networking::traffic_policy as api;

/// What `object` says.
pub(super) fn parse(mesh: &Mesh, object: &Config<DestinationRuleSpec>) -> Result<Rule, Fault> {
    let spec = &object.spec;
    let namespace = &object.meta.key.namespace;
    if spec.host.is_empty() {
        return fault("spec.host", "it is empty", "name a service");
    }
    if spec.workload_selector.is_some() {
        let remedy = "leave it out, so that the rule counts for all clients";
        return fault("spec.workloadSelector", "it is not supported", remedy);
    }
    let mut subsets: Vec<Subset> = Vec::new();
    for (index, subset) in spec.subsets.iter().enumerate() {
        let at = format!("spec.subsets[{index}]");
        // The name stands between bars in the name of the cluster.
        if subset.name.is_empty() || subset.name.contains('|') {
            return fault(
                format!("{at}.name"),
                "it is not a name",
                "use letters and digits",
            );
        }
        if subsets.iter().any(|other| other.name == subset.name) {
            let message = format!("there are two subsets {}", subset.name);
            return fault(format!("{at}.name"), message, "give each its own name");
        }
        subsets.push(Subset {
            name: subset.name.clone(),
            labels: subset.labels.clone(),
            policies: policies(
                &format!("{at}.trafficPolicy"),
                subset.traffic_policy.as_ref(),
            )?,
        });
    }
    Ok(Rule {
        key: object.meta.key.clone(),
        host: Host::resolve(&spec.host, namespace, &mesh.cluster_domain),
        visibility: Visibility::parse(spec.export_to.iter().map(String::as_str), namespace),
        policies: policies("spec.trafficPolicy", spec.traffic_policy.as_ref())?,
        subsets,
    })
}

fn policies(at: &str, of: Option<&api::TrafficPolicy>) -> Result<Policies, Fault> {
    let Some(of) = of else {
        return Ok(Policies::default());
    };
    let general = api::PortPolicy {
        load_balancer: of.load_balancer.clone(),
        connection_pool: of.connection_pool.clone(),
        outlier_detection: of.outlier_detection.clone(),
        tls: of.tls.clone(),
        ..Default::default()
    };
    let mut ports = BTreeMap::new();
    for (index, each) in of.port_level_settings.iter().enumerate() {
        let at = format!("{at}.portLevelSettings[{index}]");
        let number = port(&format!("{at}.port.number"), each.port.number)?;
        ports.insert(number, policy(&at, each)?);
    }
    Ok(Policies {
        general: policy(at, &general)?,
        ports,
    })
}

fn policy(at: &str, of: &api::PortPolicy) -> Result<Policy, Fault> {
    let balancing = of.load_balancer.as_ref();
    let pool = of.connection_pool.as_ref();
    let outlier = of.outlier_detection.as_ref();
    Ok(Policy {
        balancing: balancing
            .map(|of| load_balancing(&format!("{at}.loadBalancer"), of))
            .transpose()?,
        pool: pool
            .map(|of| self::pool(&format!("{at}.connectionPool"), of))
            .transpose()?,
        outlier: outlier
            .map(|of| self::outlier(&format!("{at}.outlierDetection"), of))
            .transpose()?,
        tls: of
            .tls
            .as_ref()
            .map(|of| tls(&format!("{at}.tls"), of))
            .transpose()?,
    })
}

fn load_balancing(at: &str, of: &api::LoadBalancer) -> Result<LoadBalancing, Fault> {
    if let Some(hash) = &of.consistent_hash {
        if of.simple.is_some() {
            let remedy = "keep one of simple and consistentHash";
            return fault(at, "it chooses in two ways", remedy);
        }
        return consistent_hash(&format!("{at}.consistentHash"), hash);
    }
    let warmup = of.warmup.as_ref();
    let slow_start = warmup
        .map(|of| slow_start(&format!("{at}.warmup"), of))
        .transpose()?;
    Ok(match of.simple.unwrap_or_default() {
        api::SimpleLb::Unspecified | api::SimpleLb::LeastConn | api::SimpleLb::LeastRequest => {
            LoadBalancing::LeastRequest(slow_start)
        }
        api::SimpleLb::RoundRobin => LoadBalancing::RoundRobin(slow_start),
        api::SimpleLb::Random => LoadBalancing::Random,
        api::SimpleLb::Passthrough => LoadBalancing::Passthrough,
    })
}

fn slow_start(at: &str, of: &api::Warmup) -> Result<SlowStart, Fault> {
    let minimum = Percent {
        value: of.minimum_percent.unwrap_or(10.0),
    };
    let aggression = of.aggression.unwrap_or(1.0);
    if !(1.0..=1000.0).contains(&aggression) {
        let message = format!("{aggression} is not a form of the ramp");
        return fault(format!("{at}.aggression"), message, "use 1 or more");
    }
    let text = of.duration.as_deref().unwrap_or_default();
    Ok(SlowStart {
        window: positive(&format!("{at}.duration"), text)?,
        minimum_parts: parts(&format!("{at}.minimumPercent"), minimum)?,
        // Percent of a tenth: `parts` multiplies by ten thousand.
        aggression_thousandths: parts(
            at,
            Percent {
                value: aggression / 10.0,
            },
        )?,
    })
}

fn consistent_hash(at: &str, of: &api::ConsistentHash) -> Result<LoadBalancing, Fault> {
    const RING: u64 = 1024;
    let hash = hash(at, of)?;
    let ring = of.ring_hash.unwrap_or_default().minimum_ring_size;
    match of.maglev {
        Some(maglev) => match maglev.table_size {
            Some(size) if !is_prime(size) || size > 5_000_011 => fault(
                format!("{at}.maglev.tableSize"),
                format!("{size} is not a prime below 5000011"),
                "use a prime number, such as 65537",
            ),
            size => Ok(LoadBalancing::Maglev(hash, size)),
        },
        None => match ring.or(of.minimum_ring_size).unwrap_or(RING) {
            size @ 1..=8_388_608 => Ok(LoadBalancing::RingHash(hash, size)),
            size => fault(
                format!("{at}.ringHash.minimumRingSize"),
                format!("{size} places are too many or too few"),
                "use 1 to 8388608",
            ),
        },
    }
}

fn is_prime(number: u64) -> bool {
    let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number > 1 && divisors.all(|divisor| !number.is_multiple_of(divisor))
}

fn hash(at: &str, of: &api::ConsistentHash) -> Result<Hash, Fault> {
    if let Some(name) = &of.http_header_name {
        return Ok(Hash::Header(header(&format!("{at}.httpHeaderName"), name)?));
    }
    if let Some(cookie) = &of.http_cookie {
        let field = format!("{at}.httpCookie");
        let life = match cookie.ttl.as_deref() {
            Some(text) if crate::duration::parse(text).is_some_and(|life| life.is_zero()) => {
                Some(std::time::Duration::ZERO)
            }
            Some(text) => Some(positive(&format!("{field}.ttl"), text)?),
            None => None,
        };
        return Ok(Hash::Cookie {
            name: header(&format!("{field}.name"), &cookie.name).map(|_| cookie.name.clone())?,
            path: cookie.path.clone().unwrap_or_default(),
            life,
        });
    }
    match (of.use_source_ip, &of.http_query_parameter_name) {
        (Some(true), _) => Ok(Hash::SourceIp),
        (_, Some(name)) if !name.is_empty() => Ok(Hash::Query(name.clone())),
        _ => fault(
            at,
            "it has no key",
            "name a header, a cookie, a query parameter or useSourceIp",
        ),
    }
}

/// Limits of connections and requests.
pub(crate) fn pool(at: &str, of: &api::ConnectionPool) -> Result<Pool, Fault> {
    let tcp = of.tcp.clone().unwrap_or_default();
    let http = of.http.clone().unwrap_or_default();
    let time = |field: &str, text: Option<&String>| optional(&format!("{at}.{field}"), text);
    let keepalive = match &tcp.tcp_keepalive {
        Some(keepalive) => {
            let idle = time("tcp.tcpKeepalive.time", keepalive.time.as_ref())?;
            let interval = time("tcp.tcpKeepalive.interval", keepalive.interval.as_ref())?;
            Some((keepalive.probes, idle.map(whole), interval.map(whole)))
        }
        None => None,
    };
    let upgrade = http.h2_upgrade_policy.unwrap_or_default() == api::H2UpgradePolicy::Upgrade;
    let client_protocol = http.use_client_protocol.unwrap_or(false);
    if upgrade && client_protocol {
        let remedy = "keep one of h2UpgradePolicy and useClientProtocol";
        return fault(format!("{at}.http"), "it chooses two protocols", remedy);
    }
    Ok(Pool {
        connections: limit(tcp.max_connections),
        connect_timeout: time("tcp.connectTimeout", tcp.connect_timeout.as_ref())?,
        keepalive,
        connection_duration: time(
            "tcp.maxConnectionDuration",
            tcp.max_connection_duration.as_ref(),
        )?,
        tcp_idle: time("tcp.idleTimeout", tcp.idle_timeout.as_ref())?,
        pending: limit(http.http1_max_pending_requests),
        requests: limit(http.http2_max_requests),
        requests_per_connection: limit(http.max_requests_per_connection),
        retries: limit(http.max_retries),
        http_idle: time("http.idleTimeout", http.idle_timeout.as_ref())?,
        upgrade,
        client_protocol,
        streams: limit(http.max_concurrent_streams),
    })
}

/// Zero is as the mesh has it, and what is below too: Istio cannot say "none".
fn limit(number: Option<i32>) -> Option<u32> {
    number
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| *number != 0)
}

/// Whole seconds, at least one.
fn whole(time: std::time::Duration) -> u32 {
    u32::try_from(time.as_secs().max(1)).unwrap_or(u32::MAX)
}

fn outlier(at: &str, of: &api::OutlierDetection) -> Result<Outlier, Fault> {
    let percent = |field: &str, number: i32| match u32::try_from(number) {
        Ok(percent @ 0..=100) => Ok(percent),
        _ => fault(
            format!("{at}.{field}"),
            format!("{number} is not a percentage"),
            "use a number from 0 to 100",
        ),
    };
    let max_percent = percent("maxEjectionPercent", of.max_ejection_percent)?;
    Ok(Outlier {
        server_errors: of.consecutive_5xx_errors,
        gateway_errors: of.consecutive_gateway_errors.filter(|count| *count != 0),
        local_failures: of
            .consecutive_local_origin_failures
            .filter(|count| *count != 0),
        split: of.split_external_local_origin_errors,
        interval: optional(&format!("{at}.interval"), of.interval.as_ref())?,
        base_ejection: optional(
            &format!("{at}.baseEjectionTime"),
            of.base_ejection_time.as_ref(),
        )?,
        max_percent: Some(max_percent).filter(|percent| *percent != 0),
        min_health_percent: percent("minHealthPercent", of.min_health_percent)?,
    })
}

fn tls(at: &str, of: &api::ClientTls) -> Result<TlsMode, Fault> {
    match of.mode {
        api::ClientTlsMode::Disable => Ok(TlsMode::Disable),
        api::ClientTlsMode::IstioMutual => Ok(TlsMode::Mutual),
        api::ClientTlsMode::Simple | api::ClientTlsMode::Mutual => fault(
            format!("{at}.mode"),
            "TLS of the user's own is not supported yet",
            "use DISABLE or ISTIO_MUTUAL, or let the application make TLS",
        ),
    }
}
