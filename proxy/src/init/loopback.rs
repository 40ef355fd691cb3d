//! The address `::6` on the loopback interface: the source of the proxy's IPv6 connections to its
//! own application, as `127.0.0.6` is for IPv4 without any set-up.

use super::attribute::{ACK, CREATE, Message, REPLACE, REQUEST};
use super::netlink::{Error, exchange};
use rustix::io::Errno;
use std::net::Ipv6Addr;

const NEWADDR: u16 = 20;
const AF_INET6: u8 = 10;
/// `IFA_F_NODAD`: the address is usable at once.
const NO_DUPLICATE_DETECTION: u8 = 0x02;
const HOST_SCOPE: u8 = 254;
/// The loopback interface is the first of every network namespace.
const LOOPBACK: u32 = 1;
const PURPOSE: &str = "add ::6/128 to the loopback interface";

/// Adds the address; nothing to do where it is, or where there is no IPv6.
pub(super) fn add_app_source() -> Result<(), Error> {
    // Protocol 0 of netlink is its routing part.
    match exchange(None, &[new_address()]) {
        Ok(()) | Err((_, Errno::EXIST)) => Ok(()),
        Err((purpose, Errno::PERM)) => Err(Error::Forbidden { purpose }),
        Err((_, errno)) => {
            tracing::info!(%errno, "no IPv6 on the loopback interface; only IPv4 is captured");
            Ok(())
        }
    }
}

fn new_address() -> Message {
    let [a, b, c, d] = LOOPBACK.to_ne_bytes();
    let fixed = [
        AF_INET6,
        128,
        NO_DUPLICATE_DETECTION,
        HOST_SCOPE,
        a,
        b,
        c,
        d,
    ];
    let address = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 6).octets();
    let flags = REQUEST | ACK | CREATE | REPLACE;
    Message::new(NEWADDR, flags, PURPOSE, &fixed).with(|to| {
        to.bytes(1, &address);
        to.bytes(2, &address);
    })
}
