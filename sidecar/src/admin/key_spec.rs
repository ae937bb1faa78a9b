//! Keys as operators write them: strict, and checked field by field.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use sqlx::types::Json as SqlJson;
use tollgate_core::key::KeyStatus;

use crate::http::problem::{FieldError, Problem};
use crate::ledger::key_status::Status;
use crate::ledger::keys::StoredKey;
use crate::secret_key::{Environment, NoRandomness, new_key_id};

const MAX_NAME_CHARS: usize = 128;
const MAX_MODELS: usize = 100;
const MAX_GRACE_SECONDS: u32 = 30 * 86_400;

/// `POST /admin/v1/keys`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// What people call it.
    pub(super) name: String,
    /// What it belongs to.
    pub(super) workspace: String,
    /// The person or service behind it.
    #[serde(default)]
    pub(super) user: Option<String>,
    /// Models it may call, as globs; absent or empty means all.
    #[serde(default)]
    pub(super) models: Option<Vec<String>>,
    /// RFC 3339. A moment in the past makes a key that is expired from the start.
    #[serde(default)]
    pub(super) expires_at: Option<Timestamp>,
    /// The moderation policy bound to it.
    #[serde(default)]
    pub(super) moderation: Option<String>,
    /// `live` (the default) or `test`.
    #[serde(default)]
    pub(super) environment: Environment,
}

/// `PATCH /admin/v1/keys/{id}`, a merge patch (RFC 7396): what is absent stays, null clears.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeyPatch {
    /// What people call it. Cannot be cleared.
    pub(super) name: Option<String>,
    /// Models it may call; null means all.
    #[serde(deserialize_with = "present")]
    pub(super) models: Option<Option<Vec<String>>>,
    /// RFC 3339; null means never.
    #[serde(deserialize_with = "present")]
    pub(super) expires_at: Option<Option<Timestamp>>,
    /// The moderation policy; null means the workspace's.
    #[serde(deserialize_with = "present")]
    pub(super) moderation: Option<Option<String>>,
}

/// `POST /admin/v1/keys/{id}/rotate`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// For how long the secret before works too: 0 to 2,592,000 (30 days). With 0 it is refused at once, as when it has
    /// leaked; so are those that were replaced before it.
    #[schemars(range(max = 2_592_000))]
    grace_seconds: u32,
}

// === impl Rotation ===

impl Rotation {
    /// # Errors
    /// A [`Problem`] where the grace is too long.
    pub(super) fn check(self) -> Result<(), Problem> {
        if self.grace_seconds > MAX_GRACE_SECONDS {
            let detail = format!("expected at most {MAX_GRACE_SECONDS}, which is 30 days");
            return Err(Problem::invalid(vec![FieldError::at("grace_seconds", detail)]));
        }
        Ok(())
    }

    /// When the grace ends: milliseconds since the Unix epoch.
    pub(super) fn end(self, now: Timestamp) -> i64 {
        now.as_millisecond()
            .saturating_add(i64::from(self.grace_seconds) * 1_000)
    }
}

// === impl NewKey ===

impl NewKey {
    /// # Errors
    /// A [`Problem`] with every field that is wrong.
    pub(super) fn check(&self, policies: &BTreeSet<String>) -> Result<(), Problem> {
        let mut errors = Vec::new();
        self.note_errors("", policies, &mut errors);
        unless_empty(errors)
    }

    /// The key as the ledger keeps it, by the hash of its secret.
    ///
    /// # Errors
    /// [`NoRandomness`] where the operating system gives none for its id.
    pub(super) fn stored(
        self,
        sha256: Vec<u8>,
        prefix: String,
        now: Timestamp,
    ) -> Result<StoredKey, NoRandomness> {
        Ok(StoredKey {
            id: new_key_id(now)?,
            sha256,
            prefix,
            name: self.name,
            workspace: self.workspace,
            user: self.user,
            models: SqlJson(self.models.unwrap_or_default()),
            expires_at: self.expires_at.map(Timestamp::as_millisecond),
            status: Status(KeyStatus::Active),
            moderation: self.moderation,
            environment: self.environment.as_str().to_owned(),
            created_at: now.as_millisecond(),
            updated_at: now.as_millisecond(),
            version: 0,
            last_used_at: None,
            previous_until: None,
            is_held: false,
            workspace_moderation: None,
        })
    }

    /// Notes what is wrong, each field behind `at`.
    pub(super) fn note_errors(&self, at: &str, policies: &BTreeSet<String>, errors: &mut Vec<FieldError>) {
        check_name(&format!("{at}name"), &self.name, errors);
        check_name(&format!("{at}workspace"), &self.workspace, errors);
        if let Some(user) = &self.user {
            check_name(&format!("{at}user"), user, errors);
        }
        check_models(at, self.models.as_deref().unwrap_or_default(), errors);
        check_policy(at, self.moderation.as_deref(), policies, errors);
    }
}

// === impl KeyPatch ===

impl KeyPatch {
    /// # Errors
    /// A [`Problem`] with every field that is wrong.
    pub(super) fn check(&self, policies: &BTreeSet<String>) -> Result<(), Problem> {
        let mut errors = Vec::new();
        if let Some(name) = &self.name {
            check_name("name", name, &mut errors);
        }
        if let Some(Some(models)) = &self.models {
            check_models("", models, &mut errors);
        }
        let policy = self.moderation.as_ref().and_then(Option::as_deref);
        check_policy("", policy, policies, &mut errors);
        unless_empty(errors)
    }
}

/// Notes it among the errors where a name cannot be one.
pub(super) fn check_name(field: &str, text: &str, errors: &mut Vec<FieldError>) {
    let is_good = !text.trim().is_empty()
        && text.chars().count() <= MAX_NAME_CHARS
        && !text.chars().any(char::is_control);
    if !is_good {
        errors.push(FieldError::at(
            field,
            format!("expected 1 to {MAX_NAME_CHARS} printable characters"),
        ));
    }
}

fn check_models(at: &str, models: &[String], errors: &mut Vec<FieldError>) {
    if models.len() > MAX_MODELS {
        errors.push(FieldError::at(
            &format!("{at}models"),
            format!("expected at most {MAX_MODELS}"),
        ));
        return;
    }
    for (i, model) in models.iter().enumerate() {
        check_name(&format!("{at}models/{i}"), model, errors);
    }
}

pub(super) fn check_policy(
    at: &str,
    policy: Option<&str>,
    policies: &BTreeSet<String>,
    errors: &mut Vec<FieldError>,
) {
    if let Some(policy) = policy.filter(|policy| !policies.contains(*policy)) {
        let detail = format!("no moderation policy is named {policy:?}");
        errors.push(FieldError::at(&format!("{at}moderation"), detail));
    }
}

/// # Errors
/// A [`Problem`] where there are errors.
pub(super) fn unless_empty(errors: Vec<FieldError>) -> Result<(), Problem> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(errors))
    }
}

/// A field that is there, be it null: tells "clear" from "leave".
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
