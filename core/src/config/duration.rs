//! Spans of time as people write them in a configuration: `250ms`, `30s`, `1m`, `24h`, `7d`.

use std::fmt;
use std::time::Duration;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time in a configuration: a whole number and one of `ms`, `s`, `m`, `h`, `d`. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

struct SpanVisitor;

// === impl Span ===

impl Span {
    /// A span of whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The span as a [`Duration`].
    pub const fn get(self) -> Duration {
        self.0
    }

    /// The span in milliseconds.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// Reads `30s`.
    ///
    /// # Errors
    /// What is wrong with the text, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no span of time; write a whole number and ms, s, m, h or d, like 30s");
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (count, unit) = text.split_at_checked(unit_at).ok_or_else(wrong)?;
        let count: u64 = count.parse().map_err(|_| wrong())?;
        let unit_millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        match count.checked_mul(unit_millis) {
            Some(0) => Err(format!("`{text}` is no time at all; write at least 1ms")),
            Some(millis) => Ok(Self::from_millis(millis)),
            None => Err(format!("`{text}` is longer than can be counted")),
        }
    }
}

impl fmt::Display for Span {
    /// In the largest unit that says it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 4] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        let millis = self.millis();
        let (unit, length) = UNITS
            .into_iter()
            .find(|(_, length)| millis.is_multiple_of(*length))
            .unwrap_or(("ms", 1));
        write!(f, "{}{unit}", millis / length)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SpanVisitor)
    }
}

// === impl SpanVisitor ===

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span of time, like 30s")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
        Span::parse(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_spans() {
        for (text, millis) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("1m", 60_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(Span::parse(text), Ok(Span::from_millis(millis)));
        }
    }

    #[test]
    fn a_span_is_written_as_people_write_it() {
        for text in ["250ms", "1s", "90s", "15m", "1h", "36h", "7d"] {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_span_is_told_what_one_looks_like() {
        for text in [
            "",
            "5",
            "s",
            "1.5s",
            "-1s",
            "1 s",
            "0s",
            "5w",
            "99999999999999999999s",
            "9999999999999999d",
        ] {
            let message = Span::parse(text).unwrap_err();
            assert!(message.contains(text), "{message}");
        }
    }
}
