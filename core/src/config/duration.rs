//! Spans of time as people write them in a configuration: `250ms`, `30s`, `1m`, `24h`, `7d`.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A span of time in a configuration: a whole number and one of `ms`, `s`, `m`, `h`, `d`. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

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

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
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
