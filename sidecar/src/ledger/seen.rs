//! Workspaces and users that keys, budgets and events name: each gets a row when it is first named, so that lists know
//! them without looking through everything.

use std::collections::BTreeMap;

use sqlx::QueryBuilder;
use tollgate_core::time::UnixMillis;

use super::budgets::StoredBudget;
use super::number;
use super::rollups::{CountedEvent, group};
use crate::secret_key::new_id;

/// Rows in one statement: seven values each.
const ROWS: usize = 1_000;

const WORKSPACES: &str = "INSERT INTO workspaces (workspace, status, first_seen_at, last_seen_at, created_at, updated_at, version) ";
const USERS: &str = "INSERT INTO users (id, workspace, name, status, first_seen_at, last_seen_at, created_at, updated_at, version) ";
/// Also locks the row, so that nobody deletes it while something names it.
const WIDEN_WORKSPACE: &str = " ON CONFLICT (workspace) DO UPDATE SET \
    first_seen_at = CASE WHEN workspaces.first_seen_at IS NULL OR excluded.first_seen_at < workspaces.first_seen_at \
        THEN excluded.first_seen_at ELSE workspaces.first_seen_at END, \
    last_seen_at = CASE WHEN workspaces.last_seen_at IS NULL OR excluded.last_seen_at > workspaces.last_seen_at \
        THEN excluded.last_seen_at ELSE workspaces.last_seen_at END";
const WIDEN_USER: &str = " ON CONFLICT (workspace, name) DO UPDATE SET \
    first_seen_at = CASE WHEN users.first_seen_at IS NULL OR excluded.first_seen_at < users.first_seen_at \
        THEN excluded.first_seen_at ELSE users.first_seen_at END, \
    last_seen_at = CASE WHEN users.last_seen_at IS NULL OR excluded.last_seen_at > users.last_seen_at \
        THEN excluded.last_seen_at ELSE users.last_seen_at END";

/// Who was named, and from when to when in events. In order, so that transactions lock rows in the same one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen<'a> {
    workspaces: BTreeMap<&'a str, Option<Times>>,
    users: BTreeMap<(&'a str, &'a str), Option<Times>>,
}

/// From the first event to the last, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    first: i64,
    last: i64,
}

on_engines! {
    /// Statements that write what was seen.
    pub(super) trait SeenRows {
        async fn note_seen(conn, seen: &Seen<'_>, now: UnixMillis) -> () {
            let workspaces: Vec<_> = seen.workspaces.iter().collect();
            for part in workspaces.chunks(ROWS) {
                let mut insert = QueryBuilder::new(WORKSPACES);
                insert.push_values(part, |mut row, (workspace, times)| {
                    row.push_bind(**workspace).push("'active'");
                    row.push_bind(times.map(|times| times.first)).push_bind(times.map(|times| times.last));
                    row.push_bind(number(now.0)).push_bind(number(now.0)).push("1");
                });
                insert.push(WIDEN_WORKSPACE);
                insert.build().persistent(part.len() == 1).execute(&mut *conn).await?;
            }
            let mut users = Vec::with_capacity(seen.users.len());
            for ((workspace, user), times) in &seen.users {
                users.push((new_id("usr", now)?, *workspace, *user, *times));
            }
            for part in users.chunks(ROWS) {
                let mut insert = QueryBuilder::new(USERS);
                insert.push_values(part, |mut row, (id, workspace, user, times)| {
                    row.push_bind(id).push_bind(*workspace).push_bind(*user).push("'active'");
                    row.push_bind(times.map(|times| times.first)).push_bind(times.map(|times| times.last));
                    row.push_bind(number(now.0)).push_bind(number(now.0)).push("1");
                });
                insert.push(WIDEN_USER);
                insert.build().persistent(part.len() == 1).execute(&mut *conn).await?;
            }
            Ok(())
        }
    }
}

// === impl Seen ===

impl<'a> Seen<'a> {
    /// Those whom events name.
    pub(super) fn in_events(events: &'a [CountedEvent]) -> Self {
        let mut seen = Self::default();
        for event in events {
            let times = Times {
                first: event.time,
                last: event.time,
            };
            let workspace = event.workspace.as_deref().unwrap_or_default();
            seen.add(workspace, event.user.as_deref(), Some(times));
        }
        seen
    }

    /// Those whom a budget names.
    pub(super) fn in_budget(budget: &'a StoredBudget) -> Self {
        let mut seen = Self::default();
        if let Some(workspace) = budget.workspace().filter(|workspace| *workspace != "*") {
            seen.name(workspace, None);
        }
        seen
    }

    /// A workspace, and maybe a user of it, that something other than an event names.
    pub(super) fn name(&mut self, workspace: &'a str, user: Option<&'a str>) {
        self.add(workspace, user, None);
    }

    fn add(&mut self, workspace: &'a str, user: Option<&'a str>, times: Option<Times>) {
        // As rollups have it, whose groups are looked up by it.
        let workspace = group(workspace);
        if workspace.is_empty() {
            return;
        }
        widen(self.workspaces.entry(workspace).or_default(), times);
        let user = user.map(group).filter(|user| !user.is_empty());
        if let Some(user) = user {
            widen(self.users.entry((workspace, user)).or_default(), times);
        }
    }
}

fn widen(known: &mut Option<Times>, more: Option<Times>) {
    *known = match (*known, more) {
        (Some(known), Some(more)) => Some(Times {
            first: known.first.min(more.first),
            last: known.last.max(more.last),
        }),
        (known, more) => known.or(more),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_named_twice_is_there_once_from_first_to_last() {
        let mut seen = Seen::default();
        let at = |time| {
            Some(Times {
                first: time,
                last: time,
            })
        };
        for time in [at(5), None, at(3), at(9)] {
            seen.add("w", Some("u"), time);
        }
        seen.add("", Some("of none"), at(1));
        seen.add("w", Some(""), at(7));
        let whole = Some(Times { first: 3, last: 9 });
        assert_eq!(seen.workspaces, BTreeMap::from([("w", whole)]));
        assert_eq!(seen.users, BTreeMap::from([(("w", "u"), whole)]));
    }
}
