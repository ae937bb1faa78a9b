//! Events as CSV, oldest first.

use axum::extract::State;
use futures_util::stream;
use jiff::Timestamp;
use serde::Serialize;
use tollgate_core::money::NanoUsd;

use super::{Download, ExportError, ExportParams, cell, csv_of};
use crate::access::Permitted;
use crate::http::extract::Params;
use crate::http::problem::Problem;
use crate::ledger::Ledger;
use crate::ledger::events::{Moment, StoredEvent};
use crate::state::App;

const HEADER: &[&str] = &[
    "event_id",
    "request_id",
    "time",
    "workspace",
    "user",
    "session",
    "key_id",
    "endpoint",
    "provider",
    "request_model",
    "response_model",
    "stream",
    "status",
    "error_code",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
    "usage_status",
    "cost_usd",
    "price_fallback",
    "latency_ms",
    "time_to_first_token_ms",
    "request_bytes",
    "response_bytes",
    "gateway_id",
    "region",
    "trace_id",
    "parent_span_id",
    "request_service_tier",
    "response_service_tier",
];

#[derive(Serialize)]
struct Row {
    event_id: String,
    request_id: String,
    time: String,
    workspace: String,
    user: String,
    session: String,
    key_id: String,
    endpoint: String,
    provider: String,
    request_model: String,
    response_model: String,
    stream: bool,
    status: i64,
    error_code: String,
    input_tokens: i64,
    output_tokens: i64,
    cached_input_tokens: i64,
    cache_creation_input_tokens: i64,
    reasoning_output_tokens: i64,
    usage_status: String,
    cost_usd: String,
    price_fallback: bool,
    latency_ms: i64,
    time_to_first_token_ms: Option<i64>,
    request_bytes: i64,
    response_bytes: i64,
    gateway_id: String,
    region: String,
    trace_id: String,
    parent_span_id: String,
    request_service_tier: String,
    response_service_tier: String,
}

/// What is read next.
struct Reading {
    ledger: Ledger,
    workspace: Option<String>,
    after: Moment,
    to: i64,
    is_first: bool,
}

/// `GET /admin/v1/exports/events.csv`.
pub(in crate::admin) async fn events(
    State(app): State<App>,
    permitted: Permitted,
    Params(params): Params<ExportParams>,
) -> Result<Download, Problem> {
    let (from, to) = params.period(app.clock().now())?;
    let reading = Reading {
        ledger: app.ledger().clone(),
        workspace: permitted.one(params.workspace)?,
        after: Moment::before(from),
        to,
        is_first: true,
    };
    let parts = stream::try_unfold(Some(reading), |reading| async {
        match reading {
            Some(reading) => reading.part().await.map(Some),
            None => Ok(None),
        }
    });
    Ok(Download::new("tollgate-events.csv", parts))
}

// === impl Reading ===

impl Reading {
    /// The next part, and what is left after it.
    async fn part(mut self) -> Result<(Vec<u8>, Option<Self>), ExportError> {
        let rows = self
            .ledger
            .events_between(self.after, self.to, self.workspace.as_deref())
            .await?;
        let part = csv_of(rows.iter().map(Row::from), self.is_first.then_some(HEADER))?;
        let Some(last) = rows.last() else {
            return Ok((part, None));
        };
        self.after = Moment::of(last);
        self.is_first = false;
        Ok((part, Some(self)))
    }
}

// === impl Row ===

impl From<&StoredEvent> for Row {
    fn from(event: &StoredEvent) -> Self {
        let cost = u64::try_from(event.cost_nanousd).unwrap_or_default();
        Self {
            event_id: cell(Some(&event.event_id)),
            request_id: cell(Some(&event.request_id)),
            time: Timestamp::from_millisecond(event.time)
                .map_or_else(|_| String::new(), |time| time.to_string()),
            workspace: cell(event.workspace.as_deref()),
            user: cell(event.user.as_deref()),
            session: cell(event.session.as_deref()),
            key_id: cell(event.key_id.as_deref()),
            endpoint: cell(event.dialect.as_deref()),
            provider: cell(event.provider.as_deref()),
            request_model: cell(event.request_model.as_deref()),
            response_model: cell(event.response_model.as_deref()),
            stream: event.stream,
            status: event.status,
            error_code: cell(event.error_code.as_deref()),
            input_tokens: event.input_tokens,
            output_tokens: event.output_tokens,
            cached_input_tokens: event.cached_input_tokens,
            cache_creation_input_tokens: event.cache_creation_input_tokens,
            reasoning_output_tokens: event.reasoning_output_tokens,
            usage_status: cell(Some(&event.usage_status)),
            cost_usd: NanoUsd(cost).to_string(),
            price_fallback: event.price_fallback,
            latency_ms: event.latency_ms,
            time_to_first_token_ms: event.time_to_first_token_ms,
            request_bytes: event.request_bytes,
            response_bytes: event.response_bytes,
            gateway_id: cell(Some(&event.gateway_id)),
            region: cell(event.region.as_deref()),
            trace_id: cell(event.trace_id.as_deref()),
            parent_span_id: cell(event.parent_span_id.as_deref()),
            request_service_tier: cell(event.request_service_tier.as_deref()),
            response_service_tier: cell(event.response_service_tier.as_deref()),
        }
    }
}
