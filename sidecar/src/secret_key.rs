//! New API keys: `tg_live_` or `tg_test_` and 32 characters that nobody can guess.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tollgate_core::key::KeyHash;
use tollgate_core::time::UnixMillis;
use ulid::Ulid;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 32 characters of base 62 are 190 bits.
const SECRET_CHARS: usize = 32;
/// What a token of the admin API begins with.
pub const ADMIN_PREFIX: &str = "tg_admin_";
/// How much of a key is kept in clear text, to recognise it by.
const PREFIX_CHARS: usize = 12;
/// Bytes from here on are drawn again: 248 is the largest multiple of 62 in a byte, and without this the first
/// characters of the alphabet would be likelier than the others.
const FAIR_BELOW: u8 = 248;

/// What a key is for: part of its text, so that a test key in production is seen at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// `tg_live_…`
    #[default]
    Live,
    /// `tg_test_…`
    Test,
}

/// A new key. Its text is shown once and then forgotten.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey {
    text: String,
}

/// The operating system gave no randomness.
#[derive(Debug, Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct NoRandomness(getrandom::Error);

// === impl Environment ===

impl Environment {
    /// As the ledger and keys spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

// === impl SecretKey ===

impl SecretKey {
    /// Draws a key from the operating system's randomness.
    ///
    /// # Errors
    /// [`NoRandomness`] where there is none.
    pub fn generate(environment: Environment) -> Result<Self, NoRandomness> {
        Self::draw(format!("tg_{}_", environment.as_str()))
    }

    /// Draws a token of the admin API.
    ///
    /// # Errors
    /// [`NoRandomness`] where there is none.
    pub fn of_admin_api() -> Result<Self, NoRandomness> {
        Self::draw(ADMIN_PREFIX.to_owned())
    }

    fn draw(mut text: String) -> Result<Self, NoRandomness> {
        let length = text.len() + SECRET_CHARS;
        while text.len() < length {
            let mut bytes = [0; SECRET_CHARS];
            getrandom::fill(&mut bytes).map_err(NoRandomness)?;
            let drawn = bytes
                .iter()
                .filter(|byte| **byte < FAIR_BELOW)
                .filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
            text.extend(drawn.take(length - text.len()).map(|byte| char::from(*byte)));
        }
        Ok(Self { text })
    }

    /// The key's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first 12 characters.
    pub fn prefix(&self) -> &str {
        self.text.get(..PREFIX_CHARS).unwrap_or_default()
    }

    /// What is kept of the key.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(self.text.as_bytes())
    }
}

// === impl NoRandomness ===

impl From<getrandom::Error> for NoRandomness {
    fn from(error: getrandom::Error) -> Self {
        Self(error)
    }
}

/// A new stable id: `key_` and a ULID, so that ids sort by the time of creation.
///
/// # Errors
/// [`NoRandomness`] where the operating system gives none.
pub fn new_key_id(now: jiff::Timestamp) -> Result<String, NoRandomness> {
    new_id("key", now.into())
}

/// Bytes that nobody can guess.
///
/// # Errors
/// [`NoRandomness`] where the operating system gives none.
pub fn random<const BYTES: usize>() -> Result<[u8; BYTES], NoRandomness> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

/// A new stable id of any kind: the kind, `_` and a ULID.
///
/// # Errors
/// [`NoRandomness`] where the operating system gives none.
pub fn new_id(kind: &str, now: UnixMillis) -> Result<String, NoRandomness> {
    let ulid = Ulid::from_parts(now.0, u128::from_be_bytes(random()?));
    Ok(format!("{kind}_{ulid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_environment_and_has_32_more_characters() {
        for (environment, start) in [(Environment::Live, "tg_live_"), (Environment::Test, "tg_test_")] {
            let key = SecretKey::generate(environment).unwrap();
            let secret = key.text().strip_prefix(start).unwrap();
            assert_eq!(secret.len(), 32);
            assert!(secret.bytes().all(|b| b.is_ascii_alphanumeric()));
            assert_eq!(key.prefix().len(), 12);
            assert!(key.text().starts_with(key.prefix()));
        }
    }

    #[test]
    fn no_two_keys_are_the_same() {
        let texts: std::collections::HashSet<String> = (0..100)
            .map(|_| SecretKey::generate(Environment::Live).unwrap().text)
            .collect();
        assert_eq!(texts.len(), 100);
    }

    #[test]
    fn ids_sort_by_the_time_of_creation() {
        let at = |ms| new_key_id(jiff::Timestamp::from_millisecond(ms).unwrap()).unwrap();
        assert!(at(1_700_000_000_000) < at(1_700_000_000_001));
        assert_eq!(at(0).len(), "key_".len() + 26);
    }
}
