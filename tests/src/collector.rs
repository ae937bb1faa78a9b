//! An OTLP collector: takes spans and metrics over HTTP, and shows what it was sent.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use prost::Message as _;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// What OTLP's messages are made of.
pub use opentelemetry_proto::tonic as otlp;

/// A collector. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Collector(Arc<Mutex<Received>>);

/// All that a collector was sent.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Exports of spans.
    pub traces: Vec<ExportTraceServiceRequest>,
    /// Exports of metrics.
    pub metrics: Vec<ExportMetricsServiceRequest>,
    /// The headers of each.
    pub headers: Vec<HeaderMap>,
}

// === impl Collector ===

impl Collector {
    /// Listens on a free port of loopback, for as long as the runtime lives. Answers its URL, too.
    ///
    /// # Errors
    ///
    /// Where the system gives no port.
    pub async fn start() -> Result<(Self, String)> {
        let collector = Self::default();
        let routes = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .with_state(collector.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(axum::serve(listener, routes).into_future());
        Ok((collector, url))
    }

    /// What it was sent so far.
    pub fn received(&self) -> Received {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All spans that it was sent.
    pub fn spans(&self) -> Vec<otlp::trace::v1::Span> {
        let received = self.received().traces.into_iter();
        let resources = received.flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// All metrics of the last export.
    pub fn metrics(&self) -> Vec<otlp::metrics::v1::Metric> {
        let last = self.received().metrics.pop().unwrap_or_default();
        let scopes = last
            .resource_metrics
            .into_iter()
            .flat_map(|resource| resource.scope_metrics);
        scopes.flat_map(|scope| scope.metrics).collect()
    }

    fn take(&self, headers: HeaderMap, add: impl FnOnce(&mut Received)) {
        let mut received = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        received.headers.push(headers);
        add(&mut received);
    }
}

/// Attributes as a JSON object. A kind of value that Tollgate does not send shows as it is in Rust.
pub fn attributes(all: &[KeyValue]) -> Map<String, Value> {
    let json = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(is)) => json!(is),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => json!(number),
        other => json!(format!("{other:?}")),
    };
    all.iter()
        .map(|attribute| (attribute.key.clone(), json(attribute)))
        .collect()
}

async fn traces(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match ExportTraceServiceRequest::decode(body) {
        Ok(request) => collector.take(headers, |received| received.traces.push(request)),
        Err(_) => return StatusCode::BAD_REQUEST,
    }
    StatusCode::OK
}

async fn metrics(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match ExportMetricsServiceRequest::decode(body) {
        Ok(request) => collector.take(headers, |received| received.metrics.push(request)),
        Err(_) => return StatusCode::BAD_REQUEST,
    }
    StatusCode::OK
}
