use proptest::prelude::*;
use serde_json::Value;

use super::Record;
use crate::dialect::Dialect;
use crate::event::Event;
use crate::money::NanoUsd;
use crate::service_tier::ServiceTier;
use crate::trace_context::{SpanId, TraceId, TraceParent};
use crate::usage::{Usage, UsageStatus};
use crate::wire::{BudgetCharge, LeaseId};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".*", "[a-z0-9_]{0,40}", "[\"\\\\\u{0}-\u{1f}\u{7f}é]{0,8}"]
}

fn maybe_text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(text())
}

fn any_tier() -> impl Strategy<Value = Option<ServiceTier>> {
    let tiers = [ServiceTier::Default, ServiceTier::OnDemand, ServiceTier::Other];
    prop::option::of(prop::sample::select(tiers.to_vec()))
}

fn any_trace() -> impl Strategy<Value = Option<TraceParent>> {
    let ids = (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<bool>());
    prop::option::of(ids).prop_map(|ids| {
        let (trace, span, trace_sampled) = ids?;
        Some(TraceParent {
            trace_id: TraceId::new(trace)?,
            parent_span_id: SpanId::new(span)?,
            trace_sampled,
        })
    })
}

fn any_usage() -> impl Strategy<Value = Usage> {
    let status = prop::sample::select(vec![
        UsageStatus::Complete,
        UsageStatus::Partial,
        UsageStatus::Estimated,
        UsageStatus::None,
    ]);
    (any::<[u64; 5]>(), status).prop_map(|(counts, status)| {
        let [input, output, cached, creation, reasoning] = counts;
        Usage {
            input_tokens: input,
            output_tokens: output,
            cached_input_tokens: cached,
            cache_creation_input_tokens: creation,
            reasoning_output_tokens: reasoning,
            status,
            ..Usage::default()
        }
    })
}

fn any_charge() -> impl Strategy<Value = BudgetCharge> {
    let parts = (text(), prop::option::of(any::<u64>()), any::<u64>(), any::<u64>());
    parts.prop_map(|(budget_id, lease, reserved, charged)| BudgetCharge {
        budget_id,
        lease_id: lease.map(LeaseId),
        reserved,
        charged,
    })
}

prop_compose! {
    /// What is known when the request goes to the provider.
    fn begun()(
        ids in (text(), text()),
        // The year 9999 and a bit.
        time_ms in prop_oneof![any::<i64>(), 0_i64..253_500_000_000_000, 1_790_000_000_000_i64..1_800_000_000_000],
        trace in any_trace(),
        who in (maybe_text(), maybe_text(), maybe_text(), maybe_text()),
        dialect in prop::option::of(prop::sample::select(Dialect::ALL.to_vec())),
        models in (maybe_text(), maybe_text(), maybe_text()),
        request_service_tier in any_tier(),
        stream in any::<bool>(),
        request_bytes in any::<u64>(),
        place in (text(), maybe_text()),
        would_refuse in prop::collection::vec(text(), 0..3),
    ) -> Event {
        Event {
            event_id: ids.0,
            request_id: ids.1,
            time: jiff::Timestamp::from_millisecond(time_ms).unwrap_or(jiff::Timestamp::MAX),
            trace,
            workspace: who.0,
            user: who.1,
            session: who.2,
            key_id: who.3,
            dialect,
            provider: models.0,
            request_model: models.1,
            downgraded_model: models.2,
            response_model: None,
            request_service_tier,
            response_service_tier: None,
            stream,
            status: 0,
            error_code: Some("worker_lost".to_owned()),
            usage: Usage::default(),
            cost_nanousd: NanoUsd::ZERO,
            price_fallback: false,
            latency_ms: 0,
            time_to_first_token_ms: None,
            request_bytes,
            response_bytes: 0,
            gateway_id: place.0,
            region: place.1,
            charges: Vec::new(),
            would_refuse,
        }
    }
}

prop_compose! {
    /// The same events, before and after they ended.
    fn ended()(
        event in begun(),
        texts in (maybe_text(), maybe_text()),
        response_service_tier in any_tier(),
        status in any::<u16>(),
        usage in any_usage(),
        cost in any::<u64>(),
        price_fallback in any::<bool>(),
        times in (any::<u64>(), prop::option::of(any::<u64>())),
        response_bytes in any::<u64>(),
        charges in prop::collection::vec(any_charge(), 0..4),
    ) -> [Event; 2] {
        let after = Event {
            response_model: texts.0,
            response_service_tier,
            error_code: texts.1,
            status,
            usage,
            cost_nanousd: NanoUsd(cost),
            price_fallback,
            latency_ms: times.0,
            time_to_first_token_ms: times.1,
            response_bytes,
            charges,
            ..event.clone()
        };
        [event, after]
    }
}

proptest! {
    #[test]
    fn a_record_is_what_serde_writes_and_reads(events in ended()) {
        let mut record = Record::begin(&events[0]);
        for event in &events {
            let json = record.complete(event);
            prop_assert_eq!(serde_json::from_slice::<Value>(json).unwrap(), serde_json::to_value(event).unwrap());
            prop_assert_eq!(&serde_json::from_slice::<Event>(json).unwrap(), event);
            // No field is written twice.
            prop_assert_eq!(json.len(), serde_json::to_vec(event).unwrap().len());
        }
        let [_, event] = &events;
        prop_assert_eq!(&serde_json::from_slice::<Event>(&record.into_json()).unwrap(), event);
    }
}
