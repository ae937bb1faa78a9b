//! What became of an exchange, as a span: made from its event, after the fact.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer as _};
use opentelemetry_sdk::trace::SdkTracer;

use super::names;
use super::parent::parent_of;
use crate::ledger::amount;
use crate::ledger::events::StoredEvent;

/// Exports an event's span: a child of the span that the request was made in, recorded where that one is.
pub(super) fn export(tracer: &SdkTracer, event: &StoredEvent) {
    let operation = names::operation(event.dialect.as_deref());
    let name = match &event.request_model {
        Some(model) => format!("{operation} {model}"),
        None => operation.to_owned(),
    };
    let start = UNIX_EPOCH + Duration::from_millis(amount(event.time));
    let builder = SpanBuilder::from_name(name)
        .with_kind(SpanKind::Client)
        .with_start_time(start)
        .with_attributes(attributes(event, operation));
    let mut span = tracer.build_with_context(builder, &parent_of(event));
    if error_type(event).is_some() {
        // What went wrong is in `error.type`; a provider's own words are not kept.
        span.set_status(Status::error(""));
    }
    span.end_with_timestamp(end_of(start, event));
}

fn end_of(start: SystemTime, event: &StoredEvent) -> SystemTime {
    let latency = Duration::from_millis(amount(event.latency_ms));
    start.checked_add(latency).unwrap_or(start)
}

/// The class of what went wrong, if anything did: Tollgate's code, or the provider's status.
pub(super) fn error_type(event: &StoredEvent) -> Option<String> {
    let status = (event.status >= 400).then(|| event.status.to_string());
    event.error_code.clone().or(status)
}

/// All that the event tells and that has a name. No text of a prompt or an answer is in an event.
fn attributes(event: &StoredEvent, operation: &str) -> Vec<KeyValue> {
    let mut all = vec![
        KeyValue::new(names::OPERATION_NAME, operation.to_owned()),
        KeyValue::new(names::REQUEST_STREAM, event.stream),
        KeyValue::new(names::COST, event.cost_nanousd),
        KeyValue::new(names::USAGE_STATUS, event.usage_status.clone()),
        KeyValue::new(names::EVENT_ID, event.event_id.clone()),
        KeyValue::new(names::REQUEST_ID, event.request_id.clone()),
        KeyValue::new(names::GATEWAY_ID, event.gateway_id.clone()),
        KeyValue::new(names::DECISION, decision(event)),
    ];
    let [asked_tier, served_tier] = names::service_tiers(event.dialect.as_deref());
    let texts = [
        (names::PROVIDER_NAME, &event.provider),
        (names::REQUEST_MODEL, &event.request_model),
        (names::RESPONSE_MODEL, &event.response_model),
        (asked_tier, &event.request_service_tier),
        (served_tier, &event.response_service_tier),
        (names::CONVERSATION_ID, &event.session),
        (names::USER_ID, &event.user),
        (names::WORKSPACE, &event.workspace),
        (names::KEY_ID, &event.key_id),
        (names::DOWNGRADED_MODEL, &event.downgraded_model),
        (names::REGION, &event.region),
        (names::ERROR_TYPE, &error_type(event)),
    ];
    all.extend(
        texts
            .into_iter()
            .filter_map(|(name, value)| Some(KeyValue::new(name, value.clone()?))),
    );
    // Where the client left before there was a status, the ledger has a zero.
    if event.status > 0 {
        all.push(KeyValue::new(names::HTTP_RESPONSE_STATUS_CODE, event.status));
    }
    if let Some(ms) = event.time_to_first_token_ms.filter(|_| event.stream) {
        let first = Duration::from_millis(amount(ms)).as_secs_f64();
        all.push(KeyValue::new(names::TIME_TO_FIRST_CHUNK, first));
    }
    if event.has_usage() {
        let counts = [
            (names::INPUT_TOKENS, event.input_tokens),
            (names::OUTPUT_TOKENS, event.output_tokens),
            (names::CACHE_READ_TOKENS, event.cached_input_tokens),
            (names::CACHE_CREATION_TOKENS, event.cache_creation_input_tokens),
            (names::REASONING_TOKENS, event.reasoning_output_tokens),
        ];
        all.extend(counts.map(|(name, count)| KeyValue::new(name, count)));
    }
    all
}

/// As the access log tells it.
fn decision(event: &StoredEvent) -> String {
    event.error_code.clone().unwrap_or_else(|| "allow".to_owned())
}
