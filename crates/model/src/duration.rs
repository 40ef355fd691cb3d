//! Durations as people write them in YAML.

use std::time::Duration;

/// The duration that `text` stands for: Go's form, such as `1.5s`, `100ms` or `1h30m`.
///
/// Negative ones and numbers without a unit are `None`; `0` alone is allowed, as in Go.
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (value, tail) = rest.split_at(number);
        let unit = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let seconds = value.parse::<f64>().ok()? * seconds(unit)?;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = tail;
    }
    Some(total).filter(|_| !text.is_empty())
}

fn seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    #[rustfmt::skip]
    fn durations_are_written_as_in_go() {
        let table = [
            ("0",      Some(0)),
            ("0s",     Some(0)),
            ("1.5s",   Some(1500)),
            ("100ms",  Some(100)),
            ("1h30m",  Some(5_400_000)),
            ("",       None),
            ("5",      None),  // a unit is needed
            ("-1s",    None),
            ("1x",     None),
            ("s",      None),
            ("1e9h",   None),
        ];
        for (text, milliseconds) in table {
            assert_eq!(parse(text), milliseconds.map(Duration::from_millis), "{text:?}");
        }
    }
}
