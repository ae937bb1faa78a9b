//! The life of an exchange: what it takes, what comes back, and the one event that tells of it.

use super::*;
use crate::headers::HeaderOp;

#[test]
fn what_is_longer_than_is_counted_exactly_is_estimated() {
    let body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": " ".repeat(4_000)}]});
    let counted = |bodies: Value| {
        let mut bench = Bench::new(&config(&json!({"bodies": bodies})));
        let mut exchange = bench.exchange();
        bench.send(&mut exchange, "/v1/chat/completions", body.to_string().as_bytes());
        match &exchange.phase {
            Phase::Released(released) => released.prompt_tokens,
            _ => panic!("not released"),
        }
    };
    // 128 spaces are one token; where nothing is counted, four bytes are thought to be one.
    assert!(counted(json!({})) < 100);
    assert!(counted(json!({"exact_count_bytes": 0})) > 900);
}

#[test]
fn an_exchange_has_one_event_with_what_the_provider_reported() {
    let mut bench = Bench::new(&config(&json!({})));
    let mut exchange = bench.exchange();
    let sent = bench.send(&mut exchange, "/v1/chat/completions", CHAT);
    assert_eq!(sent, Ended::Released { body: CHAT.to_vec() });
    assert_eq!(bench.answer(&mut exchange, "application/json", &[ANSWER]), ANSWER);
    bench.finish(&mut exchange, Some(200));
    let events = bench.events();
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(
        (&event["input_tokens"], &event["output_tokens"]),
        (&json!(9), &json!(2))
    );
    assert_eq!(
        (&event["usage_status"], &event["status"]),
        (&json!("complete"), &json!(200))
    );
    assert_eq!(event["response_model"], "gpt-4o-mini-2024-07-18");
    assert_eq!(event["cost_nanousd"], 9 * 150 + 2 * 600);
}

#[test]
fn a_caller_who_is_paused_is_refused_whatever_configuration_the_exchange_began_with() {
    let mut bench = Bench::new(&config(&json!({})));
    let mut exchange = bench.exchange();
    bench.paused.workspaces.insert("a".to_owned());
    let sent = bench.send(&mut exchange, "/v1/chat/completions", CHAT);
    assert_eq!(sent, Ended::Refused(403));
    let event = bench.finish(&mut exchange, Some(403)).event;
    assert_eq!(event.error_code.as_deref(), Some("key_paused"));
    assert_eq!(event.workspace.as_deref(), Some("a"), "it says whose it is");
}

#[test]
fn a_refusal_burns_nothing() {
    let mut bench = Bench::new(&limited());
    let mut first = bench.exchange();
    bench.send(&mut first, "/v1/chat/completions", CHAT);
    let before = bench.cells.contents();
    let limits = |cells: &[(String, Vec<u8>)]| -> Vec<(String, Vec<u8>)> {
        cells
            .iter()
            .filter(|(key, _)| !key.contains("/j/"))
            .cloned()
            .collect()
    };
    let greedy =
        br#"{"model":"gpt-4o-mini","max_tokens":100000,"messages":[{"role":"user","content":"Hello"}]}"#;
    let mut second = bench.exchange();
    assert_eq!(
        bench.send(&mut second, "/v1/chat/completions", greedy),
        Ended::Refused(429)
    );
    assert_eq!(limits(&bench.cells.contents()), limits(&before));
    let mut third = bench.exchange();
    assert!(matches!(
        bench.send(&mut third, "/v1/chat/completions", CHAT),
        Ended::Released { .. }
    ));
    let mut fourth = bench.exchange();
    assert_eq!(
        bench.send(&mut fourth, "/v1/chat/completions", CHAT),
        Ended::Refused(429)
    );
}

#[test]
fn an_unmetered_request_that_cannot_be_let_go_takes_nothing_from_its_limits() {
    let mut bench = Bench::new(&limited());
    let pairs: &[(&[u8], &[u8])] = &[
        (b":method", b"GET"),
        (b":path", b"/v1/models"),
        (b"authorization", b"Bearer tg_test_a"),
    ];
    for _ in 0..3 {
        let mut exchange = bench.exchange();
        let step =
            bench.env(|env| exchange.request_headers(Headers::new(pairs), true, Outside::default(), env));
        assert!(matches!(step, Step::Release(_)), "{step:?}");
        let step = bench.env(|env| exchange.release_failed(env));
        assert!(matches!(step, Step::Refuse(_)), "{step:?}");
    }
}

#[test]
fn reserved_tokens_come_back_when_the_answer_used_fewer() {
    let mut bench = Bench::new(&limited());
    let body = br#"{"model":"gpt-4o-mini","max_tokens":4000,"messages":[{"role":"user","content":"Hello"}]}"#;
    for _ in 0..2 {
        let mut exchange = bench.exchange();
        assert!(matches!(
            bench.send(&mut exchange, "/v1/chat/completions", body),
            Ended::Released { .. }
        ));
        bench.answer(&mut exchange, "application/json", &[ANSWER]);
        bench.finish(&mut exchange, Some(200));
    }
}

#[test]
fn a_client_that_leaves_before_the_call_costs_nothing_and_after_it_its_prompt() {
    let mut bench = Bench::new(&config(&json!({})));
    let mut early = bench.exchange();
    assert_eq!(bench.headers(&mut early, "/v1/chat/completions"), Step::Hold);
    let event = bench.finish(&mut early, None).event;
    assert_eq!(
        (event.usage.input_tokens, event.error_code.as_deref()),
        (0, Some("client_closed"))
    );
    let mut late = bench.exchange();
    bench.send(&mut late, "/v1/chat/completions", CHAT);
    let closing = Closing {
        status: None,
        details: Some("downstream_remote_disconnect".into()),
    };
    let event = bench.env(|env| late.finish(&closing, env)).unwrap().event;
    assert!(event.usage.input_tokens > 0);
    assert_eq!(event.error_code.as_deref(), Some("client_closed"));
    assert_eq!(event.usage.status, crate::usage::UsageStatus::Estimated);
}

#[test]
fn a_failed_answer_costs_nothing() {
    let mut bench = Bench::new(&config(&json!({})));
    let mut exchange = bench.exchange();
    bench.send(&mut exchange, "/v1/chat/completions", CHAT);
    let pairs: &[(&[u8], &[u8])] = &[(b":status", b"500"), (b"content-type", b"application/json")];
    assert!(matches!(
        exchange.response_headers(Headers::new(pairs), false),
        Step::Release(_)
    ));
    bench.env(|env| exchange.response_data(br#"{"error":{}}"#, true, env));
    let event = bench.finish(&mut exchange, Some(500)).event;
    assert_eq!(
        (event.status, event.cost_nanousd),
        (500, crate::money::NanoUsd(0))
    );
}

const BACKGROUND: &[u8] =
    br#"{"model":"gpt-4o-mini","background":true,"input":"Hello","max_output_tokens":500}"#;
const QUEUED: &[u8] = br#"{"id":"resp_1","object":"response","background":true,"status":"queued","model":"gpt-4o-mini","output":[],"usage":null}"#;

#[test]
fn what_a_provider_goes_on_with_in_the_background_is_charged_at_its_reservation() {
    let mut bench = Bench::new(&config(&json!({})));
    let mut exchange = bench.exchange();
    bench.send(&mut exchange, "/v1/responses", BACKGROUND);
    bench.answer(&mut exchange, "application/json", &[QUEUED]);
    let event = bench.finish(&mut exchange, Some(200)).event;
    assert_eq!(
        (event.usage.output_tokens, event.usage.status),
        (500, crate::usage::UsageStatus::Estimated)
    );
    assert!(event.usage.input_tokens > 0);
}

#[test]
fn a_stream_of_the_background_is_charged_at_its_reservation_unless_its_end_was_seen() {
    let stream = [b"{\"stream\":true,", &BACKGROUND[1..]].concat();
    let begun = b"data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n".as_slice();
    let ended = b"data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":2}}}\n\n".as_slice();
    for (chunks, output) in [(vec![begun], 500), (vec![begun, ended], 2)] {
        let mut bench = Bench::new(&config(&json!({})));
        let mut exchange = bench.exchange();
        bench.send(&mut exchange, "/v1/responses", &stream);
        bench.answer(&mut exchange, "text/event-stream", &chunks);
        let event = bench.finish(&mut exchange, Some(200)).event;
        assert_eq!(event.usage.output_tokens, output);
    }
}

/// Sends a request that is answered with 504; how it ended, by what Envoy says of the answer.
fn timed_out(details: &'static str) -> Finished {
    let mut bench = Bench::new(&config(&json!({})));
    let mut exchange = bench.exchange();
    bench.send(&mut exchange, "/v1/chat/completions", CHAT);
    let pairs: &[(&[u8], &[u8])] = &[(b":status", b"504"), (b"content-type", b"text/plain")];
    let Step::Release(release) = exchange.response_headers(Headers::new(pairs), false) else {
        panic!("the answer is not held")
    };
    // Whose answer it is, and so what it costs, Envoy says at the end only.
    let tells_cost = |op: &HeaderOp| matches!(op, HeaderOp::Add(name, _) if name == "x-tollgate-cost");
    assert!(!release.headers.iter().any(tells_cost));
    bench.env(|env| exchange.response_data(b"upstream request timeout", true, env));
    assert!(exchange.needs_details());
    let closing = Closing {
        status: Some(504),
        details: Some(details.into()),
    };
    bench.env(|env| exchange.finish(&closing, env)).unwrap()
}

#[test]
fn a_prompt_that_the_provider_has_read_is_charged_though_envoy_did_not_wait_for_the_answer() {
    let event = timed_out("response_timeout").event;
    assert!(event.usage.input_tokens > 0 && event.cost_nanousd > crate::money::NanoUsd::ZERO);
    assert_eq!(
        (
            event.status,
            event.usage.output_tokens,
            event.error_code.as_deref()
        ),
        (504, 0, Some("upstream_timeout"))
    );
    assert_eq!(event.usage.status, crate::usage::UsageStatus::Estimated);
}

#[test]
fn a_timeout_that_the_provider_itself_answers_costs_nothing() {
    let event = timed_out("via_upstream").event;
    assert_eq!(
        (event.usage, event.error_code.as_deref()),
        (crate::usage::Usage::default(), None)
    );
}

#[test]
fn the_journal_holds_the_reservation_while_the_answer_is_awaited() {
    let mut bench = Bench::new(&config(&json!({})));
    let mut exchange = bench.exchange();
    bench.send(&mut exchange, "/v1/chat/completions", CHAT);
    assert_eq!(bench.journal.pending(), 1);
    let mut heir = Writer::new([2; 16], 100);
    let batch = (0..200).find_map(|_| heir.tick(&bench.cells, bench.now)).unwrap();
    let body: Value = serde_json::from_slice(&batch.body).unwrap();
    let lost = &body["events"][0];
    assert_eq!(
        (&lost["error_code"], &lost["usage_status"]),
        (&json!("worker_lost"), &json!("estimated"))
    );
    assert_eq!(lost["output_tokens"], 1_024, "charged at its reservation");
}
