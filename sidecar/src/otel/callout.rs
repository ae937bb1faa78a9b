//! The sidecar's own part in a request's trace: a span for each question that a gateway asked for it.

use std::time::SystemTime;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer as _};
use opentelemetry_sdk::trace::SdkTracer;
use tollgate_core::headers::Headers;
use tollgate_core::trace_context::TraceContext;

use super::names;
use super::parent::context_of;
use crate::state::App;

/// Makes a span of a request that is part of a trace. What gateways send by themselves (events, reports, polls) is part
/// of none, and makes none.
pub async fn trace(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some((tracer, trace)) = app.otel().tracer().zip(trace_of(&request)) else {
        return next.run(request).await;
    };
    let start = SystemTime::now();
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map(|route| route.as_str().to_owned());
    let response = next.run(request).await;
    let status = response.status();
    let mut attributes = vec![
        KeyValue::new(names::HTTP_REQUEST_METHOD, method.clone()),
        KeyValue::new(names::URL_PATH, path),
        KeyValue::new(names::URL_SCHEME, "http"),
        KeyValue::new(names::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16())),
    ];
    let name = match &route {
        Some(route) => format!("{method} {route}"),
        None => method,
    };
    attributes.extend(route.map(|route| KeyValue::new(names::HTTP_ROUTE, route)));
    if status.is_server_error() {
        attributes.push(KeyValue::new(names::ERROR_TYPE, status.as_u16().to_string()));
    }
    let builder = SpanBuilder::from_name(name)
        .with_kind(SpanKind::Server)
        .with_start_time(start)
        .with_attributes(attributes);
    end(tracer, builder, &trace, status.is_server_error());
    response
}

fn end(tracer: &SdkTracer, builder: SpanBuilder, trace: &TraceContext, has_failed: bool) {
    let mut span = tracer.build_with_context(builder, &context_of(trace));
    if has_failed {
        span.set_status(Status::error(""));
    }
    span.end();
}

fn trace_of(request: &Request) -> Option<TraceContext> {
    let pairs: Vec<(&[u8], &[u8])> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
        .collect();
    TraceContext::from_headers(Headers::new(&pairs))
}
