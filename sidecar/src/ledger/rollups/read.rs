//! Statistics, put together from rollups.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{FromRow, QueryBuilder};
use tollgate_core::time::UnixMillis;

use super::pieces::{Piece, pieces};
use super::sums::{SUMS, Sums, SumsRow, TOTALS, TotalsRow};
use super::{DAY_MS, Dimension, HOUR_MS, Interval, group};
use crate::ledger::{Ledger, LedgerError, amount, number};

/// Over how long the pace is measured, in milliseconds.
const PACE_MS: i64 = 7 * DAY_MS;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct StatsQuery<'a> {
    /// Where it begins: a multiple of the interval's step.
    pub from: i64,
    /// Where it ends, itself not in it: a multiple of the interval's step.
    pub to: i64,
    /// How long a point is.
    pub interval: Interval,
    /// By what events are grouped.
    pub dimension: Dimension,
    /// Only of this workspace.
    pub workspace: Option<&'a str>,
    /// How many groups there may be; what is left is told together.
    pub groups: usize,
}

/// A group, or all those that are not told one by one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// One; empty where events have none.
    Named(String),
    /// All others.
    Others,
}

/// Statistics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// The sums of each group, the most expensive first, the others last. Those of the others are without latency.
    pub totals: Vec<(Group, Sums)>,
    /// The sums of each group in each interval that has any, by time.
    pub points: Vec<(i64, Group, Sums)>,
    /// How many groups the others are.
    pub others: usize,
}

/// How fast money is being spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Spent since the time asked for, in nano-dollars.
    pub spent_nanousd: u64,
    /// Spent lately, in nano-dollars.
    pub lately_nanousd: u64,
    /// Since when `lately` is: a whole hour, at most seven days back.
    pub lately_from: i64,
}

#[derive(Debug, FromRow)]
struct GroupRow {
    value: String,
    #[sqlx(flatten)]
    sums: TotalsRow,
}

#[derive(Debug, FromRow)]
struct PointRow {
    time: i64,
    value: String,
    #[sqlx(flatten)]
    sums: SumsRow,
}

/// Which rows a query is about.
macro_rules! push_condition {
    ($select:expr, $query:expr, $piece:expr) => {
        $select
            .push(" FROM rollups WHERE step = ")
            .push_bind($piece.step)
            .push(" AND dimension = ")
            .push_bind($query.dimension.name())
            .push(" AND scope = ")
            .push_bind(group($query.workspace.unwrap_or_default()))
            .push(" AND time >= ")
            .push_bind($piece.from)
            .push(" AND time < ")
            .push_bind($piece.to)
    };
}

on_engines! {
    /// Statements on rollups that read.
    trait StatsRows {
        async fn groups(conn, query: StatsQuery<'_>) -> Vec<GroupRow> {
            let mut select = QueryBuilder::new("SELECT value, ");
            select.push(TOTALS).push(" FROM (");
            for (at, piece) in pieces(query.interval, query.from, query.to).into_iter().enumerate() {
                select.push(if at == 0 { "SELECT value, " } else { " UNION ALL SELECT value, " }).push(SUMS);
                push_condition!(select, query, piece);
            }
            select.push(") AS pieces GROUP BY value");
            Ok(select.build_query_as().fetch_all(conn).await?)
        }

        async fn points(conn, query: StatsQuery<'_>, named: Option<&BTreeSet<&str>>) -> Vec<PointRow> {
            let mut select = QueryBuilder::new("SELECT time, value, latency, ");
            select.push(SUMS);
            push_condition!(select, query, Piece { step: query.interval.step(), from: query.from, to: query.to });
            if let Some(named) = named {
                select.push(" AND value IN ");
                push_in!(select, named.iter().copied());
            }
            select.push(" ORDER BY time, value");
            Ok(select.build_query_as().persistent(named.is_none()).fetch_all(conn).await?)
        }

        async fn first_hour(conn, scope: &str, from: i64) -> Option<i64> {
            const FIRST: &str = "SELECT MIN(time) FROM rollups \
                WHERE step = $1 AND dimension = 'total' AND scope = $2 AND time >= $3";
            let first: Option<i64> =
                sqlx::query_scalar(FIRST).bind(HOUR_MS).bind(scope).bind(from).fetch_one(conn).await?;
            Ok(first)
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Statistics of a period, all of one moment.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn stats(&self, query: StatsQuery<'_>) -> Result<Stats, LedgerError> {
        self.catch_up_to_read().await?;
        snapshot!(self, conn => {
            let groups = StatsRows::groups(&mut *conn, query).await?;
            let mut groups: Vec<(String, Sums)> =
                groups.into_iter().map(|row| (row.value, row.sums.into())).collect();
            groups.sort_by(|(a, x), (b, y)| {
                (y.cost_nanousd, y.requests, a).cmp(&(x.cost_nanousd, x.requests, b))
            });
            let others = groups.split_off(groups.len().min(query.groups));
            let named: BTreeSet<&str> = groups.iter().map(|(value, _)| value.as_str()).collect();
            let named = (!others.is_empty()).then_some(&named);
            let rows = StatsRows::points(&mut *conn, query, named).await?;
            // What is not told one by one is all without what is: no third look at every group.
            let all = if others.is_empty() {
                Vec::new()
            } else {
                let dimension = Dimension::Total;
                StatsRows::points(&mut *conn, StatsQuery { dimension, ..query }, None).await?
            };
            put_together(groups, &others, rows, all)
        })
    }

    /// What was spent from a time on, and what it is like lately.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn pace(
        &self,
        workspace: Option<&str>,
        since: i64,
        now: UnixMillis,
    ) -> Result<Pace, LedgerError> {
        self.catch_up_to_read().await?;
        let scope = group(workspace.unwrap_or_default());
        let to = Interval::Hour.start(number(now.0)).saturating_add(HOUR_MS);
        let query = |interval, from| StatsQuery {
            from,
            to,
            interval,
            dimension: Dimension::Total,
            workspace,
            groups: 1,
        };
        snapshot!(self, conn => {
            let spent = StatsRows::groups(&mut *conn, query(Interval::Day, since)).await?;
            let from = Interval::Hour.start(number(now.0)).saturating_sub(PACE_MS);
            let first = StatsRows::first_hour(&mut *conn, scope, from).await?.unwrap_or(from);
            let lately = StatsRows::groups(&mut *conn, query(Interval::Hour, first)).await?;
            let cost = |rows: Vec<GroupRow>| rows.into_iter().next().map_or(0, |row| Sums::from(row.sums).cost_nanousd);
            Ok(Pace { spent_nanousd: cost(spent), lately_nanousd: cost(lately), lately_from: first })
        })
    }
}

// === impl Pace ===

impl Pace {
    /// What will have been spent by `end`, in nano-dollars, if it goes on as lately.
    pub fn projected(&self, now: UnixMillis, end: i64) -> u64 {
        let now = number(now.0);
        // Before an hour has passed, there is no pace.
        let passed = u128::from(amount(now.saturating_sub(self.lately_from).max(HOUR_MS)));
        let left = u128::from(amount(end.saturating_sub(now)));
        let more = u128::from(self.lately_nanousd) * left / passed;
        self.spent_nanousd
            .saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
    }
}

fn put_together(
    named: Vec<(String, Sums)>,
    others: &[(String, Sums)],
    rows: Vec<PointRow>,
    all: Vec<PointRow>,
) -> Result<Stats, LedgerError> {
    let mut stats = Stats {
        others: others.len(),
        ..Stats::default()
    };
    let mut latencies: BTreeMap<String, Sums> = BTreeMap::new();
    let mut told: BTreeMap<i64, Sums> = BTreeMap::new();
    for row in rows {
        let sums = Sums::try_from(row.sums)?;
        let group = latencies.entry(row.value.clone()).or_default();
        group.latency.merge(&sums.latency);
        if !others.is_empty() {
            told.entry(row.time).or_default().add(&sums);
        }
        stats.points.push((row.time, Group::Named(row.value), sums));
    }
    for row in all {
        let told = told.remove(&row.time).unwrap_or_default();
        let rest = Sums::try_from(row.sums)?.without(&told);
        if rest.requests > 0 {
            stats.points.push((row.time, Group::Others, rest));
        }
    }
    stats.points.sort_by(|(a, x, _), (b, y, _)| (a, x).cmp(&(b, y)));
    for (value, mut sums) in named {
        sums.latency = latencies.remove(&value).unwrap_or_default().latency;
        stats.totals.push((Group::Named(value), sums));
    }
    if !others.is_empty() {
        let mut sums = Sums::default();
        others.iter().for_each(|(_, other)| sums.add(other));
        stats.totals.push((Group::Others, sums));
    }
    Ok(stats)
}
