//! The span that another one is a child of, as W3C trace context told it.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tollgate_core::trace_context::{TraceContext, TraceParent};

use crate::ledger::events::StoredEvent;

/// The context of the span that an event's request was made in; an empty one where there was none, in which a trace of
/// its own begins.
pub(super) fn parent_of(event: &StoredEvent) -> Context {
    let parent = event.trace_id.as_deref().zip(event.parent_span_id.as_deref());
    let ids =
        parent.and_then(|(trace, span)| Some((TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?)));
    let sampled = event.trace_sampled.unwrap_or_default();
    ids.map_or_else(Context::new, |(trace, span)| {
        remote(trace, span, sampled, TraceState::default())
    })
}

/// The context that a request came with.
pub(super) fn context_of(trace: &TraceContext) -> Context {
    let TraceParent {
        trace_id,
        parent_span_id,
        trace_sampled,
    } = trace.parent();
    let members = trace.tracestate().unwrap_or_default().split(',');
    let state = TraceState::from_key_value(members.filter_map(|member| member.split_once('=')));
    remote(
        TraceId::from_bytes(trace_id.to_bytes()),
        SpanId::from_bytes(parent_span_id.to_bytes()),
        trace_sampled,
        state.unwrap_or_default(),
    )
}

fn remote(trace: TraceId, span: SpanId, is_sampled: bool, state: TraceState) -> Context {
    let flags = TraceFlags::default().with_sampled(is_sampled);
    Context::new().with_remote_span_context(SpanContext::new(trace, span, flags, true, state))
}
