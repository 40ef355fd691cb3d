//! Durations as users write them.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A duration such as `90s` or `1h30m`, kept as it was written.
///
/// Units are `h`, `m`, `s` and `ms`; several add up. Source: Go's `time.ParseDuration`, without
/// fractions and signs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration {
    text: String,
    length: std::time::Duration,
}

/// A text that is not a [`Duration`].
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is not a duration; write numbers with units, such as 90s, 24h or 1h30m")]
pub struct NotADuration {
    text: String,
}

impl Duration {
    /// The same as a number.
    pub fn length(&self) -> std::time::Duration {
        self.length
    }

    /// The same as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Duration {
    type Error = NotADuration;

    fn try_from(text: String) -> Result<Self, NotADuration> {
        match length(&text) {
            Some(length) => Ok(Self { text, length }),
            None => Err(NotADuration { text }),
        }
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.text
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        super::schema::duration(generator)
    }
}

/// The sum of the parts; `None` if there is no part or one is malformed.
fn length(text: &str) -> Option<std::time::Duration> {
    let mut rest = text;
    let mut sum = std::time::Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let (unit, after) = unit(&rest[digits..])?;
        sum = sum.checked_add(unit.checked_mul(u32::try_from(number).ok()?)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

/// The unit at the start of `text`, and what follows it.
fn unit(text: &str) -> Option<(std::time::Duration, &str)> {
    use std::time::Duration;
    // `ms` before `m`: the longer one must be tried first.
    let units = [
        ("ms", Duration::from_millis(1)),
        ("h", Duration::from_secs(3600)),
        ("m", Duration::from_secs(60)),
        ("s", Duration::from_secs(1)),
    ];
    units
        .into_iter()
        .find_map(|(name, unit)| Some((unit, text.strip_prefix(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_duration_add_up() {
        let table = [
            ("90s", Some(90_000)),
            ("1h30m", Some(5_400_000)),
            ("1m500ms", Some(60_500)),
            ("87600h", Some(315_360_000_000)),
            ("", None),
            ("5", None),
            ("5d", None),
            ("-5s", None),
            ("99999999999999h", None),
        ];
        for (text, milliseconds) in table {
            let parsed = Duration::try_from(text.to_owned()).ok();
            let found = parsed.map(|duration| duration.length().as_millis());
            assert_eq!(found, milliseconds, "{text}");
        }
    }
}
