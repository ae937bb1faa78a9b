//! The client leaves, at every moment at which it can.

use serde_json::json;
use tollgate_fakehost::{Exchange, Host, Request};

use crate::gateway::{
    CHAT, KNOWN, REMOTE, answer, assert_sound, boot, chat, config, moderated, prompt, stream_answer,
    stream_chunks, streaming,
};
use crate::sidecar::{Ledger, key_found, verdict};

/// A client that leaves there: the exchange is over, has one event, and gave back what it held.
fn leaves(host: &Host, exchange: &Exchange) -> tollgate_core::event::Event {
    exchange.hang_up();
    assert_sound(host, exchange);
    let ledger = Ledger::collect(host);
    let event = ledger.only().clone();
    assert_eq!(event.error_code.as_deref(), Some("client_closed"));
    assert_eq!(ledger.repeats, 0);
    event
}

/// A gateway with one slot: whoever does not give it back locks the next one out.
fn one_slot() -> serde_json::Value {
    let mut config = config();
    config["limits"] = json!([{"name": "slots", "count": "concurrent", "amount": 1, "per": ["workspace"]}]);
    config
}

#[test]
fn while_its_body_comes() {
    let host = boot(&config());
    let exchange = host
        .worker(0)
        .open_streaming(&Request::post(CHAT).bearer(KNOWN).chunked());
    exchange.chunk("{\"model\":");
    let event = leaves(&host, &exchange);
    assert!(!exchange.upstream().reached());
    assert_eq!(event.usage.output_tokens, 0);
}

#[test]
fn while_its_key_is_looked_up() {
    let host = boot(&config());
    let exchange = host.worker(0).send(chat(REMOTE));
    let callout = host.callout("/v1/keys/resolve");
    leaves(&host, &exchange);
    callout.answer(key_found());
    assert!(!exchange.upstream().reached());
    host.assert_no_violation();
}

#[test]
fn while_its_prompt_is_judged() {
    let host = boot(&moderated(false));
    let exchange = host.worker(0).send(chat(KNOWN));
    let callout = host.callout("/v1/moderations");
    leaves(&host, &exchange);
    callout.answer(verdict("allow"));
    assert!(!exchange.upstream().reached());
    host.assert_no_violation();
}

#[test]
fn before_the_provider_answers() {
    let host = boot(&config());
    let exchange = host.worker(0).send(chat(KNOWN));
    assert!(exchange.upstream().ended);
    let event = leaves(&host, &exchange);
    assert!(event.usage.input_tokens > 0, "the provider has read the prompt");
    assert_eq!(event.status, 0);
}

#[test]
fn between_the_headers_and_the_body_of_an_answer() {
    let host = boot(&config());
    let exchange = host.worker(0).send(streaming(KNOWN));
    exchange.respond_headers(&stream_answer());
    let event = leaves(&host, &exchange);
    assert_eq!(event.status, 200);
}

#[test]
fn in_the_middle_of_a_stream() {
    let host = boot(&config());
    let exchange = host.worker(0).send(streaming(KNOWN));
    exchange.respond_headers(&stream_answer());
    for chunk in stream_chunks() {
        exchange.respond_chunk(chunk);
    }
    let event = leaves(&host, &exchange);
    assert!(event.usage.output_tokens > 0, "what was seen is charged");
}

#[test]
fn in_the_middle_of_a_split_event() {
    let host = boot(&config());
    let exchange = host.worker(0).send(streaming(KNOWN));
    exchange.respond_headers(&stream_answer());
    let chunk = &stream_chunks()[0];
    exchange.respond_chunk(&chunk.as_bytes()[..chunk.len() / 2]);
    leaves(&host, &exchange);
}

#[test]
fn while_its_answer_is_held() {
    let host = boot(&config());
    let exchange = host.worker(0).send(chat(KNOWN));
    exchange.respond_headers(&answer());
    leaves(&host, &exchange);
}

#[test]
fn while_its_answer_is_judged() {
    let host = boot(&moderated(true));
    let exchange = host.worker(0).send(chat(KNOWN));
    host.callout("/v1/moderations").answer(verdict("allow"));
    exchange.respond(&answer());
    assert!(exchange.client().headers.is_none());
    let callout = host.callout("/v1/moderations");
    exchange.hang_up();
    assert_sound(&host, &exchange);
    callout.answer(verdict("block"));
    assert_eq!(Ledger::collect(&host).all().len(), 1);
}

#[test]
fn and_its_slot_is_free_again_wherever_it_left() {
    let host = boot(&one_slot());
    for stage in 0..4 {
        let exchange = host.worker(0).send(streaming(KNOWN));
        assert!(
            exchange.upstream().reached(),
            "no slot at stage {stage}: {:?}",
            exchange.client()
        );
        if stage > 0 {
            exchange.respond_headers(&stream_answer());
        }
        if stage > 1 {
            exchange.respond_chunk(stream_chunks().concat());
        }
        if stage > 2 {
            exchange.respond_end();
        }
        exchange.hang_up();
    }
    assert_eq!(Ledger::collect(&host).all().len(), 4);
}

#[test]
fn a_provider_that_leaves_first_is_no_client_that_left() {
    let host = boot(&config());
    let exchange = host.worker(0).send(streaming(KNOWN));
    exchange.respond_headers(&stream_answer());
    exchange.respond_chunk(stream_chunks().concat());
    exchange.provider_dies();
    assert_sound(&host, &exchange);
    assert_eq!(
        Ledger::collect(&host).only().error_code.as_deref(),
        Some("upstream_closed")
    );
}

#[test]
fn a_provider_that_never_answers_is_503_and_charged_nothing_it_did_not_do() {
    let host = boot(&config());
    let exchange = host
        .worker(0)
        .send(Request::post(CHAT).bearer(KNOWN).json(&prompt()));
    exchange.provider_dies();
    assert_eq!(exchange.client().status(), 503);
    assert_sound(&host, &exchange);
    assert_eq!(Ledger::collect(&host).only().usage.output_tokens, 0);
}
