//! Writing rollups, in the transaction of the events that they are of.

use std::collections::BTreeMap;

use sqlx::{FromRow, QueryBuilder};
use tollgate_core::time::UnixMillis;

use super::sums::{Sums, SumsRow};
use super::{DAY_MS, Dimension, Interval, STRETCH_MS, group, start};
use crate::ledger::events::StoredEvent;
use crate::ledger::{Counter, LAST, Ledger, LedgerError, TAKE, number};

/// Events that are caught up with in one transaction.
const EVENTS_AT_ONCE: i64 = 2_000;
/// Rows in one statement: twelve values each.
const ROWS: usize = 1_000;

const ROLLED_UP: &str = "UPDATE counters SET value = $1 WHERE name = $2";
const FORGET: &str = "DELETE FROM rollups WHERE step = $1 AND time < $2";
const WANTED: &str = "WITH wanted (at, step, dimension, scope, time, value) AS (";
const FIND: &str = ") SELECT w.at, r.* FROM wanted w JOIN rollups r ON r.step = w.step AND r.dimension = w.dimension \
    AND r.scope = w.scope AND r.time = w.time AND r.value = w.value";
const INSERT: &str = "INSERT INTO rollups (step, dimension, scope, time, value, requests, refusals, errors, input_tokens, \
    output_tokens, cost_nanousd, latency) ";
const ON_CONFLICT: &str = " ON CONFLICT (step, dimension, scope, time, value) DO UPDATE SET requests = excluded.requests, \
    refusals = excluded.refusals, errors = excluded.errors, input_tokens = excluded.input_tokens, \
    output_tokens = excluded.output_tokens, cost_nanousd = excluded.cost_nanousd, latency = excluded.latency";

/// Which rollup: the key of its row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    step: i64,
    dimension: Dimension,
    /// The workspace; empty for all.
    scope: &'a str,
    time: i64,
    value: &'a str,
}

/// A rollup that is there already.
#[derive(Debug, FromRow)]
struct Found {
    /// Which of those that were asked for.
    at: i64,
    #[sqlx(flatten)]
    sums: SumsRow,
}

on_engines! {
    /// Statements on rollups that write. Whoever calls them has taken a number of [`Counter::Event`], whose row is the
    /// lock that makes reading and writing a rollup one step.
    pub(in crate::ledger) trait RollupRows {
        /// Adds events, which are those after `before` up to `last`; where an older program has left some out before
        /// them, those first.
        async fn roll_up(conn, events: &[&StoredEvent], before: i64, last: i64, now: UnixMillis) -> () {
            while Self::catch_up(&mut *conn, before).await? {}
            Self::add_to_rollups(&mut *conn, events, now).await?;
            Self::set_rolled_up(&mut *conn, last).await
        }

        /// Adds some of the events up to `head` that are in no rollup yet. Answers whether there were any.
        async fn catch_up(conn, head: i64) -> bool {
            let done: i64 =
                sqlx::query_scalar(LAST).bind(Counter::RolledUp.name()).fetch_one(&mut *conn).await?;
            if done >= head {
                return Ok(false);
            }
            let events: Vec<StoredEvent> = sqlx::query_as(
                "SELECT * FROM events WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3",
            )
            .bind(done)
            .bind(head)
            .bind(EVENTS_AT_ONCE)
            .fetch_all(&mut *conn)
            .await?;
            let events: Vec<&StoredEvent> = events.iter().collect();
            // What nobody can ask for any more is forgotten in the next hour.
            Self::add_to_rollups(&mut *conn, &events, UnixMillis(0)).await?;
            // Numbers that repeated events took are nobody's.
            let last = events.last().map_or(head, |event| event.seq);
            Self::set_rolled_up(&mut *conn, last).await?;
            Ok(true)
        }

        async fn set_rolled_up(conn, last: i64) -> () {
            sqlx::query(ROLLED_UP).bind(last).bind(Counter::RolledUp.name()).execute(conn).await?;
            Ok(())
        }

        async fn add_to_rollups(conn, events: &[&StoredEvent], now: UnixMillis) -> () {
            let mut rollups = rollups_of(events, now);
            for part in rollups.chunks_mut(ROWS) {
                let found: Vec<Found> = {
                    let mut select = QueryBuilder::new(WANTED);
                    select.push_values(part.iter().enumerate(), |mut row, (at, (place, _))| {
                        row.push_bind(number(at as u64))
                            .push_bind(place.step)
                            .push_bind(place.dimension.name())
                            .push_bind(place.scope)
                            .push_bind(place.time)
                            .push_bind(place.value);
                    });
                    select.push(FIND);
                    select.build_query_as().persistent(false).fetch_all(&mut *conn).await?
                };
                for one in found {
                    if let Some((_, sums)) = usize::try_from(one.at).ok().and_then(|at| part.get_mut(at)) {
                        sums.add(&one.sums.try_into()?);
                    }
                }
                let mut insert = QueryBuilder::new(INSERT);
                insert.push_values(part, |mut row, (place, sums)| {
                    row.push_bind(place.step)
                        .push_bind(place.dimension.name())
                        .push_bind(place.scope)
                        .push_bind(place.time)
                        .push_bind(place.value)
                        .push_bind(number(sums.requests))
                        .push_bind(number(sums.refusals))
                        .push_bind(number(sums.errors))
                        .push_bind(number(sums.input_tokens))
                        .push_bind(number(sums.output_tokens))
                        .push_bind(number(sums.cost_nanousd))
                        .push_bind(sums.latency.to_bytes());
                });
                insert.push(ON_CONFLICT);
                insert.build().persistent(false).execute(&mut *conn).await?;
            }
            Ok(())
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Adds all events that are in no rollup yet: those of a ledger of an older version.
    pub(in crate::ledger) async fn catch_up_rollups(&self) -> Result<(), LedgerError> {
        while retry!(self.try_catch_up_rollups())? {}
        Ok(())
    }

    async fn try_catch_up_rollups(&self) -> Result<bool, LedgerError> {
        let is_behind = transact!(self, conn => {
            let head: i64 = sqlx::query_scalar(TAKE)
                .bind(0_i64)
                .bind(Counter::Event.name())
                .fetch_one(&mut *conn)
                .await?;
            RollupRows::catch_up(&mut *conn, head).await?
        });
        Ok(is_behind)
    }

    /// Adds to rollups what events come to that the ledger does not have, a period at a time: for benches, which
    /// need the rollups of a year and not the events of one.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    #[doc(hidden)]
    pub async fn roll_up_alone(&self, events: &[StoredEvent], now: UnixMillis) -> Result<(), LedgerError> {
        let events: Vec<&StoredEvent> = events.iter().collect();
        transact!(self, conn => {
            RollupRows::add_to_rollups(&mut *conn, &events, now).await?;
        });
        Ok(())
    }

    /// Forgets rollups of minutes and hours that nobody can ask for any more.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn forget_old_rollups(&self, now: UnixMillis) -> Result<u64, LedgerError> {
        let mut forgotten = 0;
        for interval in Interval::ALL {
            let Some(kept) = interval.kept() else { continue };
            // A day more, for who asks just now.
            let before = number(now.0).saturating_sub(kept + DAY_MS);
            forgotten += transact!(self, conn => {
                sqlx::query(FORGET).bind(interval.step()).bind(before).execute(&mut *conn).await?.rows_affected()
            });
        }
        Ok(forgotten)
    }
}

/// What events come to, by rollup, without those that nobody can ask for any more.
fn rollups_of<'a>(events: &[&'a StoredEvent], now: UnixMillis) -> Vec<(Place<'a>, Sums)> {
    let mut rollups: BTreeMap<Place<'a>, Sums> = BTreeMap::new();
    for event in events {
        let sums = Sums::of(event);
        let sums_alone = sums.without_latency();
        let workspace = group(event.workspace.as_deref().unwrap_or_default());
        let asked_for = Interval::ALL
            .into_iter()
            .filter(|interval| interval.reaches(interval.start(event.time), now));
        let told = asked_for.map(|interval| (interval.step(), &sums));
        for (step, part) in told.chain([(STRETCH_MS, &sums_alone)]) {
            let time = start(event.time, step);
            for dimension in Dimension::ALL {
                let value = value_of(event, dimension);
                // Within a workspace there is but one.
                let is_scoped = !workspace.is_empty() && dimension != Dimension::Workspace;
                for scope in [Some(""), is_scoped.then_some(workspace)].into_iter().flatten() {
                    let place = Place {
                        step,
                        dimension,
                        scope,
                        time,
                        value,
                    };
                    rollups.entry(place).or_default().add(part);
                }
            }
        }
    }
    rollups.into_iter().collect()
}

/// The group that an event is in; empty where it has none.
fn value_of(event: &StoredEvent, dimension: Dimension) -> &str {
    let value = match dimension {
        Dimension::Total => None,
        Dimension::Workspace => event.workspace.as_deref(),
        Dimension::User => event.user.as_deref(),
        Dimension::Key => event.key_id.as_deref(),
        Dimension::Model => event.request_model.as_deref(),
        Dimension::Provider => event.provider.as_deref(),
        Dimension::Endpoint => event.dialect.as_deref(),
    };
    group(value.unwrap_or_default())
}
