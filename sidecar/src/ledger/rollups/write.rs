//! Writing rollups, and whom events name, after the events.
//!
//! Events wait until there are many of them: a rollup is then read and written once for thousands of events, whatever
//! batches they came in. A counter says up to which event it is done. Whoever reads what is made here has the rest done
//! first ([`Ledger::catch_up`]), so that nobody sees the difference.

use tollgate_core::time::UnixMillis;

use super::fold::{COUNTED, CountedEvent, rollups_of};
use super::sums::SumsRow;
use super::{DAY_MS, Interval};
use crate::ledger::events::StoredEvent;
use crate::ledger::rows::{ManyRows as _, Rows};
use crate::ledger::seen::{Seen, SeenRows};
use crate::ledger::{Counter, LAST, Ledger, LedgerError, TAKE, number};

/// Events that are caught up with in one transaction: a batch that makes so many wait does it.
pub(in crate::ledger) const EVENTS_AT_ONCE: i64 = 5_000;

const ROLLED_UP: &str = "UPDATE counters SET value = $1 WHERE name = $2";
const WAITING: &str =
    "SELECT e.value, e.value - r.value FROM counters e, counters r WHERE e.name = $1 AND r.name = $2";
const FORGET: &str = "DELETE FROM rollups WHERE step = $1 AND time < $2";
const WANTED: &str = "WITH wanted (at, step, dimension, scope, time, value) AS (";
const FIND: &str = ") SELECT w.at, r.* FROM wanted w JOIN rollups r ON r.step = w.step AND r.dimension = w.dimension \
    AND r.scope = w.scope AND r.time = w.time AND r.value = w.value";
const INSERT: &str = "INSERT INTO rollups (step, dimension, scope, time, value, requests, refusals, errors, input_tokens, \
    output_tokens, cost_nanousd, latency) ";
const ON_CONFLICT: &str = " ON CONFLICT (step, dimension, scope, time, value) DO UPDATE SET requests = excluded.requests, \
    refusals = excluded.refusals, errors = excluded.errors, input_tokens = excluded.input_tokens, \
    output_tokens = excluded.output_tokens, cost_nanousd = excluded.cost_nanousd, latency = excluded.latency";

/// A rollup that is there already.
#[derive(Debug, sqlx::FromRow)]
struct Found {
    /// Which of those that were asked for.
    at: i64,
    #[sqlx(flatten)]
    sums: SumsRow,
}

on_engines! {
    /// Statements on rollups that write. Whoever calls them has taken a number of [`Counter::Event`], or none of it
    /// with [`TAKE`]: its row is the lock that makes reading and writing a rollup one step.
    pub(in crate::ledger) trait RollupRows {
        /// Adds some of the events up to `head` that are in no rollup yet.
        async fn catch_up(conn, head: i64, now: UnixMillis) -> () {
            let done: i64 =
                sqlx::query_scalar(LAST).bind(Counter::RolledUp.name()).fetch_one(&mut *conn).await?;
            if done >= head {
                return Ok(());
            }
            let select = format!("SELECT {COUNTED} FROM events WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3");
            let events: Vec<CountedEvent> = sqlx::query_as(sqlx::AssertSqlSafe(select))
                .bind(done)
                .bind(head)
                .bind(EVENTS_AT_ONCE)
                .fetch_all(&mut *conn)
                .await?;
            Self::add_to_rollups(&mut *conn, &events, now).await?;
            SeenRows::note_seen(&mut *conn, &Seen::in_events(&events), now).await?;
            let is_all = number(events.len() as u64) < EVENTS_AT_ONCE;
            // Numbers that repeated events took are nobody's.
            let last = events.last().filter(|_| !is_all).map_or(head, |event| event.seq);
            sqlx::query(ROLLED_UP).bind(last).bind(Counter::RolledUp.name()).execute(conn).await?;
            Ok(())
        }

        async fn add_to_rollups(conn, events: &[CountedEvent], now: UnixMillis) -> () {
            let mut rollups = rollups_of(events, now);
            let places = || rollups.iter().map(|(place, _)| place);
            let wanted = Rows::default()
                .integers(0..number(rollups.len() as u64))
                .integers(places().map(|place| place.step))
                .texts(places().map(|place| place.dimension.name()))
                .texts(places().map(|place| place.scope))
                .integers(places().map(|place| place.time))
                .texts(places().map(|place| place.value));
            let found: Vec<Found> = Self::query_rows(&mut *conn, WANTED, &wanted, FIND).await?;
            for one in found {
                if let Some((_, sums)) = usize::try_from(one.at).ok().and_then(|at| rollups.get_mut(at)) {
                    sums.add(&one.sums.try_into()?);
                }
            }
            let places = || rollups.iter().map(|(place, _)| place);
            let sums = || rollups.iter().map(|(_, sums)| sums);
            let rows = Rows::default()
                .integers(places().map(|place| place.step))
                .texts(places().map(|place| place.dimension.name()))
                .texts(places().map(|place| place.scope))
                .integers(places().map(|place| place.time))
                .texts(places().map(|place| place.value))
                .integers(sums().map(|sums| number(sums.requests)))
                .integers(sums().map(|sums| number(sums.refusals)))
                .integers(sums().map(|sums| number(sums.errors)))
                .integers(sums().map(|sums| number(sums.input_tokens)))
                .integers(sums().map(|sums| number(sums.output_tokens)))
                .integers(sums().map(|sums| number(sums.cost_nanousd)))
                .bytes(sums().map(|sums| sums.latency.to_bytes()));
            Self::write_rows(conn, INSERT, &rows, ON_CONFLICT).await
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Adds all events that are there and in no rollup yet.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn catch_up(&self, now: UnixMillis) -> Result<(), LedgerError> {
        let (head, waiting) = self.waiting().await?;
        let mut rest = waiting;
        while rest > 0 {
            retry!(self.try_catch_up(head, now))?;
            rest -= EVENTS_AT_ONCE;
        }
        Ok(())
    }

    /// The same for whoever is about to read: what is too old to be asked for is forgotten with the next hour.
    pub(in crate::ledger) async fn catch_up_to_read(&self) -> Result<(), LedgerError> {
        self.catch_up(UnixMillis(0)).await
    }

    /// The last event, and how many numbers of events up to it are yet to be looked at.
    async fn waiting(&self) -> Result<(i64, i64), LedgerError> {
        Ok(read!(self, conn => {
            sqlx::query_as(WAITING)
                .bind(Counter::Event.name())
                .bind(Counter::RolledUp.name())
                .fetch_one(conn)
                .await?
        }))
    }

    async fn try_catch_up(&self, head: i64, now: UnixMillis) -> Result<(), LedgerError> {
        transact!(self, conn => {
            // The lock.
            let _: i64 = sqlx::query_scalar(TAKE)
                .bind(0_i64)
                .bind(Counter::Event.name())
                .fetch_one(&mut *conn)
                .await?;
            RollupRows::catch_up(&mut *conn, head, now).await?;
        });
        Ok(())
    }

    /// Adds to rollups what events come to that the ledger does not have, a period at a time: for benches, which
    /// need the rollups of a year and not the events of one.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    #[doc(hidden)]
    pub async fn roll_up_alone(&self, events: &[StoredEvent], now: UnixMillis) -> Result<(), LedgerError> {
        let events: Vec<CountedEvent> = events.iter().map(CountedEvent::from).collect();
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
