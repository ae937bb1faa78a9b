//! Resets: an operator gives a limit's counts back, to one subject or to all.
//!
//! A record says after which reset it was made, and one from before a limit's newest reset counts as absent. So
//! nothing has to be deleted, it does not matter which worker hears of a reset first or how often, and what a subject
//! takes after a reset is never given back by it a second time. A reset can be forgotten once the limit's period is
//! over: what was counted before it is gone by then.

use serde::{Deserialize, Serialize};

use super::compile::Limits;
use super::group::{Group, PerSet};
use super::spec::Per;
use crate::table::Subject;

/// One reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitReset {
    /// The limit's name.
    pub limit: String,
    /// Whose counts; everybody's, where nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<LimitSubject>,
    /// Larger than that of any reset before it.
    pub generation: u64,
}

/// Whom a limit counts, by the values of its `per`: `{"key": "key_…"}`. Each of them must be named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LimitSubject {
    /// The workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The key's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The client's address, without a port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The model that the request goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The resets of one limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Resets {
    everybody: u64,
    subjects: Vec<(Subject, u64)>,
}

// === impl LimitSubject ===

impl LimitSubject {
    /// Whether it names whom a limit with this `per` counts: all of it, and nothing else.
    pub fn fits(&self, per: &[Per]) -> bool {
        PerSet::of(per).is_some_and(|per| per == self.named())
    }

    /// All that it names.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let all = [
            &self.workspace,
            &self.user,
            &self.session,
            &self.key,
            &self.ip,
            &self.model,
        ];
        all.into_iter().flatten().map(String::as_str)
    }

    /// What it names.
    fn named(&self) -> PerSet {
        PerSet::where_each(|per| self.value(per).is_some())
    }

    fn value(&self, per: Per) -> Option<&str> {
        match per {
            Per::Global => None,
            Per::Workspace => self.workspace.as_deref(),
            Per::User => self.user.as_deref(),
            Per::Session => self.session.as_deref(),
            Per::Key => self.key.as_deref(),
            Per::Ip => self.ip.as_deref(),
            Per::Model => self.model.as_deref(),
        }
    }
}

// === impl Limits ===

impl Limits {
    /// The limits, with what operators have given back of them. Resets of limits that are not here, or that count
    /// by something else here, are another gateway's.
    #[must_use]
    pub fn with_resets(mut self, resets: &[LimitReset]) -> Self {
        for group in &mut self.groups {
            for reset in resets {
                let at = group.limits.iter().position(|limit| *limit.name == *reset.limit);
                let subject = group.subject_of_reset(reset);
                if let (Some(limit), Some(subject)) = (at.and_then(|at| group.limits.get_mut(at)), subject) {
                    limit.resets.add(subject, reset.generation);
                }
            }
        }
        self
    }
}

// === impl Group ===

impl Group {
    /// Whose counts a reset gives back: everybody's, one subject's, or, as it is for another `per`, nobody's.
    fn subject_of_reset(&self, reset: &LimitReset) -> Option<Option<Subject>> {
        let Some(subject) = &reset.subject else {
            return Some(None);
        };
        (subject.named() == self.per).then(|| Some(self.subject_of(|per| subject.value(per))))
    }
}

// === impl Resets ===

impl Resets {
    /// The newest reset that is for a subject; 0 where there is none.
    pub(super) fn generation(&self, subject: Subject) -> u64 {
        // Nearly always there are none.
        let own = self.subjects.iter().filter(|(other, _)| *other == subject);
        own.fold(self.everybody, |newest, (_, generation)| newest.max(*generation))
    }

    fn add(&mut self, subject: Option<Subject>, generation: u64) {
        match subject {
            None => self.everybody = self.everybody.max(generation),
            Some(subject) => self.subjects.push((subject, generation)),
        }
    }
}
