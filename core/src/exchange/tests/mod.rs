//! Whole exchanges without a host: values in, steps out.

mod budgets;
mod conversations;
mod downgrade;
mod rewrites;

use std::rc::Rc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::cells::MemoryCells;
use crate::config;
use crate::headers::Headers;
use crate::key::KeyHash;

const CHAT: &[u8] = br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}"#;
const STREAM: &[u8] =
    br#"{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;
const ANSWER: &[u8] = br#"{"model":"gpt-4o-mini-2024-07-18","choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;

/// One worker and one exchange in it.
struct Bench {
    cells: MemoryCells,
    journal: Writer,
    money: Money,
    config: Rc<Config>,
    now: UnixNanos,
    drawn: u8,
}

/// How an exchange went on.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Refused(u16),
    Released { body: Vec<u8> },
}

impl Bench {
    /// A worker that has heard that there are no budgets.
    fn new(config: &Value) -> Self {
        let mut bench = Self::with_budgets(config);
        bench.money.purse().learn_version(&bench.cells, 0).unwrap();
        bench.money.tick(&bench.cells);
        bench
    }

    /// A worker that has heard nothing of budgets yet.
    fn with_budgets(config: &Value) -> Self {
        let config = config::parse(config.to_string().as_bytes()).unwrap();
        Self {
            cells: MemoryCells::new(),
            journal: Writer::new([1; 16], 100),
            money: Money::new(&config.budgets, [1; 16]),
            config: Rc::new(config),
            now: UnixNanos(1_000_000_000_000_000_000),
            drawn: 0,
        }
    }

    fn exchange(&mut self) -> Exchange {
        self.drawn += 1;
        Exchange::new(
            Rc::clone(&self.config),
            Ids::new(self.now, [self.drawn; 16]),
            self.now,
        )
    }

    fn env<T>(&mut self, act: impl FnOnce(&mut Env<'_>) -> T) -> T {
        self.now.0 += 1_000_000;
        act(&mut Env {
            now: self.now,
            cells: &self.cells,
            journal: &mut self.journal,
            money: &mut self.money,
        })
    }

    fn headers(&mut self, exchange: &mut Exchange, path: &str) -> Step {
        let pairs: &[(&[u8], &[u8])] = &[
            (b":method", b"POST"),
            (b":path", path.as_bytes()),
            (b"authorization", b"Bearer tg_test_a"),
        ];
        self.env(|env| exchange.request_headers(Headers::new(pairs), false, Outside::default(), env))
    }

    /// Sends a request with its body in two parts.
    fn send(&mut self, exchange: &mut Exchange, path: &str, body: &[u8]) -> Ended {
        let step = self.headers(exchange, path);
        if let Step::Refuse(reply) = step {
            return Ended::Refused(reply.status);
        }
        assert_eq!(step, Step::Hold);
        assert_eq!(exchange.request_data(body.len() / 2, false), Step::Hold);
        assert_eq!(exchange.request_data(body.len(), true), Step::ReadBody);
        match self.env(|env| exchange.request_body(body, env)) {
            Step::Refuse(reply) => Ended::Refused(reply.status),
            Step::Release(release) => Ended::Released {
                body: release.body.unwrap_or_else(|| body.to_vec()),
            },
            other => panic!("{other:?}"),
        }
    }

    /// Passes an answer through in the given chunks; what the client gets.
    fn answer(&mut self, exchange: &mut Exchange, kind: &str, chunks: &[&[u8]]) -> Vec<u8> {
        let pairs: &[(&[u8], &[u8])] = &[(b":status", b"200"), (b"content-type", kind.as_bytes())];
        let step = exchange.response_headers(Headers::new(pairs), false);
        let mut held = matches!(step, Step::Hold);
        let mut out = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            let end = index + 1 == chunks.len();
            match self.env(|env| exchange.response_data(chunk, end, env)) {
                Step::Pass => out.extend_from_slice(chunk),
                Step::Replace(bytes) => out.extend(bytes),
                Step::Hold => {
                    assert!(held, "a stream is never held");
                    out.extend_from_slice(chunk);
                }
                Step::Release(release) => {
                    held = false;
                    out.extend_from_slice(chunk);
                    assert_eq!(release.body, None);
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(!held, "the answer was never let go");
        out
    }

    fn finish(&mut self, exchange: &mut Exchange, status: Option<u16>) -> Finished {
        let closing = Closing {
            status,
            details: None,
        };
        let finished = self.env(|env| exchange.finish(&closing, env)).unwrap();
        assert!(
            self.env(|env| exchange.finish(&closing, env)).is_none(),
            "it settles exactly once"
        );
        finished
    }

    /// The events that the sidecar would get now.
    fn events(&mut self) -> Vec<Value> {
        let Some(batch) = self.env(|env| env.journal.tick(env.cells, env.now)) else {
            return Vec::new();
        };
        self.env(|env| env.journal.sent());
        let body: Value = serde_json::from_slice(&batch.body).unwrap();
        body["events"].as_array().unwrap().clone()
    }
}

fn config(more: &Value) -> Value {
    let mut config = json!({
        "sidecar": {"cluster": "sidecar", "token": "t"},
        "keys": [{"id": "key_a", "workspace": "a", "sha256": KeyHash::of(b"tg_test_a").to_hex()}],
    });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    config
}

fn limited() -> Value {
    config(&json!({"limits": [
        {"name": "requests", "count": "requests", "amount": 2, "period": "1m", "per": ["key"]},
        {"name": "tokens", "count": "tokens", "amount": 5_000, "period": "1m", "per": ["workspace"]},
    ]}))
}

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

#[test]
fn an_alias_and_a_rule_change_the_body_and_nothing_else() {
    let mut bench = Bench::new(&config(&json!({
        "model_aliases": {"fast": "gpt-4o-mini"},
        "validation": [{"rules": {"max_output_tokens": 50, "over_max_output_tokens": "clamp"}}],
    })));
    let mut exchange = bench.exchange();
    let body =
        br#"{ "model" : "fast", "max_tokens": 900, "x": 1.50, "messages":[{"role":"user","content":"Hi"}] }"#;
    let Ended::Released { body } = bench.send(&mut exchange, "/v1/chat/completions", body) else {
        panic!()
    };
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{ "model" : "gpt-4o-mini", "max_tokens": 50, "x": 1.50, "messages":[{"role":"user","content":"Hi"}] }"#
    );
}

#[test]
fn a_changed_body_comes_with_its_length() {
    let mut bench = Bench::new(&config(&json!({})));
    let mut exchange = bench.exchange();
    bench.headers(&mut exchange, "/v1/chat/completions");
    exchange.request_data(STREAM.len(), true);
    let Step::Release(release) = bench.env(|env| exchange.request_body(STREAM, env)) else {
        panic!()
    };
    let length = release.body.unwrap().len().to_string();
    assert!(
        release
            .headers
            .contains(&crate::headers::HeaderOp::Set("content-length".into(), length))
    );
    assert!(
        release
            .headers
            .contains(&crate::headers::HeaderOp::Remove("authorization".to_owned()))
    );
}

/// The chunks of a stream that a client which did not ask for usage gets, and those that the provider sends.
fn stream() -> (Vec<u8>, Vec<u8>) {
    let delta = |text: &str| format!("data: {}\n\n", json!({"choices":[{"delta":{"content":text}}]}));
    let usage = json!({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}});
    let start = format!("{}{}", delta("grün"), delta("日本"));
    let client = format!("{start}data: [DONE]\n\n");
    let provider = format!("{start}data: {usage}\n\ndata: [DONE]\n\n");
    (client.into_bytes(), provider.into_bytes())
}

proptest! {
    /// Wherever the network cuts a stream, the client gets the same bytes and the ledger the same usage.
    #[test]
    fn no_chunk_boundary_matters(cuts in proptest::collection::btree_set(1_usize..200, 0..12)) {
        let (expected, provider) = stream();
        let mut chunks = Vec::new();
        let mut rest = provider.as_slice();
        let mut at = 0;
        for cut in cuts.into_iter().filter(|cut| *cut < provider.len()) {
            let (chunk, behind) = rest.split_at(cut - at);
            chunks.push(chunk);
            (rest, at) = (behind, cut);
        }
        chunks.push(rest);
        let mut bench = Bench::new(&config(&json!({})));
        let mut exchange = bench.exchange();
        bench.send(&mut exchange, "/v1/chat/completions", STREAM);
        prop_assert_eq!(bench.answer(&mut exchange, "text/event-stream", &chunks), expected);
        let event = bench.finish(&mut exchange, Some(200)).event;
        prop_assert_eq!((event.usage.input_tokens, event.usage.output_tokens), (9, 3));
        prop_assert_eq!(event.response_bytes, provider.len() as u64);
    }

    /// Nothing that a client sends panics, and whatever it sends ends in one event.
    #[test]
    fn no_request_panics(
        path in "(/v1)?/(chat/completions|messages|responses|models/x:generateContent|x)",
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), Just(CHAT.to_vec())],
    ) {
        let mut bench = Bench::new(&limited());
        let mut exchange = bench.exchange();
        bench.send(&mut exchange, &path, &body);
        bench.finish(&mut exchange, None);
        prop_assert_eq!(bench.events().len(), 1);
    }
}
