//! Globs for models and paths: `*` stands for any characters (also none, also `/`), `?` for exactly one. Every
//! other character stands for itself, in its own case.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The longest pattern, in bytes. It bounds the time of a match: text length × this, never exponential.
pub const MAX_PATTERN_BYTES: usize = 256;

/// A pattern that was checked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GlobError {
    /// It would match only the empty text.
    #[error("an empty pattern matches nothing; write * for everything")]
    Empty,
    /// Longer than [`MAX_PATTERN_BYTES`].
    #[error("a pattern has at most {MAX_PATTERN_BYTES} bytes, this one has {0}")]
    TooLong(usize),
}

// === impl Glob ===

impl Glob {
    /// Checks a pattern.
    ///
    /// # Errors
    /// Empty or longer than [`MAX_PATTERN_BYTES`].
    pub fn new(pattern: &str) -> Result<Self, GlobError> {
        match pattern.len() {
            0 => Err(GlobError::Empty),
            len if len > MAX_PATTERN_BYTES => Err(GlobError::TooLong(len)),
            _ => Ok(Self(pattern.into())),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern fits the whole text.
    pub fn matches(&self, text: &str) -> bool {
        fits(&self.0, text)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// Whether a pattern that nobody checked yet (a key's, from the sidecar) fits the whole text. One that
/// [`Glob::new`] refuses fits nothing.
pub fn matches(pattern: &str, text: &str) -> bool {
    (1..=MAX_PATTERN_BYTES).contains(&pattern.len()) && fits(pattern, text)
}

/// Only the last `*` is ever widened: an earlier one has taken the shortest text that lets the rest go on, and a
/// longer one could not reach further. So there is no search tree.
fn fits(pattern: &str, text: &str) -> bool {
    let mut wanted = pattern.chars();
    let mut seen = text.chars();
    let mut last_star = None;
    loop {
        let before = seen.clone();
        let mut rest_of_pattern = wanted.clone();
        match (rest_of_pattern.next(), seen.next()) {
            (Some('*'), _) => {
                last_star = Some((rest_of_pattern.clone(), before.clone()));
                (wanted, seen) = (rest_of_pattern, before);
            }
            (None, None) => return true,
            (Some(one), Some(other)) if one == '?' || one == other => wanted = rest_of_pattern,
            _ => {
                let Some((after_star, widened_to)) = &mut last_star else {
                    return false;
                };
                if widened_to.next().is_none() {
                    return false;
                }
                (wanted, seen) = (after_star.clone(), widened_to.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, exponential and obvious.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => (0..=text.len()).any(|skip| by_definition(rest, &text[skip..])),
            (Some((one, rest)), Some((other, others))) if *one == '?' || one == other => {
                by_definition(rest, others)
            }
            _ => false,
        }
    }

    #[test]
    fn people_name_models_and_paths() {
        for (pattern, text, expected) in [
            ("gpt-4o*", "gpt-4o-mini", true),
            ("gpt-4o*", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("*/embeddings", "/v1/embeddings", true),
            ("/v1/*", "/v1/chat/completions", true),
            ("claude-?-*", "claude-3-haiku", true),
            ("modell-?", "modell-ü", true),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("GPT*", "gpt-4o", false),
        ] {
            assert_eq!(
                Glob::new(pattern).unwrap().matches(text),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_pattern_has_a_bounded_length() {
        assert_eq!(Glob::new(""), Err(GlobError::Empty));
        assert_eq!(Glob::new(&"a".repeat(257)), Err(GlobError::TooLong(257)));
        assert!(!matches(&"*".repeat(257), "a"));
        assert!(matches("gpt-*", "gpt-4o"));
    }

    #[test]
    fn a_hostile_pattern_takes_bounded_time() {
        let pattern = Glob::new(&format!("{}b", "*a".repeat(127))).unwrap();
        assert!(!pattern.matches(&"a".repeat(100_000)));
    }

    proptest! {
        #[test]
        fn it_is_the_definition(pattern in "[ab?*ü]{1,8}", text in "[abü]{0,10}") {
            let expected = by_definition(
                &pattern.chars().collect::<Vec<_>>(),
                &text.chars().collect::<Vec<_>>(),
            );
            prop_assert_eq!(fits(&pattern, &text), expected);
        }
    }
}
