//! Handing messages to the kernel and reading its answers.

use super::attribute::{HEADER, Message};
use rustix::io::Errno;
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, sendto, socket_with};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// `NLMSG_ERROR`, which with code 0 is an acknowledgement.
const ANSWER: u16 = 2;
/// The kernel answers before `sendto` returns; waiting at all means that something is wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the rules are not in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The process may not change the network.
    #[error(
        "the kernel forbids to {purpose}: give the init container the capability NET_ADMIN, and look whether a security profile takes it away"
    )]
    Forbidden {
        /// What was tried.
        purpose: &'static str,
    },
    /// The kernel has no nftables, or not all of it.
    #[error(
        "the kernel cannot {purpose} ({errno}): load the modules nf_tables and nft_redir on the node, or use a kernel of version 5.2 or later with CONFIG_NF_TABLES_INET, CONFIG_NFT_NAT and CONFIG_NFT_REDIR"
    )]
    Unsupported {
        /// What was tried.
        purpose: &'static str,
        /// The kernel's own word.
        errno: Errno,
    },
    /// Anything else.
    #[error("the kernel refused to {purpose}: {errno}")]
    Refused {
        /// What was tried.
        purpose: &'static str,
        /// The kernel's own word.
        errno: Errno,
    },
}

impl Error {
    fn new(purpose: &'static str, errno: Errno) -> Self {
        match errno {
            Errno::PERM | Errno::ACCESS => Self::Forbidden { purpose },
            Errno::OPNOTSUPP | Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::NOENT => {
                Self::Unsupported { purpose, errno }
            }
            errno => Self::Refused { purpose, errno },
        }
    }
}

/// Carries out a nftables transaction: all of it or nothing.
pub(super) fn commit(messages: &[Message]) -> Result<(), Error> {
    exchange(Some(NETFILTER), messages).map_err(|(purpose, errno)| Error::new(purpose, errno))
}

/// Sends `messages` in one piece and waits until each that asks for an answer has one.
///
/// # Errors
/// The purpose of the first refused message and the kernel's error.
pub(super) fn exchange(
    protocol: Option<Protocol>,
    messages: &[Message],
) -> Result<(), (&'static str, Errno)> {
    let opening = |errno| ("open a netlink socket", errno);
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        protocol,
    )
    .map_err(opening)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).map_err(opening)?;
    let bytes: Vec<u8> = (1..)
        .zip(messages)
        .flat_map(|(sequence, message)| message.numbered(sequence))
        .collect();
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, &bytes, SendFlags::empty(), &kernel)
        .map_err(|errno| ("send to netlink", errno))?;
    answers(&socket, messages)
}

fn answers(socket: &OwnedFd, messages: &[Message]) -> Result<(), (&'static str, Errno)> {
    let mut expected = messages.iter().filter(|m| m.wants_answer()).count();
    let mut buffer = vec![0; 64 << 10];
    while expected > 0 {
        let (_, length) = recv(socket, &mut buffer[..], RecvFlags::empty())
            .map_err(|errno| ("answer over netlink", errno))?;
        for (sequence, errno) in results(&buffer[..length]) {
            if let Some(errno) = errno {
                let refused = (sequence as usize).checked_sub(1);
                let message = refused.and_then(|index| messages.get(index));
                return Err((message.map_or("begin", |m| m.purpose), errno));
            }
            expected = expected.saturating_sub(1);
        }
    }
    Ok(())
}

/// The answers in a datagram: sequence number, and the error if it is one.
fn results(mut datagram: &[u8]) -> Vec<(u32, Option<Errno>)> {
    let word =
        |bytes: &[u8], at: usize| -> Option<[u8; 4]> { bytes.get(at..at + 4)?.try_into().ok() };
    let mut found = Vec::new();
    while let (Some(length), Some(kind)) = (word(datagram, 0), word(datagram, 4)) {
        let length = u32::from_ne_bytes(length) as usize;
        if length < HEADER {
            break;
        }
        let (Some(sequence), Some(code)) = (word(datagram, 8), word(datagram, HEADER)) else {
            break;
        };
        if u16::from_ne_bytes([kind[0], kind[1]]) == ANSWER {
            let code = i32::from_ne_bytes(code);
            let errno = (code != 0).then(|| Errno::from_raw_os_error(-code));
            found.push((u32::from_ne_bytes(sequence), errno));
        }
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    found
}
