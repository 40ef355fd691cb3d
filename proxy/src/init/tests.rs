//! Rules as values, and rules in a kernel with real sockets.

use super::*;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

pub(crate) fn settings(variables: &[(&str, &str)]) -> Result<Settings, Invalid> {
    Settings::read(&|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn has(rules: &[Rule], matches: &[Match], verdict: Verdict) -> bool {
    rules
        .iter()
        .any(|rule| rule.matches == matches && rule.verdict == verdict)
}

#[test]
fn without_settings_all_tcp_is_captured_and_the_proxys_own_ports_are_not() {
    let rules = Rules::new(&settings(&[]).unwrap());
    let last = |list: &[Rule]| list.last().cloned().unwrap();
    assert_eq!(last(&rules.output).matches, [Match::Tcp]);
    assert_eq!(last(&rules.output).verdict, Verdict::Redirect(15001));
    assert_eq!(last(&rules.prerouting).verdict, Verdict::Redirect(15006));
    for port in [15000, 15008, 15020, 15021, 15090] {
        let matches = [Match::Tcp, Match::Port(port)];
        assert!(has(&rules.prerouting, &matches, Verdict::Return), "{port}");
    }
}

#[test]
#[rustfmt::skip]
fn each_setting_has_its_rule() {
    use Match::{Destination, Port, Tcp, Udp};
    let ten = "10.0.0.0/8".parse().unwrap();
    let table: [(&str, &str, Vec<Match>, Verdict); 7] = [
        ("WEFT_OUTBOUND_PORTS_EXCLUDE", "3306, 25", vec![Tcp, Port(25)], Verdict::Return),
        ("WEFT_OUTBOUND_PORTS_INCLUDE", "80", vec![Tcp, Port(80)], Verdict::Redirect(15001)),
        ("WEFT_OUTBOUND_RANGES_EXCLUDE", "10.0.0.0/8", vec![Destination(ten)], Verdict::Return),
        ("WEFT_OUTBOUND_RANGES_INCLUDE", "10.0.0.0/8", vec![Tcp, Destination(ten)], Verdict::Redirect(15001)),
        ("WEFT_DNS_CAPTURE", "true", vec![Udp, Port(53)], Verdict::Redirect(15053)),
        ("WEFT_INBOUND_PORTS_EXCLUDE", "22", vec![Tcp, Port(22)], Verdict::Return),
        ("WEFT_INBOUND_PORTS_INCLUDE", "8080", vec![Tcp, Port(8080)], Verdict::Redirect(15006)),
    ];
    for (variable, value, matches, verdict) in table {
        let rules = Rules::new(&settings(&[(variable, value)]).unwrap());
        let all = [rules.output, rules.prerouting].concat();
        assert!(has(&all, &matches, verdict), "{variable}={value}");
    }
}

#[test]
fn a_setting_that_cannot_be_read_is_named() {
    let error = settings(&[("WEFT_INBOUND_PORTS_EXCLUDE", "22,ssh")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "WEFT_INBOUND_PORTS_EXCLUDE has `ssh`, which is not a port from 1 to 65535"
    );
}

/// Runs `story` in a network namespace of its own that has `10.9.9.9` and `fd09::9` and sends everything there.
pub(crate) fn in_namespace(story: impl FnOnce() + Send + 'static) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("weft-init-{}-{count}", std::process::id());
    let ip = |arguments: &str| {
        let status = Command::new("ip").args(arguments.split(' ')).status();
        assert!(
            status.unwrap().success(),
            "ip {arguments}; needs root and iproute2"
        );
    };
    ip(&format!("netns add {name}"));
    for step in [
        "link set lo up",
        "link add pod0 type veth peer name peer0",
        "link set peer0 up",
        "addr add 10.9.9.9/24 dev pod0",
        "-6 addr add fd09::9/64 dev pod0 nodad",
        "link set pod0 up",
        "route add default dev pod0",
        "-6 route add default dev pod0",
    ] {
        ip(&format!("-n {name} {step}"));
    }
    let path = format!("/run/netns/{name}");
    let outcome = thread::spawn(move || {
        let namespace = std::fs::File::open(path).unwrap();
        rustix::thread::move_into_link_name_space(namespace.as_fd(), None).unwrap();
        story();
    })
    .join();
    ip(&format!("netns del {name}"));
    outcome.unwrap();
}

/// A listener that greets each connection by `greeting`, on IPv4 and IPv6.
pub(crate) fn greeter(port: u16, greeting: &'static str) {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            // A client that has gone already is none of the server's business.
            let _ = socket.and_then(|mut socket| socket.write_all(greeting.as_bytes()));
        }
    });
}

/// What a process of user and group `id` hears at `address`.
fn heard_by(id: u32, address: &str, port: u16) -> String {
    answer_to(id, (address, port), "")
}

/// What a process of user and group `id` hears at an address after it has said `text`, which is in
/// the form of `printf`.
pub(crate) fn answer_to(id: u32, (address, port): (&str, u16), text: &str) -> String {
    let script = format!("exec 3<>/dev/tcp/{address}/{port} && printf '{text}' >&3 && cat <&3");
    let output = Command::new("bash")
        .args(["-c", &script])
        .uid(id)
        .gid(id)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_applications_connections_go_to_the_proxy_and_the_proxys_own_do_not() {
    in_namespace(|| {
        capture(&Settings::default()).unwrap();
        greeter(15001, "outbound");
        greeter(15006, "inbound");
        greeter(8080, "app");
        let app = 1000;
        let proxy = 1337;
        // Anywhere outside, in both families: there is nobody there but the proxy that took it.
        assert_eq!(heard_by(app, "198.51.100.7", 80), "outbound");
        assert_eq!(heard_by(app, "2001:db8::7", 80), "outbound");
        // The application reaches itself on its own, by any of its addresses.
        assert_eq!(heard_by(app, "127.0.0.1", 8080), "app");
        assert_eq!(heard_by(app, "10.9.9.9", 8080), "app");
        assert_eq!(heard_by(app, "::1", 8080), "app");
        // The proxy picked this pod for the application's call to its own service.
        assert_eq!(heard_by(proxy, "10.9.9.9", 8080), "inbound");
        assert_eq!(heard_by(proxy, "fd09::9", 8080), "inbound");
        assert_eq!(heard_by(proxy, "127.0.0.1", 8080), "app");
    });
}

#[test]
fn the_proxy_reaches_its_application_from_the_bypass_addresses() {
    in_namespace(|| {
        capture(&Settings::default()).unwrap();
        greeter(15006, "inbound");
        greeter(8080, "app");
        let hear = |source: &str, target: &str| {
            let source: SocketAddr = source.parse().unwrap();
            let target: SocketAddr = target.parse().unwrap();
            let domain = socket2::Domain::for_address(target);
            let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
            socket.bind(&source.into()).unwrap();
            socket.connect(&target.into()).unwrap();
            let mut heard = String::new();
            TcpStream::from(socket).read_to_string(&mut heard).unwrap();
            heard
        };
        assert_eq!(hear("127.0.0.6:0", "10.9.9.9:8080"), "app");
        assert_eq!(hear("[::6]:0", "[fd09::9]:8080"), "app");
    });
}

#[test]
fn the_original_destination_can_be_recovered() {
    in_namespace(|| {
        capture(&Settings::default()).unwrap();
        let listener = TcpListener::bind("0.0.0.0:15001").unwrap();
        let client = TcpStream::connect("198.51.100.7:4321").unwrap();
        let (server, _) = listener.accept().unwrap();
        let wanted = socket2::SockRef::from(&server).original_dst_v4().unwrap();
        assert_eq!(
            wanted.as_socket(),
            Some("198.51.100.7:4321".parse().unwrap())
        );
        drop(client);
    });
}

#[test]
fn running_again_replaces_the_earlier_rules() {
    in_namespace(|| {
        capture(&Settings::default()).unwrap();
        capture(&Settings::default()).unwrap();
        greeter(15001, "outbound");
        let only = settings(&[("WEFT_OUTBOUND_RANGES_INCLUDE", "10.9.9.0/24")]).unwrap();
        assert_eq!(heard_by(1000, "198.51.100.7", 80), "outbound");
        capture(&only).unwrap();
        assert_eq!(heard_by(1000, "10.9.9.1", 80), "outbound");
        let lost = TcpStream::connect_timeout(
            &"198.51.100.7:80".parse().unwrap(),
            std::time::Duration::from_millis(200),
        );
        assert!(lost.is_err(), "an excluded range is still captured");
    });
}

#[test]
fn automatic_addresses_are_captured_whatever_ranges_are() {
    in_namespace(|| {
        let captured = [
            ("WEFT_OUTBOUND_RANGES_INCLUDE", "10.9.9.0/24"),
            ("WEFT_DNS_CAPTURE", "true"),
        ];
        capture(&settings(&captured).unwrap()).unwrap();
        greeter(15001, "outbound");
        assert_eq!(heard_by(1000, "240.240.82.244", 5432), "outbound");
        assert_eq!(heard_by(1000, "2001:2::f0f0:52f4", 5432), "outbound");
    });
}

#[test]
fn without_the_capability_the_error_says_what_to_grant() {
    in_namespace(|| {
        let none = rustix::thread::CapabilitySets {
            effective: rustix::thread::CapabilitySet::empty(),
            permitted: rustix::thread::CapabilitySet::empty(),
            inheritable: rustix::thread::CapabilitySet::empty(),
        };
        rustix::thread::set_capabilities(None, none).unwrap();
        let error = capture(&Settings::default()).unwrap_err();
        assert!(error.to_string().contains("NET_ADMIN"), "{error}");
    });
}
