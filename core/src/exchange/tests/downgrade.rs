//! A cheaper model while a budget runs low.

use serde_json::{Value, json};

use super::budgets::granted;
use super::*;

const DEAR: &[u8] = br#"{"model":"gpt-4o","max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}"#;
const DOLLAR: u64 = 1_000_000_000;

fn downgrading() -> Value {
    config(&json!({"budgets": {"downgrades": [
        {"below_percent": 40, "models": {"gpt-4o": "gpt-4o-mini"}},
        {"below_percent": 20, "models": {"gpt-4o": "gpt-4.1-nano"}},
    ]}}))
}

/// The model that the provider is asked for when so much of a dollar is spent, by a request that asks the ledger
/// and by one with the lease in hand; and the exchange of the latter.
fn asked_for(bench: &mut Bench, spent: u64) -> (Value, Value, Exchange) {
    let model = |ended: Ended| {
        let Ended::Released { body } = ended else {
            panic!("{ended:?}")
        };
        serde_json::from_slice::<Value>(&body).unwrap()["model"].clone()
    };
    let answer = granted(DOLLAR, spent, DOLLAR / 20);
    let mut first = bench.exchange();
    let (_, ended) = send_reconsidered(bench, &mut first, &answer);
    let asking = model(ended);
    let mut second = bench.exchange();
    let ended = bench.send(&mut second, "/v1/chat/completions", DEAR);
    (asking, model(ended), second)
}

/// Sends a request that asks the ledger, and asks it again for the model that stands in.
fn send_reconsidered(bench: &mut Bench, exchange: &mut Exchange, answer: &Value) -> (u32, Ended) {
    bench.headers(exchange, "/v1/chat/completions");
    assert_eq!(exchange.request_data(DEAR.len(), true), Step::ReadBody);
    let text = answer.to_string();
    let mut step = bench.env(|env| exchange.request_body(DEAR, env));
    let mut asked = 0;
    loop {
        step = match step {
            Step::Ask(Ask::Lease(_)) => {
                asked += 1;
                let body = text.as_bytes();
                bench.env(|env| exchange.answered(Answer::Answered { status: 200, body }, env))
            }
            Step::ReadBody => bench.env(|env| exchange.request_body(DEAR, env)),
            Step::Release(release) => {
                let body = release.body.unwrap_or_else(|| DEAR.to_vec());
                return (asked, Ended::Released { body });
            }
            other => panic!("{other:?}"),
        };
    }
}

#[test]
fn the_model_follows_what_is_left() {
    for (spent, expected) in [
        (0, "gpt-4o"),
        (DOLLAR * 60 / 100, "gpt-4o"),
        (DOLLAR * 61 / 100, "gpt-4o-mini"),
        (DOLLAR * 81 / 100, "gpt-4.1-nano"),
    ] {
        let mut bench = Bench::with_budgets(&downgrading());
        let (asking, with_lease, _) = asked_for(&mut bench, spent);
        assert_eq!(
            (&asking, &with_lease),
            (&json!(expected), &json!(expected)),
            "{spent}"
        );
    }
}

#[test]
fn the_client_and_the_event_are_told() {
    let mut bench = Bench::with_budgets(&downgrading());
    let (_, _, mut exchange) = asked_for(&mut bench, DOLLAR * 85 / 100);
    let pairs: &[(&[u8], &[u8])] = &[(b":status", b"200"), (b"content-type", b"text/plain")];
    let Step::Release(release) = exchange.response_headers(Headers::new(pairs), false) else {
        panic!()
    };
    let warnings: Vec<&str> = release
        .headers
        .iter()
        .filter_map(|op| match op {
            crate::headers::HeaderOp::Add(name, value) if name == "x-tollgate-warning" => {
                std::str::from_utf8(value).ok()
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        warnings,
        ["model gpt-4o replaced by gpt-4.1-nano: a budget runs low; budget month is over 80 % used"]
    );
    bench.env(|env| exchange.response_data(ANSWER, true, env));
    let event = bench.finish(&mut exchange, Some(200)).event;
    assert_eq!(event.request_model.as_deref(), Some("gpt-4o"));
    assert_eq!(event.downgraded_model.as_deref(), Some("gpt-4.1-nano"));
}

#[test]
fn it_is_charged_at_the_price_of_the_model_that_answered() {
    let mut bench = Bench::with_budgets(&downgrading());
    let (_, _, mut cheap) = asked_for(&mut bench, DOLLAR * 85 / 100);
    bench.answer(&mut cheap, "application/json", &[ANSWER]);
    let cheap = bench.finish(&mut cheap, Some(200)).event;
    let mut bench = Bench::with_budgets(&downgrading());
    let (_, _, mut dear) = asked_for(&mut bench, 0);
    bench.answer(&mut dear, "application/json", &[ANSWER]);
    let dear = bench.finish(&mut dear, Some(200)).event;
    assert_eq!(cheap.usage, dear.usage);
    assert!(cheap.cost_nanousd.0 > 0 && cheap.cost_nanousd.0 * 10 < dear.cost_nanousd.0);
}

#[test]
fn a_key_that_may_not_call_the_cheaper_model_keeps_its_own() {
    let mut config = downgrading();
    config["keys"][0]["models"] = json!(["gpt-4o", "gpt-4.1-nano"]);
    let mut bench = Bench::with_budgets(&config);
    let (asking, with_lease, exchange) = asked_for(&mut bench, DOLLAR * 70 / 100);
    assert_eq!((asking, with_lease), (json!("gpt-4o"), json!("gpt-4o")));
    assert_eq!(exchange.downgraded, None);
}

#[test]
fn a_request_that_is_decided_anew_takes_its_limits_once() {
    let mut config = downgrading();
    config["limits"] = json!([
        {"name": "requests", "count": "requests", "amount": 2, "period": "1m", "per": ["key"]},
    ]);
    let mut bench = Bench::with_budgets(&config);
    // Two requests, the first of them decided twice: a limit of two pays for both.
    let (asking, with_lease, _) = asked_for(&mut bench, DOLLAR * 70 / 100);
    assert_eq!((asking, with_lease), (json!("gpt-4o-mini"), json!("gpt-4o-mini")));
    let mut third = bench.exchange();
    assert_eq!(
        bench.send(&mut third, "/v1/chat/completions", DEAR),
        Ended::Refused(429)
    );
}
