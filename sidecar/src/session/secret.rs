//! A session's secret, and what is derived of it. Only the browser has the secret.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::secret_key::{NoRandomness, random};

/// 256 bits that nobody can guess.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSecret([u8; 32]);

// === impl SessionSecret ===

impl SessionSecret {
    /// Draws one from the operating system's randomness.
    ///
    /// # Errors
    /// [`NoRandomness`] where there is none.
    pub(super) fn generate() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// Reads what [`Self::to_text`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// As the cookie has it.
    pub(crate) fn to_text(&self) -> String {
        hex::encode(self.0)
    }

    /// What the ledger knows the session by.
    pub fn id(&self) -> [u8; 32] {
        self.derive(b"id", &[])
    }

    /// What a page must send along with every change, and only a page of this origin can read.
    pub fn csrf(&self) -> String {
        hex::encode(self.derive(b"csrf", &[]))
    }

    /// Whether this is the session's [`Self::csrf`].
    pub(super) fn is_csrf(&self, sent: &[u8]) -> bool {
        self.csrf().as_bytes().ct_eq(sent).into()
    }

    /// Ties the session to what it was begun with: a token's digest, or what is kept of a password. Without the secret
    /// it tells nothing of that.
    pub(super) fn credential(&self, kept: &[u8]) -> [u8; 32] {
        self.derive(b"credential", kept)
    }

    fn derive(&self, purpose: &[u8], more: &[u8]) -> [u8; 32] {
        let hasher = Sha256::new()
            .chain_update(b"tollgate session ")
            .chain_update(purpose);
        hasher.chain_update(self.0).chain_update(more).finalize().into()
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_its_text() {
        let secret = SessionSecret::generate().unwrap();
        assert_eq!(SessionSecret::parse(&secret.to_text()), Some(secret));
    }

    #[test]
    fn what_is_no_secret_is_none() {
        for text in ["", "00", "zz", &"0".repeat(63), &"0".repeat(66), &"x".repeat(64)] {
            assert_eq!(SessionSecret::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_derived_differs_by_purpose_and_by_token() {
        let secret = SessionSecret([7; 32]);
        let derived = [
            secret.id(),
            secret.derive(b"csrf", &[]),
            secret.credential(b"one"),
            secret.credential(b"other"),
        ];
        let different: std::collections::HashSet<_> = derived.iter().collect();
        assert_eq!(different.len(), derived.len());
    }
}
