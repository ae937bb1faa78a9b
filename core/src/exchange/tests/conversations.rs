//! Exchanges whose texts are kept, and those whose texts are not.

use super::*;
use crate::wire::{SaidExchange, TextKind};

fn kept() -> Value {
    config(&json!({"conversations": [{"match": {"models": ["gpt-4o*"]}, "max_bytes": 2_000}]}))
}

/// One exchange with these headers, and what it leaves for the sidecar to keep.
fn exchanged(
    config: &Value,
    headers: &[(&str, &str)],
    body: &[u8],
    chunks: &[&[u8]],
) -> Option<SaidExchange> {
    let mut bench = Bench::new(config);
    let mut exchange = bench.exchange();
    assert_eq!(open(&mut bench, &mut exchange, headers), Step::Hold);
    assert_eq!(exchange.request_data(body.len(), true), Step::ReadBody);
    let step = bench.env(|env| exchange.request_body(body, env));
    assert!(matches!(step, Step::Release(_)), "{step:?}");
    let kind = if chunks.len() > 1 {
        "text/event-stream"
    } else {
        "application/json"
    };
    bench.answer(&mut exchange, kind, chunks);
    let finished = bench.finish(&mut exchange, Some(200));
    let events = bench.events();
    assert_eq!(events.len(), 1);
    assert!(!events[0].to_string().contains("Hello"), "no text is in an event");
    finished.said.map(|said| *said)
}

fn open(bench: &mut Bench, exchange: &mut Exchange, headers: &[(&str, &str)]) -> Step {
    let mut pairs: Vec<(&[u8], &[u8])> = vec![
        (b":method", b"POST"),
        (b":path", b"/v1/chat/completions"),
        (b"authorization", b"Bearer tg_test_a"),
    ];
    pairs.extend(
        headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
    );
    bench.env(|env| exchange.request_headers(Headers::new(&pairs), false, Outside::default(), env))
}

#[test]
fn nothing_is_kept_unless_policy_says_so() {
    let named = [("x-tollgate-conversation", "not even/looked at")];
    assert_eq!(exchanged(&config(&json!({})), &named, CHAT, &[ANSWER]), None);
    let other = config(&json!({"conversations": [{"match": {"models": ["o3"]}}]}));
    assert_eq!(exchanged(&other, &[], CHAT, &[ANSWER]), None);
}

#[test]
fn what_was_said_is_kept_under_the_clients_name_for_it() {
    let named = [
        ("x-tollgate-conversation", "thread-1"),
        ("x-tollgate-session", "s"),
    ];
    let said = exchanged(&kept(), &named, CHAT, &[ANSWER]).unwrap();
    assert_eq!(
        (said.conversation.as_deref(), said.session.as_deref()),
        (Some("thread-1"), Some("s"))
    );
    assert_eq!((said.workspace.as_str(), said.status), ("a", 200));
    assert_eq!(
        (said.prompt[0].text.as_str(), said.answer[0].text.as_str()),
        ("Hello", "Hi")
    );
}

#[test]
fn a_stream_is_kept_as_the_text_that_it_is() {
    let (_, provider) = stream();
    let chunks: Vec<&[u8]> = provider.chunks(11).collect();
    let said = exchanged(&kept(), &[], STREAM, &chunks).unwrap();
    assert_eq!(said.conversation, None);
    assert_eq!((said.answer.len(), said.answer[0].text.as_str()), (1, "grün日本"));
}

#[test]
fn a_name_that_is_none_is_refused_and_never_sent_on() {
    for name in ["", "a b", "a/b", "é", &"a".repeat(129)] {
        let mut bench = Bench::new(&kept());
        let mut exchange = bench.exchange();
        let Step::Refuse(reply) = open(&mut bench, &mut exchange, &[("x-tollgate-conversation", name)])
        else {
            panic!("{name:?}")
        };
        assert_eq!(reply.status, 400);
        assert!(
            String::from_utf8(reply.body)
                .unwrap()
                .contains("x-tollgate-conversation")
        );
    }
    let twice = [("x-tollgate-conversation", "a"), ("x-tollgate-conversation", "b")];
    let mut bench = Bench::new(&kept());
    let mut exchange = bench.exchange();
    assert!(matches!(open(&mut bench, &mut exchange, &twice), Step::Refuse(_)));
}

#[test]
fn an_exchange_that_never_reached_the_provider_has_said_nothing() {
    let mut bench = Bench::new(&kept());
    let mut exchange = bench.exchange();
    let unknown = br#"{"model":"gpt-4o-mini","messages":"Hello"}"#;
    assert_eq!(
        bench.send(&mut exchange, "/v1/chat/completions", unknown),
        Ended::Refused(400)
    );
    assert_eq!(bench.finish(&mut exchange, Some(400)).said, None);
}

#[test]
fn texts_are_kept_as_moderation_let_them_pass() {
    let moderated = config(&json!({
        "conversations": [{}],
        "moderation": [{"policy": "p", "output": true}],
    }));
    let judged = |action: &str, text: &str| {
        json!({"action": action, "categories": ["pii"], "texts": [text]}).to_string()
    };
    for (action, expected) in [("redact", Some("[ANSWER]")), ("block", None)] {
        let mut bench = Bench::new(&moderated);
        let mut exchange = bench.exchange();
        open(&mut bench, &mut exchange, &[]);
        exchange.request_data(CHAT.len(), true);
        let Step::Ask(_) = bench.env(|env| exchange.request_body(CHAT, env)) else {
            panic!()
        };
        let verdict = judged("redact", "[PROMPT]");
        let answer = |verdict: &str, bench: &mut Bench, exchange: &mut Exchange| {
            let body = verdict.as_bytes();
            bench.env(|env| exchange.answered(Answer::Answered { status: 200, body }, env))
        };
        assert_eq!(answer(&verdict, &mut bench, &mut exchange), Step::ReadBody);
        assert!(matches!(
            bench.env(|env| exchange.request_body(CHAT, env)),
            Step::Release(_)
        ));
        let pairs: &[(&[u8], &[u8])] = &[(b":status", b"200"), (b"content-type", b"application/json")];
        exchange.response_headers(Headers::new(pairs), false);
        assert_eq!(
            bench.env(|env| exchange.response_data(ANSWER, true, env)),
            Step::ReadBody
        );
        assert!(matches!(exchange.response_body(ANSWER), Step::Ask(_)));
        let verdict = judged(action, "[ANSWER]");
        if answer(&verdict, &mut bench, &mut exchange) == Step::ReadBody {
            assert!(matches!(exchange.response_body(ANSWER), Step::Release(_)));
        }
        let said = bench.finish(&mut exchange, None).said.unwrap();
        assert_eq!(said.prompt[0].text, "[PROMPT]");
        let found = said.answer.iter().find(|part| part.kind == TextKind::Text);
        assert_eq!(found.map(|part| part.text.as_str()), expected, "{action}");
    }
}
