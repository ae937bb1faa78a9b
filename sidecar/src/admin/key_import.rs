//! Keys that come with their secrets' hashes: from another gateway, or from a vault of one's own.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_core::key::KeyHash;

use super::key_spec::{NewKey, unless_empty};
use crate::http::problem::{FieldError, Problem};
use crate::ledger::keys::StoredKey;
use crate::secret_key::Environment;

const MAX_KEYS: usize = 1_000;
const MAX_PREFIX_CHARS: usize = 12;

/// `POST /admin/v1/keys/import`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyImport {
    /// At most 1,000. The schema does not say so: more of them are too large a body (413) before they are counted.
    #[schemars(length(min = 1))]
    pub(super) keys: Vec<ImportedKey>,
}

/// A key whose secret is known elsewhere.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportedKey {
    /// SHA-256 of the secret, 64 hex digits.
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    sha256: String,
    /// The secret's first characters, at most 12, to recognise it by.
    #[serde(default)]
    #[schemars(length(max = 12))]
    prefix: String,
    /// What people call it.
    name: String,
    /// What it belongs to.
    pub(super) workspace: String,
    /// The person or service behind it.
    #[serde(default)]
    user: Option<String>,
    /// Models it may call, as globs; absent or empty means all.
    #[serde(default)]
    models: Option<Vec<String>>,
    /// RFC 3339; absent for never.
    #[serde(default)]
    expires_at: Option<Timestamp>,
    /// The moderation policy bound to it.
    #[serde(default)]
    moderation: Option<String>,
    /// `live` (the default) or `test`.
    #[serde(default)]
    environment: Environment,
}

// === impl KeyImport ===

impl KeyImport {
    /// # Errors
    /// A [`Problem`] with every field that is wrong.
    pub(super) fn check(&self, policies: &BTreeSet<String>) -> Result<(), Problem> {
        let mut errors = Vec::new();
        if self.keys.is_empty() || self.keys.len() > MAX_KEYS {
            errors.push(FieldError::at("keys", format!("expected 1 to {MAX_KEYS}")));
        }
        for (index, key) in self.keys.iter().enumerate().take(MAX_KEYS) {
            let at = format!("keys/{index}/");
            if KeyHash::from_hex(&key.sha256).is_none() {
                let detail = "expected a SHA-256 as 64 hex digits";
                errors.push(FieldError::at(&format!("{at}sha256"), detail));
            }
            let is_bad = key.prefix.chars().any(char::is_control);
            if is_bad || key.prefix.chars().count() > MAX_PREFIX_CHARS {
                let detail = format!("expected at most {MAX_PREFIX_CHARS} printable characters");
                errors.push(FieldError::at(&format!("{at}prefix"), detail));
            }
            key.spec().note_errors(&at, policies, &mut errors);
        }
        unless_empty(errors)
    }
}

// === impl ImportedKey ===

impl ImportedKey {
    /// What is said of it as of a new key.
    fn spec(&self) -> NewKey {
        NewKey {
            name: self.name.clone(),
            workspace: self.workspace.clone(),
            user: self.user.clone(),
            models: self.models.clone(),
            expires_at: self.expires_at,
            moderation: self.moderation.clone(),
            environment: self.environment,
        }
    }

    /// The key as the ledger keeps it.
    ///
    /// # Errors
    /// 500 where there is no randomness for its id.
    pub(super) fn stored(self, now: Timestamp) -> Result<StoredKey, Problem> {
        let sha256 = KeyHash::from_hex(&self.sha256).map_or_else(Vec::new, |hash| hash.0.to_vec());
        Ok(self.spec().stored(sha256, self.prefix, now)?)
    }
}
