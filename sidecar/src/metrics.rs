//! The sidecar's own metrics, as Prometheus scrapes them at `/metrics` (OpenMetrics).
//!
//! What models cost and who calls them is in the gateways' metrics and in the ledger; here is how the sidecar does. No
//! label has a value that a client chooses.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tollgate_core::wire::{ConversationsAccepted, EventsAccepted};

use crate::http::problem::Problem;
use crate::state::App;

const MEDIA_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
/// The route of a path that is none.
const UNMATCHED: &str = "unmatched";
/// From a millisecond to eight seconds.
const BUCKETS: (f64, f64, u16) = (0.001, 2.0, 14);

type Durations = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// Everything that is counted.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    durations: Durations,
    events: Family<EventLabels, Counter>,
    conversations: Family<EventLabels, Counter>,
    spans: Family<SpanLabels, Counter>,
}

/// What became of a span that was to be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanOutcome {
    /// The collector has it.
    Exported,
    /// Dropped: so many waited already.
    QueueFull,
    /// Dropped: the collector did not take it.
    ExportFailed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SpanLabels {
    result: &'static str,
}

// === impl Metrics ===

impl Metrics {
    /// None of it counted yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("tollgate_sidecar");
        let requests = Family::default();
        let durations = Durations::new_with_constructor(histogram);
        let events = Family::default();
        let conversations = Family::default();
        registry.register("http_requests", "Requests that were answered", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "From a request's head to its answer's, waits for money included",
            durations.clone(),
        );
        registry.register("events", "Events that gateways sent", events.clone());
        registry.register(
            "conversation_exchanges",
            "Exchanges whose texts gateways sent",
            conversations.clone(),
        );
        let spans = Family::default();
        registry.register(
            "otlp_spans",
            "Spans that were to be exported by OTLP",
            spans.clone(),
        );
        let metrics = Self {
            registry: Arc::new(registry),
            requests,
            durations,
            events,
            spans,
            conversations,
        };
        // So that the rise of the first one is seen.
        metrics.count_events(&EventsAccepted {
            accepted: 0,
            duplicates: 0,
            rejected: 0,
        });
        metrics.count_texts(&ConversationsAccepted::default());
        metrics
    }

    /// Counts a batch of events.
    pub fn count_events(&self, batch: &EventsAccepted) {
        for (result, count) in [
            ("accepted", batch.accepted),
            ("duplicate", batch.duplicates),
            ("rejected", batch.rejected),
        ] {
            self.events.get_or_create(&EventLabels { result }).inc_by(count);
        }
    }

    /// Counts what became of spans.
    pub fn count_spans(&self, outcome: SpanOutcome, spans: usize) {
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        let result = outcome.as_str();
        self.spans.get_or_create(&SpanLabels { result }).inc_by(spans);
    }

    /// Counts a batch of texts.
    pub fn count_texts(&self, batch: &ConversationsAccepted) {
        for (result, count) in [("stored", batch.stored), ("left_out", batch.left_out)] {
            self.conversations
                .get_or_create(&EventLabels { result })
                .inc_by(count);
        }
    }

    fn count_request(&self, method: &Method, route: String, response: &Response, since: Instant) {
        let labels = RequestLabels {
            method: name_of(method),
            route: route.clone(),
            status: response.status().as_u16().to_string(),
        };
        self.requests.get_or_create(&labels).inc();
        let duration = since.elapsed().as_secs_f64();
        self.durations
            .get_or_create(&RouteLabels { route })
            .observe(duration);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

// === impl SpanOutcome ===

impl SpanOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Exported => "exported",
            Self::QueueFull => "queue_full",
            Self::ExportFailed => "export_failed",
        }
    }
}

/// `GET /metrics`. Nobody need say who asks.
pub fn routes() -> Router<App> {
    Router::new().route("/metrics", get(show))
}

/// Counts every request.
pub async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let since = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or(UNMATCHED, MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    app.metrics().count_request(&method, route, &response, since);
    response
}

async fn show(State(app): State<App>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &app.metrics().registry) {
        Ok(()) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot write the metrics");
            Problem::internal().into_response()
        }
    }
}

fn histogram() -> Histogram {
    let (first, factor, buckets) = BUCKETS;
    Histogram::new(exponential_buckets(first, factor, buckets))
}

/// A method that anybody uses; clients may make up others.
fn name_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
