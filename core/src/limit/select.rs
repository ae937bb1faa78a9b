//! Which limits a request is under.

use super::compile::Limits;
use super::group::{Group, Limit};
use super::spec::{MatchSpec, Per};
use crate::dialect::Dialect;
use crate::glob::Glob;
use crate::table::Subject;

/// What a request is matched by and counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The wire format.
    pub dialect: Dialect,
    /// The path without its query.
    pub path: &'a str,
    /// The model that the request goes to.
    pub model: Option<&'a str>,
    /// The workspace.
    pub workspace: Option<&'a str>,
    /// The user.
    pub user: Option<&'a str>,
    /// The session.
    pub session: Option<&'a str>,
    /// The key's id.
    pub key_id: Option<&'a str>,
    /// The client's address, without a port.
    pub ip: Option<&'a str>,
}

/// The limits that one request is under, and whom it counts for. Good only with the [`Limits`] it came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub(super) groups: Vec<PlannedGroup>,
    /// Those of all groups, one group's after the other's: places of limits in their group.
    limits: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlannedGroup {
    /// The group's place in [`Limits`].
    pub(super) group: usize,
    pub(super) subject: Subject,
    /// How many of the limits are the group's, and how many are those of groups before it.
    pub(super) count: usize,
    first: usize,
}

// === impl Limits ===

impl Limits {
    /// All limits that a request is under.
    pub fn select(&self, facts: &Facts<'_>) -> Plan {
        self.select_where(facts, |_, limit| limit.fits(facts))
    }

    /// The limits that a request is under whatever its model will be, for [`Limits::check`] while only its
    /// headers are known.
    pub fn select_before_model(&self, facts: &Facts<'_>) -> Plan {
        self.select_where(facts, |group, limit| {
            !group.per.has(Per::Model) && limit.applies_to.models.is_empty() && limit.fits(facts)
        })
    }

    fn select_where(&self, facts: &Facts<'_>, is_under: impl Fn(&Group, &Limit) -> bool) -> Plan {
        let mut plan = Plan {
            groups: Vec::with_capacity(self.groups.len()),
            limits: Vec::with_capacity(self.places.len()),
        };
        for (index, group) in self.groups.iter().enumerate() {
            let first = plan.limits.len();
            let under = group.limits.iter().enumerate();
            plan.limits.extend(
                under
                    .filter(|(_, limit)| is_under(group, limit))
                    .map(|(at, _)| at),
            );
            let count = plan.limits.len() - first;
            if count > 0 {
                plan.groups.push(PlannedGroup {
                    group: index,
                    subject: group.subject(facts),
                    count,
                    first,
                });
            }
        }
        plan
    }
}

// === impl Plan ===

impl Plan {
    /// Whether no limit applies.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many limits there are in all.
    pub(super) const fn len(&self) -> usize {
        self.limits.len()
    }

    /// Places of a group's limits.
    pub(super) fn limits(&self, planned: &PlannedGroup) -> &[usize] {
        let end = planned.first + planned.count;
        self.limits.get(planned.first..end).unwrap_or_default()
    }
}

// === impl Limit ===

impl Limit {
    fn fits(&self, facts: &Facts<'_>) -> bool {
        self.fits_all || self.applies_to.fits(facts)
    }
}

// === impl MatchSpec ===

impl MatchSpec {
    /// Whether a request is one of those that this is for.
    pub fn fits(&self, facts: &Facts<'_>) -> bool {
        (self.dialects.is_empty() || self.dialects.contains(&facts.dialect))
            && fits_any(&self.paths, Some(facts.path))
            && fits_any(&self.models, facts.model)
            && is_named(&self.workspaces, facts.workspace)
            && is_named(&self.keys, facts.key_id)
    }
}

fn fits_any(globs: &[Glob], text: Option<&str>) -> bool {
    globs.is_empty() || text.is_some_and(|text| globs.iter().any(|glob| glob.matches(text)))
}

fn is_named(names: &[String], name: Option<&str>) -> bool {
    names.is_empty() || name.is_some_and(|name| names.iter().any(|known| known == name))
}
