//! Tokens that callers authenticate with: only their digest is kept in memory, and the comparison takes the
//! same time whatever the caller sent.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// A bearer token of this sidecar's configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    digest: [u8; 32],
}

/// A token that nobody should be able to guess was left empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must not be empty or contain white space: an open sidecar would hand out every key's identity")]
pub struct WeakToken;

// === impl Token ===

impl Token {
    /// A token from its text.
    ///
    /// # Errors
    /// [`WeakToken`] where the text is empty or could not be sent as a bearer token (RFC 6750, section 2.1).
    pub fn new(text: &str) -> Result<Self, WeakToken> {
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(WeakToken);
        }
        Ok(Self {
            digest: Sha256::digest(text).into(),
        })
    }

    /// What is kept of it.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether the caller sent this token. Digests are compared, so that not even the length is told.
    pub fn matches(&self, sent: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(sent).into();
        self.digest.ct_eq(&digest).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_matches() {
        let token = Token::new("demo-admin-token").unwrap();
        assert!(token.matches(b"demo-admin-token"));
        for other in ["", "demo-admin-toke", "demo-admin-token ", "Demo-admin-token"] {
            assert!(!token.matches(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn an_empty_or_blank_token_is_refused() {
        for text in ["", " ", "a b", "a\n"] {
            assert_eq!(Token::new(text), Err(WeakToken), "{text:?}");
        }
    }
}
