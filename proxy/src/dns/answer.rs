//! Answers from the mesh's own names. Pure. Source: RFC 1035 §4.

use crate::config::Names;
use std::net::IpAddr;

const HEADER: usize = 12;
/// Bytes of a datagram that every client can take (RFC 1035 §4.2.1).
const LONGEST: usize = 512;
/// Seconds that an answer holds; the table may change.
const TTL: u32 = 30;
const A: u16 = 1;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;

/// A question for addresses.
#[derive(Debug, PartialEq)]
struct Question {
    /// In lower case, without final dot.
    name: String,
    kind: u16,
    /// Where it ends in the query.
    end: usize,
}

/// The answer to `query` if it asks for addresses of a name in `names`; `None` is for others to
/// answer.
///
/// A name without addresses of the family that was asked for has an empty answer: what others say of
/// it is not the mesh's.
pub(super) fn answer(query: &[u8], names: &Names) -> Option<Vec<u8>> {
    let question = question(query)?;
    let addresses = names.find(&question.name)?;
    let records: Vec<Vec<u8>> = addresses
        .iter()
        .filter(|ip| ip.is_ipv4() == (question.kind == A))
        .map(|ip| record(*ip))
        .collect();
    let length = if question.kind == A { 16 } else { 28 };
    let fit = (LONGEST - question.end) / length;
    let records = &records[..records.len().min(fit)];

    let mut answer = query[..question.end].to_vec();
    // An answer (QR) with authority (AA); recursion is had if it is wished (RD, RA); no error.
    answer[2] = 0b1000_0100 | (query[2] & 1);
    answer[3] = 0b1000_0000;
    let count = u16::try_from(records.len()).unwrap_or_default();
    answer[6..8].copy_from_slice(&count.to_be_bytes());
    // Neither authorities nor additions: the client's options are not repeated.
    answer[8..HEADER].fill(0);
    answer.extend(records.iter().flatten());
    Some(answer)
}

/// The only question of a standard query for addresses.
fn question(query: &[u8]) -> Option<Question> {
    let number = |at: usize| Some(u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]));
    let standard = query.get(2)? & 0b1111_1000 == 0;
    if !standard || number(4)? != 1 {
        return None;
    }
    let (name, end) = name(query)?;
    let (kind, class) = (number(end)?, number(end + 2)?);
    let wanted = matches!(kind, A | AAAA) && class == INTERNET;
    wanted.then_some(Question {
        name,
        kind,
        end: end + 4,
    })
}

/// The name behind the header, and where it ends; a pointer has nowhere to point to there.
fn name(query: &[u8]) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        match length {
            0 => return Some((name, at)),
            1..=63 => {}
            _ => return None,
        }
        let label = query.get(at..at + length)?;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&std::str::from_utf8(label).ok()?.to_ascii_lowercase());
        at += length;
        if name.len() > 253 {
            return None;
        }
    }
}

/// An address of the name that the question has.
fn record(ip: IpAddr) -> Vec<u8> {
    let (kind, bytes) = match ip {
        IpAddr::V4(ip) => (A, ip.octets().to_vec()),
        IpAddr::V6(ip) => (AAAA, ip.octets().to_vec()),
    };
    let mut record = vec![0xc0, HEADER as u8];
    record.extend(kind.to_be_bytes());
    record.extend(INTERNET.to_be_bytes());
    record.extend(TTL.to_be_bytes());
    record.extend(if ip.is_ipv4() { [0, 4] } else { [0, 16] });
    record.extend(bytes);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query with the number 0xabcd that wishes recursion.
    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut query = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(label.len() as u8);
            query.extend(label.bytes());
        }
        query.push(0);
        query.extend(kind.to_be_bytes());
        query.extend([0, 1]);
        query
    }

    fn names() -> Names {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let many: Vec<String> = (0..100).map(|last| format!("10.0.0.{last}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        Names(
            [
                ("api.example.com".into(), ips(&["240.240.0.1", "2001:2::1"])),
                ("four.example.com".into(), ips(&["192.0.2.1"])),
                ("many.example.com".into(), ips(&many)),
            ]
            .into(),
        )
    }

    #[test]
    fn a_name_of_the_mesh_is_answered_in_the_form_of_rfc_1035() {
        let asked = query("API.example.com", A);
        let mut expected = asked.clone();
        expected[2..4].copy_from_slice(&[0x85, 0x80]);
        expected[7] = 1;
        expected.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 240, 240, 0, 1]);
        assert_eq!(answer(&asked, &names()), Some(expected));
    }

    #[test]
    fn an_ipv6_question_gets_ipv6_addresses_or_an_empty_answer() {
        let found = answer(&query("api.example.com", AAAA), &names()).unwrap();
        assert_eq!((found[7], &found[found.len() - 2..]), (1, &[0u8, 1][..]));
        let empty = answer(&query("four.example.com", AAAA), &names()).unwrap();
        assert_eq!((empty[3] & 15, empty[7]), (0, 0), "no error, no address");
    }

    #[test]
    fn options_of_the_client_are_not_repeated() {
        let mut asked = query("api.example.com", A);
        asked[11] = 1;
        asked.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]); // EDNS(0)
        let found = answer(&asked, &names()).unwrap();
        assert_eq!(found[8..12], [0; 4]);
        assert_eq!(found.len(), query("api.example.com", A).len() + 16);
    }

    #[test]
    fn an_answer_fits_into_a_datagram() {
        let found = answer(&query("many.example.com", A), &names()).unwrap();
        assert!(found.len() <= 512 && found[7] > 20, "{}", found.len());
    }

    #[test]
    fn what_is_not_of_the_mesh_is_for_others() {
        let mut two = query("api.example.com", A);
        two[5] = 2;
        let mut answered = query("api.example.com", A);
        answered[2] |= 0x80;
        let mut looped = query("api.example.com", A);
        looped[12] = 0xc0;
        let long = query("api.example.com", A);
        #[rustfmt::skip]
        let table = [
            ("another name",       query("other.example.com", A)),
            ("a kind of its own",  query("api.example.com", 15)),
            ("two questions",      two),
            ("an answer",          answered),
            ("a pointer",          looped),
            ("half a question",    long[..20].to_vec()),
            ("nothing",            Vec::new()),
        ];
        for (what, query) in table {
            assert_eq!(answer(&query, &names()), None, "{what}");
        }
    }
}
