//! What one exchange costs in `core`, stage by stage, natively and with cells in memory: what is added to it in
//! Envoy is the host's part.

#![expect(clippy::unwrap_used, reason = "a benchmark: what fails shall stop it")]

use std::hint::black_box;
use std::rc::Rc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use tollgate_core::cells::MemoryCells;
use tollgate_core::config::{self, Config};
use tollgate_core::dialect;
use tollgate_core::exchange::{Closing, Env, Exchange, Ids, Money, Outside, Step};
use tollgate_core::headers::Headers;
use tollgate_core::journal::Writer;
use tollgate_core::key::KeyHash;
use tollgate_core::policy::Paused;
use tollgate_core::time::UnixNanos;

const KEY: &str = "tg_test_benchbenchbenchbenchbenchbench01";
const ANSWER: &[u8] = br#"{"id":"chatcmpl-bench","object":"chat.completion","created":1761955200,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"The answer is forty-two, more or less.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":412,"completion_tokens":250,"total_tokens":662,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}},"service_tier":"default"}"#;

/// One worker.
struct Gateway {
    config: Rc<Config>,
    cells: MemoryCells,
    journal: Writer,
    money: Money,
    now: UnixNanos,
    drawn: u64,
}

impl Gateway {
    /// A worker with a static key, limits of every kind in four scopes, validation and the journal.
    fn new() -> Self {
        // What the comparison runs with, too.
        let mut config: Value = serde_json::from_str(include_str!("../everything.json")).unwrap();
        let own = json!({
            "gateway_id": "bench",
            "sidecar": {"cluster": "sidecar", "token": "token"},
            "keys": [{"id": "key_bench", "sha256": KeyHash::of(KEY.as_bytes()).to_hex(), "workspace": "bench",
                      "user": "user"}],
            "journal": {"max_events_per_worker": 1_000},
        });
        config
            .as_object_mut()
            .unwrap()
            .extend(own.as_object().unwrap().clone());
        let config = Rc::new(config::parse(config.to_string().as_bytes()).unwrap());
        let mut money = Money::new(&config.budgets, [1; 16]);
        let cells = MemoryCells::new();
        money.purse().learn_version(&cells, 0).unwrap();
        money.tick(&cells);
        Self {
            journal: Writer::new([1; 16], config.max_events_per_worker),
            money,
            cells,
            config,
            now: UnixNanos(1_000_000_000_000_000_000),
            drawn: 0,
        }
    }

    fn env<T>(&mut self, act: impl FnOnce(&mut Env<'_>) -> T) -> T {
        self.now.0 += 10_000;
        act(&mut Env {
            now: self.now,
            cells: &self.cells,
            journal: &mut self.journal,
            money: &mut self.money,
            paused: &Paused::default(),
        })
    }

    fn headers(&mut self) -> Exchange {
        self.drawn += 1;
        let mut entropy = [0; 16];
        entropy[..8].copy_from_slice(&self.drawn.to_le_bytes());
        let mut exchange = Exchange::new(Rc::clone(&self.config), Ids::new(self.now, entropy), self.now);
        let bearer = format!("Bearer {KEY}");
        let pairs: &[(&[u8], &[u8])] = &[
            (b":authority", b"bench.local"),
            (b":path", b"/v1/chat/completions"),
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b"content-type", b"application/json"),
            (b"user-agent", b"bench"),
            (b"authorization", bearer.as_bytes()),
            (b"content-length", b"2048"),
            (b"x-forwarded-proto", b"http"),
            (b"x-request-id", b"4b1d5a0f-8a2a-4f5e-9a46-5e1dd6b6a1b5"),
        ];
        let step =
            self.env(|env| exchange.request_headers(Headers::new(pairs), false, Outside::default(), env));
        assert_eq!(step, Step::Hold);
        exchange
    }

    fn body(&mut self, exchange: &mut Exchange, body: &[u8]) {
        assert_eq!(exchange.request_data(body.len(), true), Step::ReadBody);
        let step = self.env(|env| exchange.request_body(body, env));
        assert!(matches!(step, Step::Release(_)), "{step:?}");
    }

    fn answer(&mut self, exchange: &mut Exchange) {
        let pairs: &[(&[u8], &[u8])] = &[(b":status", b"200"), (b"content-type", b"application/json")];
        black_box(exchange.response_headers(Headers::new(pairs), false));
        black_box(self.env(|env| exchange.response_data(ANSWER, true, env)));
    }

    fn finish(&mut self, exchange: &mut Exchange) {
        let closing = Closing {
            status: Some(200),
            details: None,
        };
        black_box(self.env(|env| exchange.finish(&closing, env))).unwrap();
    }

    /// Sends the events away, as a tick does.
    fn flush(&mut self) {
        if self.journal.pending() > 500 {
            self.env(|env| black_box(env.journal.tick(env.cells, env.now)));
            self.env(|env| env.journal.sent());
        }
    }
}

/// A chat of about so many bytes.
fn prompt(bytes: usize) -> Vec<u8> {
    let text = include_str!("../../docs/how-it-works.md");
    let text: String = text.chars().cycle().take(bytes.saturating_sub(160)).collect();
    let request = json!({"model": "gpt-4o-mini", "max_tokens": 256, "temperature": 0.7, "messages": [
        {"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": text},
    ]});
    serde_json::to_vec(&request).unwrap()
}

fn stages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exchange");
    let mut gateway = Gateway::new();
    let body = prompt(2_048);
    group.bench_function("all", |bencher| {
        bencher.iter(|| {
            let mut exchange = gateway.headers();
            gateway.body(&mut exchange, &body);
            gateway.answer(&mut exchange);
            gateway.finish(&mut exchange);
            gateway.flush();
        });
    });
    group.bench_function("headers", |bencher| {
        bencher.iter_with_large_drop(|| gateway.headers());
    });
    let gateway = std::cell::RefCell::new(gateway);
    let released = || {
        let mut gateway = gateway.borrow_mut();
        let mut exchange = gateway.headers();
        gateway.body(&mut exchange, &body);
        exchange
    };
    group.bench_function("body", |bencher| {
        bencher.iter_batched(
            || gateway.borrow_mut().headers(),
            |mut exchange| {
                let mut gateway = gateway.borrow_mut();
                gateway.body(&mut exchange, &body);
                gateway.finish(&mut exchange);
                gateway.flush();
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("answer", |bencher| {
        bencher.iter_batched(
            released,
            |mut exchange| {
                let mut gateway = gateway.borrow_mut();
                gateway.answer(&mut exchange);
                gateway.finish(&mut exchange);
                gateway.flush();
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parts");
    for bytes in [2_048, 10_240] {
        let body = prompt(bytes);
        let endpoint = dialect::classify(b"POST", b"/v1/chat/completions").unwrap();
        group.bench_function(format!("parse {bytes} B"), |bencher| {
            bencher.iter(|| black_box(dialect::parse(&endpoint, black_box(&body)).unwrap()));
        });
        let request = dialect::parse(&endpoint, &body).unwrap();
        group.bench_function(format!("count tokens {bytes} B"), |bencher| {
            bencher.iter(|| {
                let counter = tollgate_tokens::Counter::for_model("gpt-4o-mini", usize::MAX);
                let count = |text: &str| counter.count(text).tokens;
                black_box(dialect::prompt_tokens::count_prompt(
                    &request,
                    "gpt-4o-mini",
                    &count,
                ))
            });
        });
    }
    group.bench_function("hash a key", |bencher| {
        bencher.iter(|| black_box(KeyHash::of(black_box(KEY.as_bytes()))));
    });
    group.finish();
}

criterion_group!(benches, stages, parts);
criterion_main!(benches);
