//! Whole exchanges without a host: values in, steps out.

mod budgets;
mod chunks;
mod conversations;
mod downgrade;
mod life;
mod rewrites;
mod tiers;

use std::rc::Rc;

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
    paused: Paused,
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
            paused: Paused::default(),
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
            paused: &self.paused,
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

/// The chunks of a stream that a client which did not ask for usage gets, and those that the provider sends.
fn stream() -> (Vec<u8>, Vec<u8>) {
    let delta = |text: &str| format!("data: {}\n\n", json!({"choices":[{"delta":{"content":text}}]}));
    let usage = json!({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}});
    let start = format!("{}{}", delta("grün"), delta("日本"));
    let client = format!("{start}data: [DONE]\n\n");
    let provider = format!("{start}data: {usage}\n\ndata: [DONE]\n\n");
    (client.into_bytes(), provider.into_bytes())
}
