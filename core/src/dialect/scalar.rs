//! Strings, booleans and counts of a body, with the strictness that all providers share.

use std::borrow::Cow;

use super::at::{At, Invalid};
use super::fields::{is_string, present};
use super::json_string::decode;

/// A string, or nothing where the field is absent or `null`.
pub(super) fn string<'a>(json: Option<&'a str>, at: &At<'_>) -> Result<Option<Cow<'a, str>>, Invalid> {
    match present(json) {
        None => Ok(None),
        Some(raw) if is_string(raw) => Ok(Some(decode(raw))),
        Some(_) => Err(at.must("be a string")),
    }
}

/// A string where there is one; anything else is ignored.
pub(super) fn hint(json: Option<&str>) -> Option<Cow<'_, str>> {
    json.filter(|raw| is_string(raw)).map(decode)
}

/// A boolean, or nothing where the field is absent or `null`.
pub(super) fn boolean(json: Option<&str>, at: &At<'_>) -> Result<Option<bool>, Invalid> {
    match present(json) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(at.must("be a boolean")),
    }
}

/// A count, or nothing where the field is absent or `null`. `4096.0` and `4e3` are integers in JSON Schema, and
/// to the providers that validate with it.
pub(super) fn count(json: Option<&str>, at: &At<'_>) -> Result<Option<u64>, Invalid> {
    let Some(raw) = present(json) else {
        return Ok(None);
    };
    match integer(raw) {
        Some(value) => Ok(Some(value)),
        None => Err(at.must("be an integer that is not negative")),
    }
}

/// As [`count`]; a negative integer is no limit (llama.cpp and LM Studio take `-1`).
pub(super) fn limit(json: Option<&str>, at: &At<'_>) -> Result<Option<u64>, Invalid> {
    let is_negative = |raw: &str| raw.parse::<i64>().is_ok_and(|value| value < 0);
    count(json.filter(|raw| !is_negative(raw)), at)
}

/// As [`count`]; also in quotes, as JSON of protocol buffers may have it.
pub(super) fn proto_count(json: Option<&str>, at: &At<'_>) -> Result<Option<u64>, Invalid> {
    let unquoted = json.and_then(|raw| raw.strip_prefix('"')?.strip_suffix('"'));
    count(unquoted.or(json), at)
}

fn integer(raw: &str) -> Option<u64> {
    /// 2⁵³: from here on a float does not hold every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Ok(value) = raw.parse::<u64>() {
        return raw
            .starts_with(|first: char| first.is_ascii_digit())
            .then_some(value);
    }
    let value = serde_json::from_str::<f64>(raw).ok()?;
    let whole = value.fract() == 0.0 && (0.0..EXACT).contains(&value);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and within what u64 holds"
    )]
    whole.then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_integers_however_they_are_written() {
        for (raw, value) in [
            ("0", 0),
            ("4096", 4096),
            ("4096.0", 4096),
            ("4e3", 4000),
            ("-0", 0),
        ] {
            assert_eq!(count(Some(raw), &At::ROOT), Ok(Some(value)), "{raw}");
        }
    }

    #[test]
    fn other_values_are_no_counts() {
        for raw in ["-1", "1.5", "\"7\"", "true", "[]", "{}", "1e300"] {
            assert!(count(Some(raw), &At::ROOT).is_err(), "{raw}");
        }
    }

    #[test]
    fn protocol_buffers_may_quote_a_count() {
        assert_eq!(proto_count(Some("\"7\""), &At::ROOT), Ok(Some(7)));
        assert!(proto_count(Some("\"x\""), &At::ROOT).is_err());
    }

    #[test]
    fn null_is_absent() {
        assert_eq!(count(Some("null"), &At::ROOT), Ok(None));
        assert_eq!(boolean(Some("null"), &At::ROOT), Ok(None));
        assert_eq!(string(Some("null"), &At::ROOT), Ok(None));
    }
}
