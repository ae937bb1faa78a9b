//! W3C trace context: it goes along with the questions that are asked for a request, and stands in its event.

use tollgate_fakehost::{CalloutRequest, Request};

use crate::gateway::{REMOTE, answer, assert_sound, boot, chat, config, moderated};
use crate::sidecar::{Ledger, key_found, verdict};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const STATE: &str = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7";

fn traced(parent: &str) -> Request {
    chat(REMOTE)
        .header("traceparent", parent)
        .header("tracestate", STATE)
}

fn told(request: &CalloutRequest) -> (Option<String>, Option<String>) {
    let header = |name| request.headers.text(name).map(str::to_owned);
    (header("traceparent"), header("tracestate"))
}

#[test]
fn a_trace_goes_to_the_provider_as_it_came_and_along_with_every_question() {
    let host = boot(&moderated(true));
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let exchange = host.worker(0).send(traced(&parent));
    let expected = (Some(parent.clone()), Some(STATE.to_owned()));
    let key = host.callout("/v1/keys/resolve");
    assert_eq!(told(key.request()), expected);
    key.answer(key_found());
    let prompt = host.callout("/v1/moderations");
    assert_eq!(told(prompt.request()), expected);
    prompt.answer(verdict("allow"));
    let upstream = exchange.upstream();
    assert_eq!(upstream.header("traceparent"), Some(parent.as_str()));
    assert_eq!(upstream.header("tracestate"), Some(STATE));
    exchange.respond(&answer());
    let judged = host.callout("/v1/moderations");
    assert_eq!(told(judged.request()), expected);
    judged.answer(verdict("allow"));
    assert_sound(&host, &exchange);
    let trace = Ledger::collect(&host)
        .only()
        .trace
        .expect("the event has no trace");
    assert_eq!(trace.trace_id.to_hex(), TRACE);
    assert_eq!(trace.parent_span_id.to_hex(), SPAN);
    assert!(trace.trace_sampled);
}

#[test]
fn without_a_valid_trace_none_is_begun() {
    for parent in [None, Some(format!("00-{TRACE}-{}-01", "0".repeat(16)))] {
        let host = boot(&config());
        let exchange = match &parent {
            Some(parent) => host.worker(0).send(traced(parent)),
            None => host.worker(0).send(chat(REMOTE)),
        };
        let key = host.callout("/v1/keys/resolve");
        assert_eq!(told(key.request()), (None, None), "{parent:?}");
        key.answer(key_found());
        exchange.respond(&answer());
        assert_sound(&host, &exchange);
        assert_eq!(Ledger::collect(&host).only().trace, None);
    }
}

#[test]
fn a_refused_request_is_told_in_its_trace_too() {
    let host = boot(&config());
    let parent = format!("00-{TRACE}-{SPAN}-00");
    let unknown = Request::post("/v1/nothing").header("traceparent", &parent);
    let exchange = host.worker(0).send(unknown);
    assert_sound(&host, &exchange);
    let trace = Ledger::collect(&host)
        .only()
        .trace
        .expect("the event has no trace");
    assert_eq!(trace.trace_id.to_hex(), TRACE);
    assert!(!trace.trace_sampled);
}
