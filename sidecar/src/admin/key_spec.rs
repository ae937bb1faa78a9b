//! Keys as operators write them: strict, and checked field by field.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::http::problem::{FieldError, Problem};
use crate::moderation::Moderation;
use crate::secret_key::Environment;

const MAX_NAME_CHARS: usize = 128;
const MAX_MODELS: usize = 100;

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

// === impl NewKey ===

impl NewKey {
    /// # Errors
    /// A [`Problem`] with every field that is wrong.
    pub(super) fn check(&self, moderation: &Moderation) -> Result<(), Problem> {
        let mut errors = Vec::new();
        check_name("name", &self.name, &mut errors);
        check_name("workspace", &self.workspace, &mut errors);
        if let Some(user) = &self.user {
            check_name("user", user, &mut errors);
        }
        check_models(self.models.as_deref().unwrap_or_default(), &mut errors);
        check_policy(self.moderation.as_deref(), moderation, &mut errors);
        unless_empty(errors)
    }
}

// === impl KeyPatch ===

impl KeyPatch {
    /// # Errors
    /// A [`Problem`] with every field that is wrong.
    pub(super) fn check(&self, moderation: &Moderation) -> Result<(), Problem> {
        let mut errors = Vec::new();
        if let Some(name) = &self.name {
            check_name("name", name, &mut errors);
        }
        if let Some(Some(models)) = &self.models {
            check_models(models, &mut errors);
        }
        let policy = self.moderation.as_ref().and_then(Option::as_deref);
        check_policy(policy, moderation, &mut errors);
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

fn check_models(models: &[String], errors: &mut Vec<FieldError>) {
    if models.len() > MAX_MODELS {
        errors.push(FieldError::at("models", format!("expected at most {MAX_MODELS}")));
        return;
    }
    for (i, model) in models.iter().enumerate() {
        check_name(&format!("models/{i}"), model, errors);
    }
}

fn check_policy(policy: Option<&str>, moderation: &Moderation, errors: &mut Vec<FieldError>) {
    if let Some(policy) = policy.filter(|policy| moderation.policy(policy).is_none()) {
        let detail = format!("no policy of this sidecar's configuration is named {policy:?}");
        errors.push(FieldError::at("moderation", detail));
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
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
