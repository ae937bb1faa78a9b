//! Token counts as providers write them: mostly integers, at times null, a float, or nonsense.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// No answer has more tokens than this. A larger number is nonsense, and is read as absent.
const MAX_TOKENS: u64 = u32::MAX as u64;

/// A token count: `None` where it is absent, null, negative, absurdly large or no number at all. A fraction is
/// rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count(pub(super) Option<u64>);

struct CountVisitor;

// === impl Count ===

impl Count {
    /// The count in a field's JSON, if there is such a field.
    pub(super) fn of(json: Option<&str>) -> Self {
        // Nearly all are digits and nothing else.
        match json.map(|raw| raw.parse::<u64>().map_err(|_| raw)) {
            None => Self(None),
            Some(Ok(count)) => count.into(),
            Some(Err(raw)) => serde_json::from_str(raw).unwrap_or_default(),
        }
    }

    /// The count, or zero.
    pub(super) fn or_zero(self) -> u64 {
        self.0.unwrap_or(0)
    }

    /// This count, or else the other.
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    /// The larger of two counts that say the same in two places.
    pub(super) fn or_more(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
}

impl From<u64> for Count {
    fn from(count: u64) -> Self {
        Self((count <= MAX_TOKENS).then_some(count))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

// === impl CountVisitor ===

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token count")
    }

    fn visit_u64<E>(self, value: u64) -> Result<Count, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Count, E> {
        Ok(u64::try_from(value).map_or_else(|_| Count(None), Count::from))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Count, E> {
        let sane = value.is_finite() && value >= 0.0 && value <= MAX_TOKENS as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked on the line before"
        )]
        Ok(Count(sane.then(|| value.ceil() as u64)))
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Count(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Count(None))
    }
}

/// A part of a usage object, or its default where it is absent or not of the expected shape: what the rest says
/// still counts.
pub(super) fn part<'a, T: Deserialize<'a> + Default>(raw: Option<&'a RawValue>) -> T {
    raw.and_then(|json| serde_json::from_str(json.get()).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_sane_count_is_absent() {
        for json in [
            "null",
            "-1",
            "1e30",
            "4294967296",
            "\"12\"",
            "true",
            "[1,[2]]",
            "{\"a\":1}",
            "-0.5",
        ] {
            assert_eq!(
                serde_json::from_str::<Count>(json).unwrap(),
                Count(None),
                "{json}"
            );
        }
    }

    #[test]
    fn a_float_is_rounded_up() {
        for (json, count) in [
            ("12.0", 12),
            ("12.2", 13),
            ("0", 0),
            ("4294967295", 4_294_967_295),
        ] {
            assert_eq!(
                serde_json::from_str::<Count>(json).unwrap(),
                Count(Some(count)),
                "{json}"
            );
        }
    }
}
