//! Statistics, as operators read them.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::money::NanoUsd;
use tollgate_core::time::UnixMillis;

use crate::access::Permitted;
use crate::http::extract::Params;
use crate::http::problem::{FieldError, Problem};
use crate::ledger::rollups::read::{Group, Stats, StatsQuery};
use crate::ledger::rollups::sketch::Sketch;
use crate::ledger::rollups::sums::Sums;
use crate::ledger::rollups::{Dimension, Interval};
use crate::state::App;

const DAY_MS: i64 = 86_400_000;
/// Intervals in one answer.
const MAX_INTERVALS: i64 = 10_000;
const DEFAULT_GROUPS: usize = 20;
const MAX_GROUPS: usize = 1_000;
/// Intervals times groups in one answer.
const MAX_POINTS: i64 = 400_000;

/// `?from=&to=&interval=&group_by=&workspace=&limit=`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatsParams {
    /// By default an hour, a day or thirty days before `to`, as the interval is.
    from: Option<Timestamp>,
    /// By default now.
    to: Option<Timestamp>,
    #[serde(default)]
    interval: Interval,
    #[serde(default)]
    group_by: Dimension,
    workspace: Option<String>,
    /// How many groups, 20 unless given; what is left is told together.
    limit: Option<usize>,
}

/// Statistics of a period.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StatsAnswer {
    /// Where the period begins: what was asked for, and the rest of that interval.
    from: Timestamp,
    /// Where it ends.
    to: Timestamp,
    interval: Interval,
    group_by: Dimension,
    /// Each group in each interval in which it has any requests, by time.
    series: Vec<Point>,
    /// Each group in the whole period, the most expensive first.
    totals: Vec<Total>,
    /// How many groups the one is that has `is_others`.
    others: usize,
}

/// A group in one interval.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Point {
    pub(super) time: Timestamp,
    #[serde(flatten)]
    pub(super) total: Total,
}

/// A group.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Total {
    /// Null where events have none, and for the others.
    pub(super) group: Option<String>,
    /// Whether these are all groups but those that are told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(default)]
    pub(super) is_others: bool,
    pub(super) requests: u64,
    pub(super) refusals: u64,
    pub(super) errors: u64,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) cost_usd: String,
    /// Of what was not refused; null where there was nothing, and for the others.
    pub(super) latency_ms: Option<Percentiles>,
}

/// Latencies that so many percent of all do not exceed, at most 1.6 % off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Percentiles {
    pub(super) p50: u64,
    pub(super) p95: u64,
    pub(super) p99: u64,
}

/// `?workspace=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectionParams {
    workspace: Option<String>,
}

/// Where the month leads.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Projection {
    /// When the month began, in UTC.
    month_start: Timestamp,
    month_end: Timestamp,
    /// Spent in it so far.
    cost_usd: String,
    /// Spent by its end, if it goes on as since `pace_from`.
    projected_cost_usd: String,
    /// Seven days ago, or the first request since then.
    pace_from: Timestamp,
}

/// `GET /admin/v1/stats`.
pub(super) async fn show(
    State(app): State<App>,
    permitted: Permitted,
    Params(params): Params<StatsParams>,
) -> Result<Json<StatsAnswer>, Problem> {
    let (query, stats) = params.ask(&app, &permitted).await?;
    let mut series = Vec::with_capacity(stats.points.len());
    for (time, group, sums) in stats.points {
        series.push(Point {
            time: timestamp(time)?,
            total: Total::new(group, &sums),
        });
    }
    Ok(Json(StatsAnswer {
        from: timestamp(query.0)?,
        to: timestamp(query.1)?,
        interval: params.interval,
        group_by: params.group_by,
        series,
        totals: stats
            .totals
            .into_iter()
            .map(|(group, sums)| Total::new(group, &sums))
            .collect(),
        others: stats.others,
    }))
}

/// `GET /admin/v1/stats/projection`.
pub(super) async fn projection(
    State(app): State<App>,
    permitted: Permitted,
    Params(params): Params<ProjectionParams>,
) -> Result<Json<Projection>, Problem> {
    let now = app.clock().now();
    let (start, end) = month(now)?;
    let workspace = permitted.one(params.workspace)?;
    let pace = app
        .ledger()
        .pace(workspace.as_deref(), start.as_millisecond(), now.into())
        .await?;
    let projected = pace.projected(now.into(), end.as_millisecond());
    Ok(Json(Projection {
        month_start: start,
        month_end: end,
        cost_usd: NanoUsd(pace.spent_nanousd).to_string(),
        projected_cost_usd: NanoUsd(projected).to_string(),
        pace_from: timestamp(pace.lately_from)?,
    }))
}

// === impl StatsParams ===

impl StatsParams {
    /// What the ledger answers, and from when to when.
    pub(super) async fn ask(&self, app: &App, permitted: &Permitted) -> Result<((i64, i64), Stats), Problem> {
        let workspace = permitted.one(self.workspace.clone())?;
        let (from, to) = self.period(app.clock().now().into())?;
        let query = StatsQuery {
            from,
            to,
            interval: self.interval,
            dimension: self.group_by,
            workspace: workspace.as_deref(),
            groups: self.groups((to - from) / self.interval.step())?,
        };
        Ok(((from, to), app.ledger().stats(query).await?))
    }

    /// The whole intervals that were asked for.
    fn period(&self, now: UnixMillis) -> Result<(i64, i64), Problem> {
        let step = self.interval.step();
        let to = self.to.unwrap_or_else(|| now.timestamp()).as_millisecond();
        let to = self.interval.start(to.saturating_sub(1)).saturating_add(step);
        let from = self
            .from
            .map_or(to.saturating_sub(default_length(self.interval)), |from| {
                self.interval.start(from.as_millisecond())
            });
        if from >= to {
            return Err(wrong("from", "must be before to"));
        }
        for (name, time) in [("from", from), ("to", to)] {
            timestamp(time).map_err(|_| wrong(name, "no calendar has this interval"))?;
        }
        if (to - from) / step > MAX_INTERVALS {
            return Err(wrong(
                "interval",
                format!(
                    "so many are in this period that it would be more than {MAX_INTERVALS}: ask for longer ones"
                ),
            ));
        }
        if !self.interval.reaches(from, now) {
            let days = self.interval.kept().unwrap_or_default() / DAY_MS;
            return Err(wrong(
                "from",
                format!("intervals of this length are kept for {days} days: ask for longer ones"),
            ));
        }
        Ok((from, to))
    }

    fn groups(&self, intervals: i64) -> Result<usize, Problem> {
        let groups = self.limit.unwrap_or(DEFAULT_GROUPS);
        if groups == 0 || groups > MAX_GROUPS {
            return Err(wrong("limit", format!("expected 1 to {MAX_GROUPS} groups")));
        }
        if i64::try_from(groups).is_ok_and(|groups| groups.saturating_mul(intervals) > MAX_POINTS) {
            return Err(wrong(
                "limit",
                format!("more than {MAX_POINTS} points: ask for fewer groups, or for longer intervals"),
            ));
        }
        Ok(groups)
    }
}

// === impl Total ===

impl Total {
    pub(super) fn new(group: Group, sums: &Sums) -> Self {
        let is_others = group == Group::Others;
        let group = match group {
            Group::Named(name) if !name.is_empty() => Some(name),
            Group::Named(_) | Group::Others => None,
        };
        Self {
            group,
            is_others,
            requests: sums.requests,
            refusals: sums.refusals,
            errors: sums.errors,
            input_tokens: sums.input_tokens,
            output_tokens: sums.output_tokens,
            cost_usd: NanoUsd(sums.cost_nanousd).to_string(),
            latency_ms: Percentiles::of(&sums.latency),
        }
    }
}

// === impl Percentiles ===

impl Percentiles {
    fn of(latency: &Sketch) -> Option<Self> {
        Some(Self {
            p50: latency.percentile(50)?,
            p95: latency.percentile(95)?,
            p99: latency.percentile(99)?,
        })
    }
}

/// How long a period is unless it is said, in milliseconds.
const fn default_length(interval: Interval) -> i64 {
    match interval {
        Interval::Minute => DAY_MS / 24,
        Interval::Hour => DAY_MS,
        Interval::Day => 30 * DAY_MS,
    }
}

/// When the month begins and ends in which a time is, in UTC.
pub(super) fn month(time: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
    let first = time.to_zoned(TimeZone::UTC).date().first_of_month();
    let at = |midnight: DateTime| {
        midnight
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    let next = first.checked_add(jiff::Span::new().months(1)).ok();
    let month = at(first.into()).zip(next.and_then(|next| at(next.into())));
    month.ok_or_else(Problem::internal)
}

/// Milliseconds as the API shows them.
pub(super) fn timestamp(ms: i64) -> Result<Timestamp, Problem> {
    Timestamp::from_millisecond(ms).map_err(|_| Problem::internal())
}

/// A parameter that is wrong.
pub(super) fn wrong(name: &str, detail: impl Into<String>) -> Problem {
    Problem::invalid(vec![FieldError {
        pointer: name.to_owned(),
        detail: detail.into(),
    }])
}
