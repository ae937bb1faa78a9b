//! Limits as operators write them: strict, and checked by the code that gateways compile them with.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_core::config::{Fault, Span};
use tollgate_core::limit::{LimitSpec, LimitSubject, MAX_LIMITS, MAX_NAME, MatchSpec, Mode};
use tollgate_core::policy::Policy;

use super::key_spec::{check_name, present, unless_empty};
use crate::http::problem::{FieldError, Problem};
use crate::ledger::limits::StoredLimit;

/// The longest limit, as JSON in bytes: all of them together must fit into what gateways are told.
const MAX_BYTES: usize = 4_096;
/// The longest value in a subject, in characters.
const MAX_VALUE_CHARS: usize = 256;

/// `PATCH /admin/v1/limits/{id}`, a merge patch (RFC 7396): what is absent stays, null clears. What is counted, how and
/// for whom stays: with another one of these it would be another limit.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitPatch {
    /// How much: per period, or at a time for `concurrent`.
    amount: Option<u64>,
    /// The period of `amount`.
    period: Option<Span>,
    /// How much can be taken at once after a pause; null means `amount`.
    #[serde(deserialize_with = "present")]
    burst: Option<Option<u64>>,
    /// Which requests it is for: all of this, in place of what was there.
    #[serde(rename = "match")]
    applies_to: Option<MatchSpec>,
    /// Whether it refuses, or only says that it would have.
    mode: Option<Mode>,
    /// `concurrent` only: when a slot that nobody gave back is free again; null means `10m`.
    #[serde(deserialize_with = "present")]
    slot_ttl: Option<Option<Span>>,
    /// About how many subjects are kept at a time.
    max_subjects: Option<u32>,
}

/// `POST /admin/v1/limits/{id}/reset`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitResetRequest {
    /// Whose counts are given back, by the values of the limit's `per`; everybody's, where nobody is named.
    pub(super) subject: Option<LimitSubject>,
}

// === impl LimitPatch ===

impl LimitPatch {
    /// Makes of a limit what this says.
    pub(super) fn apply(&self, spec: &mut LimitSpec) {
        let patch = self.clone();
        spec.amount = patch.amount.unwrap_or(spec.amount);
        spec.period = patch.period.or(spec.period);
        spec.burst = patch.burst.unwrap_or(spec.burst);
        spec.mode = patch.mode.unwrap_or(spec.mode);
        spec.slot_ttl = patch.slot_ttl.unwrap_or(spec.slot_ttl);
        spec.max_subjects = patch.max_subjects.unwrap_or(spec.max_subjects);
        if let Some(applies_to) = patch.applies_to {
            spec.applies_to = applies_to;
        }
    }
}

// === impl LimitResetRequest ===

impl LimitResetRequest {
    /// # Errors
    /// A [`Problem`] where the subject is none, or is not one of this limit.
    pub(super) fn check(&self, spec: Option<&LimitSpec>) -> Result<(), Problem> {
        let Some(subject) = &self.subject else {
            return Ok(());
        };
        let is_good = |value: &str| !value.is_empty() && value.chars().count() <= MAX_VALUE_CHARS;
        let detail = if *subject == LimitSubject::default() {
            "names nobody: leave it out to reset everybody's".to_owned()
        } else if !subject.values().all(is_good) {
            format!("expected values of 1 to {MAX_VALUE_CHARS} characters")
        } else if spec.is_some_and(|spec| !subject.fits(&spec.per)) {
            "expected a value for each of the limit's `per`, and no other".to_owned()
        } else {
            return Ok(());
        };
        Err(Problem::invalid(vec![FieldError::at("subject", detail)]))
    }
}

/// Checks a limit by itself, and beside all others that there are.
///
/// # Errors
/// A [`Problem`] with every field that is wrong; 409 where its name is taken, or there are as many as may be.
pub(super) fn check(spec: &LimitSpec, others: &[StoredLimit]) -> Result<(), Problem> {
    let mut errors = faults_of(std::iter::once(spec), 0);
    let written = serde_json::to_vec(spec).map_or(usize::MAX, |json| json.len());
    if written > MAX_BYTES {
        let detail = format!("the limit has {written} bytes of JSON; at most {MAX_BYTES} are taken");
        errors.push(FieldError::at("match", detail));
    }
    for (field, names) in [
        ("workspaces", &spec.applies_to.workspaces),
        ("keys", &spec.applies_to.keys),
    ] {
        for (index, name) in names.iter().enumerate() {
            check_name(&format!("match/{field}/{index}"), name, &mut errors);
        }
    }
    unless_empty(errors)?;
    if let Some(other) = others.iter().find(|other| other.spec.name == spec.name) {
        return Err(Problem::conflict(format!(
            "{} is called {} already: change that one, or take another name",
            other.id, spec.name
        )));
    }
    if others.len() >= MAX_LIMITS {
        return Err(Problem::conflict(format!(
            "there are {MAX_LIMITS} limits, and there may be no more: delete one that is not needed"
        )));
    }
    let all = others.iter().map(|other| &other.spec).chain([spec]);
    unless_empty(faults_of(all, others.len()))
}

/// Whether a limit may be called so.
///
/// # Errors
/// 404: nothing is called that.
pub(super) fn check_limit_name(name: &str) -> Result<(), Problem> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(Problem::not_found("no limit can have this name"))
}

/// What is wrong with the limit at `at`, and anything that is wrong with all of them together.
fn faults_of<'a>(specs: impl Iterator<Item = &'a LimitSpec>, at: usize) -> Vec<FieldError> {
    let policy = Policy {
        limits: specs.cloned().collect(),
        ..Policy::default()
    };
    let faults = policy.check().err().unwrap_or_default();
    let own = format!("{}[{at}].", tollgate_core::policy::LIMITS);
    let pointed = |Fault { path, message }: Fault| {
        let field = path.strip_prefix(&own).unwrap_or_default();
        FieldError::at(field, message)
    };
    faults.into_iter().map(pointed).collect()
}
