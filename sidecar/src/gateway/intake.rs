//! From what a gateway sent to what the ledger keeps: one bad event never costs the others.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::types::Json;
use tollgate_core::event::Event;
use tollgate_core::service_tier::ServiceTier;
use tollgate_core::wire::BudgetCharge;

use super::bounds::bounded;
use crate::http::extract;
use crate::http::problem::{FieldError, Problem};
use crate::ledger::events::{StoredEvent, Unreadable};

/// What the contract lets a gateway send at once.
const MAX_EVENTS: usize = 1000;
/// An id cannot be shortened without becoming another.
const MAX_ID_CHARS: usize = 128;
const MAX_WOULD_REFUSE: usize = 32;

/// A batch, sorted into what is an event and what is not.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<StoredEvent>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// The batch with its events still as text.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// Reads a batch.
///
/// # Errors
/// A [`Problem`] where the body is no batch at all.
pub(super) fn read(body: &[u8]) -> Result<Batch, Problem> {
    let envelope: Envelope<'_> = extract::parse(body)?;
    if envelope.events.len() > MAX_EVENTS {
        return Err(Problem::invalid(vec![FieldError::at(
            "events",
            format!(
                "expected at most {MAX_EVENTS} events, got {}",
                envelope.events.len()
            ),
        )]));
    }
    let mut batch = Batch::default();
    for raw in envelope.events {
        match read_one(raw.get()) {
            Ok(event) => batch.events.push(event),
            Err(reason) => batch.unreadable.push(Unreadable {
                body: raw.get().to_owned(),
                reason: bounded(reason),
            }),
        }
    }
    Ok(batch)
}

/// Whether an id is one that the ledger keeps as it is.
pub(super) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= MAX_ID_CHARS && !id.chars().any(char::is_control)
}

fn read_one(text: &str) -> Result<StoredEvent, String> {
    // Where in it something is wrong is asked only when something is: to keep that in mind costs more than to read it.
    let event: Event = match serde_json::from_str(text) {
        Ok(event) => event,
        Err(_) => serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))
            .map_err(|error| format!("{}: {}", extract::pointer(error.path()), error.inner()))?,
    };
    let ids = [("event_id", &event.event_id), ("request_id", &event.request_id)];
    for (field, id) in ids {
        if !is_id(id) {
            return Err(format!(
                "#/{field}: expected 1 to {MAX_ID_CHARS} printable characters"
            ));
        }
    }
    check_charges(&event.charges)?;
    Ok(StoredEvent {
        seq: 0,
        event_id: event.event_id,
        request_id: event.request_id,
        time: event.time.as_millisecond(),
        trace_id: event.trace.map(|trace| trace.trace_id.to_hex()),
        parent_span_id: event.trace.map(|trace| trace.parent_span_id.to_hex()),
        trace_sampled: event.trace.map(|trace| trace.trace_sampled),
        workspace: event.workspace.map(bounded),
        user: event.user.map(bounded),
        session: event.session.map(bounded),
        key_id: event.key_id.map(bounded),
        dialect: event.dialect.and_then(spelled),
        provider: event.provider.map(bounded),
        request_model: event.request_model.map(bounded),
        downgraded_model: event.downgraded_model.map(bounded),
        response_model: event.response_model.map(bounded),
        request_service_tier: event.request_service_tier.map(tier),
        response_service_tier: event.response_service_tier.map(tier),
        stream: event.stream,
        status: i64::from(event.status),
        error_code: event.error_code.map(bounded),
        input_tokens: count("input_tokens", event.usage.input_tokens)?,
        output_tokens: count("output_tokens", event.usage.output_tokens)?,
        cached_input_tokens: count("cached_input_tokens", event.usage.cached_input_tokens)?,
        cache_creation_input_tokens: count(
            "cache_creation_input_tokens",
            event.usage.cache_creation_input_tokens,
        )?,
        reasoning_output_tokens: count("reasoning_output_tokens", event.usage.reasoning_output_tokens)?,
        usage_status: spelled(event.usage.status).unwrap_or_default(),
        cost_nanousd: count("cost_nanousd", event.cost_nanousd.0)?,
        price_fallback: event.price_fallback,
        latency_ms: count("latency_ms", event.latency_ms)?,
        time_to_first_token_ms: event
            .time_to_first_token_ms
            .map(|ms| count("time_to_first_token_ms", ms))
            .transpose()?,
        request_bytes: count("request_bytes", event.request_bytes)?,
        response_bytes: count("response_bytes", event.response_bytes)?,
        gateway_id: bounded(event.gateway_id),
        region: event.region.map(bounded),
        would_refuse: Json(
            event
                .would_refuse
                .into_iter()
                .take(MAX_WOULD_REFUSE)
                .map(bounded)
                .collect(),
        ),
        charges: event.charges,
    })
}

fn tier(tier: ServiceTier) -> String {
    tier.as_str().to_owned()
}

/// What cannot be kept as a charge: an id that is none of the ledger's. There may be as many as budgets apply to a request:
/// what was charged is kept.
fn check_charges(charges: &[BudgetCharge]) -> Result<(), String> {
    for (at, charge) in charges.iter().enumerate() {
        let id = &charge.budget_id;
        if id.is_empty() || id.len() > MAX_ID_CHARS || id.chars().any(char::is_control) {
            return Err(format!("#/charges/{at}/budget_id: expected the id of a budget"));
        }
    }
    Ok(())
}

/// A count as the ledger's integers hold it.
fn count(field: &str, value: u64) -> Result<i64, String> {
    i64::try_from(value).map_err(|_| format!("#/{field}: larger than the ledger can hold"))
}

/// A unit variant as JSON spells it.
fn spelled(value: impl Serialize) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::bounds::MAX_TEXT_CHARS;
    use super::*;

    fn event(id: &str) -> Value {
        json!({
            "event_id": id, "request_id": "req-1", "time": "2026-01-02T03:04:05.678Z", "stream": false,
            "status": 200, "dialect": "chat_completions", "input_tokens": 3, "output_tokens": 4,
            "cached_input_tokens": 1, "cache_creation_input_tokens": 0, "reasoning_output_tokens": 2,
            "usage_status": "complete", "cost_nanousd": 5, "latency_ms": 6, "request_bytes": 7,
            "response_bytes": 8, "gateway_id": "gw"
        })
    }

    fn read_all(events: &[Value]) -> Batch {
        read(json!({ "events": events }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_bad_event_does_not_cost_the_others() {
        let mut bad = event("b");
        bad["status"] = json!("ok");
        let batch = read_all(&[event("a"), bad, json!(7), event("c")]);
        assert_eq!(batch.events.len(), 2);
        assert_eq!(batch.unreadable.len(), 2);
    }

    #[test]
    fn the_reason_names_the_field() {
        let mut too_large = event("a");
        too_large["cost_nanousd"] = json!(u64::MAX);
        let mut nameless = event("");
        nameless["event_id"] = json!("");
        let batch = read_all(&[too_large, nameless]);
        let reasons: Vec<&str> = batch.unreadable.iter().map(|one| one.reason.as_str()).collect();
        assert!(reasons[0].starts_with("#/cost_nanousd: "), "{}", reasons[0]);
        assert!(reasons[1].starts_with("#/event_id: "), "{}", reasons[1]);
    }

    #[test]
    fn a_field_of_a_newer_gateway_is_no_fault() {
        let mut newer = event("a");
        newer["colour"] = json!("blue");
        assert_eq!(read_all(&[newer]).events.len(), 1);
    }

    #[test]
    fn an_event_of_a_request_that_hundreds_of_budgets_paid_is_kept_whole() {
        let mut paid = event("a");
        let charge = |number| json!({"budget_id": format!("bud_{number}"), "lease_id": number, "reserved": 9, "charged": 5});
        paid["charges"] = (1..=1_500).map(charge).collect();
        let batch = read_all(&[paid]);
        assert_eq!(batch.unreadable, []);
        assert_eq!(batch.events[0].charges.len(), 1_500);
    }

    #[test]
    fn a_service_tier_is_kept_and_one_of_a_newer_gateway_costs_no_event() {
        let mut tiered = event("a");
        tiered["request_service_tier"] = json!("auto");
        tiered["response_service_tier"] = json!("someday");
        let batch = read_all(&[tiered, event("b")]);
        let kept: Vec<_> = batch
            .events
            .iter()
            .map(|event| [&event.request_service_tier, &event.response_service_tier].map(Option::as_deref))
            .collect();
        assert_eq!(kept, [[Some("auto"), Some("other")], [None, None]]);
    }

    #[test]
    fn a_trace_that_cannot_be_one_costs_no_event() {
        let mut odd = event("a");
        odd["trace_id"] = json!("0".repeat(32));
        odd["parent_span_id"] = json!(7);
        odd["trace_sampled"] = json!(true);
        let batch = read_all(&[odd]);
        assert_eq!(batch.events.len(), 1);
        assert_eq!(batch.events[0].trace_id, None);
    }

    #[test]
    fn text_that_clients_choose_is_bounded() {
        let mut long = event("a");
        long["request_model"] = json!("é\0".repeat(10_000));
        let batch = read_all(&[long]);
        let model = batch.events[0].request_model.clone().unwrap();
        assert_eq!(model.chars().count(), MAX_TEXT_CHARS);
        assert!(!model.contains('\0'));
    }

    #[test]
    fn a_batch_of_more_than_a_thousand_is_refused_whole() {
        let body = json!({ "events": vec![json!(0); 1001] }).to_string();
        assert_eq!(read(body.as_bytes()).unwrap_err().status, 422);
    }

    proptest! {
        #[test]
        fn every_element_is_an_event_or_kept_aside(kinds in proptest::collection::vec(any::<bool>(), 0..20)) {
            let events: Vec<Value> = kinds
                .iter()
                .enumerate()
                .map(|(i, good)| if *good { event(&format!("e{i}")) } else { json!({"event_id": i}) })
                .collect();
            let batch = read_all(&events);
            prop_assert_eq!(batch.events.len(), kinds.iter().filter(|good| **good).count());
            prop_assert_eq!(batch.events.len() + batch.unreadable.len(), kinds.len());
        }

        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&body);
        }
    }
}
