//! Texts that are kept: on their way after everything that counts, sent again, and given up before memory is.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_core::wire::{ConversationBatch, SIDECAR_HEADER, SaidExchange};
use tollgate_fakehost::{Answer, Host};

use crate::gateway::{KNOWN, answer, assert_sound, boot, chat, config, stream_answer, streaming};
use crate::sidecar::{Ledger, ok};

const PATH: &str = "/v1/conversations";
const TICK: Duration = Duration::from_millis(250);

fn keeping() -> Value {
    let mut config = config();
    config["conversations"] = json!([{"max_bytes": 1024}]);
    config
}

/// Lets a moment pass, has the ledger answer, and answers what texts come with this.
fn sidecar_answers(host: &Host, ledger: &mut Ledger, with: impl Fn() -> Answer) -> Vec<SaidExchange> {
    let mut came = Vec::new();
    for _ in 0..3 {
        host.advance(TICK);
        host.answer_callouts(|request| {
            if request.path() != PATH {
                return ledger.answer(request);
            }
            let batch: ConversationBatch = serde_json::from_slice(&request.body).unwrap();
            came.extend(batch.exchanges);
            Some(with())
        });
    }
    came
}

fn taken() -> Answer {
    ok(&json!({"stored": 1, "left_out": 0}))
}

fn refused() -> Answer {
    Answer::status(409).header(SIDECAR_HEADER, "test")
}

fn text(parts: &[tollgate_core::wire::TextPart]) -> String {
    parts.iter().map(|part| part.text.as_str()).collect()
}

#[test]
fn what_was_said_follows_its_event_and_the_provider_hears_nothing_of_it() {
    let host = boot(&keeping());
    let named = |request: tollgate_fakehost::Request| request.header("x-tollgate-conversation", "thread-1");
    let exchanges = [
        host.worker(0).send(named(chat(KNOWN))),
        host.worker(0).send(named(streaming(KNOWN))),
    ];
    exchanges[0].respond(&answer());
    exchanges[1].respond(&stream_answer());
    for exchange in &exchanges {
        assert_sound(&host, exchange);
        assert_eq!(exchange.upstream().header("x-tollgate-conversation"), None);
    }
    host.advance(TICK);
    let paths: Vec<String> = host
        .callouts()
        .iter()
        .map(|callout| callout.request().path().to_owned())
        .collect();
    let at = |path: &str| paths.iter().position(|found| found == path);
    assert!(at("/v1/events") < at(PATH) && at(PATH).is_some(), "{paths:?}");
    let mut ledger = Ledger::default();
    let came = sidecar_answers(&host, &mut ledger, taken);
    assert_eq!(came.len(), 2);
    for said in &came {
        assert_eq!(said.conversation.as_deref(), Some("thread-1"));
        assert_eq!(
            (text(&said.prompt), text(&said.answer)),
            ("Say hello.".into(), "Hello!".into())
        );
        assert!(ledger.all().iter().any(|event| event.event_id == said.event_id));
    }
    assert!(
        sidecar_answers(&host, &mut ledger, taken).is_empty(),
        "each goes once"
    );
}

#[test]
fn a_text_that_was_not_answered_comes_again_and_its_event_does_not_wait() {
    let host = boot(&keeping());
    host.worker(0).send(chat(KNOWN)).respond(&answer());
    let mut ledger = Ledger::default();
    let first = sidecar_answers(&host, &mut ledger, Answer::timed_out);
    assert_eq!((first.len(), ledger.all().len()), (1, 1));
    host.advance(Duration::from_secs(2));
    assert_eq!(sidecar_answers(&host, &mut ledger, taken), first);
    assert_eq!((ledger.all().len(), ledger.repeats), (1, 0));
}

#[test]
fn a_sidecar_that_keeps_no_texts_is_not_asked_again_and_the_loss_is_counted() {
    let host = boot(&keeping());
    host.worker(0).send(chat(KNOWN)).respond(&answer());
    let mut ledger = Ledger::default();
    assert_eq!(sidecar_answers(&host, &mut ledger, refused).len(), 1);
    host.advance(Duration::from_secs(3));
    assert!(sidecar_answers(&host, &mut ledger, taken).is_empty());
    assert_eq!(host.metric("tollgate_conversations_lost_total;reason=refused"), 1);
    assert_eq!(
        ledger.all().len(),
        1,
        "the event is nobody's business but the ledger's"
    );
}

#[test]
fn texts_that_nobody_takes_are_given_up_before_memory_is() {
    let mut config = keeping();
    config["conversations"] = json!([{"max_bytes": 262_144}]);
    let host = boot(&config);
    let body = json!({"model": "gpt-4o-mini", "max_tokens": 5,
        "messages": [{"role": "user", "content": "long ".repeat(50_000)}]});
    for _ in 0..20 {
        let exchange = host.worker(0).send(chat(KNOWN).json(&body));
        exchange.respond(&answer());
        assert_sound(&host, &exchange);
    }
    let lost = host.metric("tollgate_conversations_lost_total;reason=queue_full");
    assert!((4..20).contains(&lost), "{lost} of 20 were given up");
    assert_eq!(Ledger::collect(&host).all().len(), 20, "events are not");
}
