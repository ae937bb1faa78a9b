//! Statistics as CSV.

use axum::extract::State;
use futures_util::stream;
use serde::Serialize;

use super::{Download, cell, csv_of};
use crate::access::Permitted;
use crate::admin::stats::{StatsParams, Total, timestamp};
use crate::http::extract::Params;
use crate::http::problem::Problem;
use crate::state::App;

const HEADER: &[&str] = &[
    "time",
    "group",
    "requests",
    "refusals",
    "errors",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "p50_ms",
    "p95_ms",
    "p99_ms",
];

#[derive(Serialize)]
struct Row {
    time: String,
    group: String,
    requests: u64,
    refusals: u64,
    errors: u64,
    input_tokens: u64,
    output_tokens: u64,
    cost_usd: String,
    p50_ms: Option<u64>,
    p95_ms: Option<u64>,
    p99_ms: Option<u64>,
}

/// `GET /admin/v1/exports/stats.csv`: the series of `/stats`, with the same parameters.
pub(in crate::admin) async fn stats(
    State(app): State<App>,
    permitted: Permitted,
    Params(params): Params<StatsParams>,
) -> Result<Download, Problem> {
    let (_, stats) = params.ask(&app, &permitted).await?;
    let mut rows = Vec::with_capacity(stats.points.len());
    for (time, group, sums) in stats.points {
        rows.push(Row::new(timestamp(time)?.to_string(), Total::new(group, &sums)));
    }
    let whole = csv_of(rows, Some(HEADER));
    Ok(Download::new("tollgate-stats.csv", stream::iter([whole])))
}

// === impl Row ===

impl Row {
    fn new(time: String, total: Total) -> Self {
        let others = total.is_others.then_some("(others)");
        Self {
            time,
            group: cell(others.or(total.group.as_deref())),
            requests: total.requests,
            refusals: total.refusals,
            errors: total.errors,
            input_tokens: total.input_tokens,
            output_tokens: total.output_tokens,
            cost_usd: total.cost_usd,
            p50_ms: total.latency_ms.map(|latency| latency.p50),
            p95_ms: total.latency_ms.map(|latency| latency.p95),
            p99_ms: total.latency_ms.map(|latency| latency.p99),
        }
    }
}
