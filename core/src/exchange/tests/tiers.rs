//! Service tiers: what is reserved for the one that a request asks for, and what the one that served it costs.

use serde_json::{Value, json};

use super::budgets::{granted, send_asking};
use super::*;

/// gpt-4o: input and output in nano-dollars a token, by standard and by priority.
const STANDARD: (u64, u64) = (2_500, 10_000);
const PRIORITY: (u64, u64) = (4_250, 17_000);

fn cost((input, output): (u64, u64)) -> u64 {
    9 * input + 2 * output
}

fn asking(tier: &Value) -> Vec<u8> {
    let mut body =
        json!({"model": "gpt-4o", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]});
    if !tier.is_null() {
        body["service_tier"] = tier.clone();
    }
    body.to_string().into_bytes()
}

fn told(tier: &Value) -> Vec<u8> {
    let answer = json!({
        "model": "gpt-4o", "choices": [{"message": {"content": "Hi"}}], "service_tier": tier,
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    });
    answer.to_string().into_bytes()
}

#[test]
fn an_exchange_costs_what_the_tier_costs_that_served_it() {
    for (asked, answered, rates) in [
        (json!(null), json!(null), STANDARD),
        (json!(null), json!("priority"), PRIORITY),
        (json!("auto"), json!("priority"), PRIORITY),
        (json!("auto"), json!("default"), STANDARD),
        (json!("priority"), json!("priority"), PRIORITY),
        (json!("priority"), json!("default"), STANDARD),
        // The answer does not tell: what was asked for holds.
        (json!("priority"), json!(null), PRIORITY),
        (json!("fast"), json!("auto"), PRIORITY),
        // It has no rates of its own here.
        (json!("flex"), json!("flex"), STANDARD),
        (json!("scale"), json!("scale"), STANDARD),
        (json!({"odd": 1}), json!(7), STANDARD),
    ] {
        let mut bench = Bench::new(&config(&json!({})));
        let mut exchange = bench.exchange();
        let body = asking(&asked);
        let sent = bench.send(&mut exchange, "/v1/chat/completions", &body);
        assert_eq!(sent, Ended::Released { body }, "it goes on as it came");
        bench.answer(&mut exchange, "application/json", &[&told(&answered)]);
        let event = bench.finish(&mut exchange, Some(200)).event;
        assert_eq!(event.cost_nanousd.0, cost(rates), "{asked} {answered}");
    }
}

#[test]
fn the_header_names_the_cost_of_the_tier_and_the_event_names_the_tiers() {
    let mut bench = Bench::new(&config(&json!({})));
    let mut exchange = bench.exchange();
    bench.send(&mut exchange, "/v1/chat/completions", &asking(&json!("auto")));
    let pairs: &[(&[u8], &[u8])] = &[(b":status", b"200"), (b"content-type", b"application/json")];
    exchange.response_headers(Headers::new(pairs), false);
    let step = bench.env(|env| exchange.response_data(&told(&json!("priority")), true, env));
    let Step::Release(release) = step else { panic!() };
    let mut costs = release.headers.iter().filter_map(|op| match op {
        crate::headers::HeaderOp::Add(name, value) if name == "x-tollgate-cost" => Some(value.clone()),
        _ => None,
    });
    bench.finish(&mut exchange, Some(200));
    let event = &bench.events()[0];
    assert_eq!(event["cost_nanousd"], cost(PRIORITY));
    let shown = crate::money::NanoUsd(cost(PRIORITY)).text().into_bytes();
    assert_eq!(costs.next(), Some(shown));
    assert_eq!(event["request_service_tier"], "auto");
    assert_eq!(event["response_service_tier"], "priority");
}

#[test]
fn a_stream_tells_its_tier_in_any_of_its_events() {
    let mut bench = Bench::new(&config(&json!({})));
    let mut exchange = bench.exchange();
    let mut body: Value = serde_json::from_slice(&asking(&json!("auto"))).unwrap();
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    bench.send(&mut exchange, "/v1/chat/completions", body.to_string().as_bytes());
    let delta = json!({"service_tier": "priority", "choices": [{"delta": {"content": "Hi"}}]});
    let usage =
        json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}});
    let stream = format!("data: {delta}\n\ndata: {usage}\n\ndata: [DONE]\n\n");
    bench.answer(&mut exchange, "text/event-stream", &[stream.as_bytes()]);
    let event = bench.finish(&mut exchange, Some(200)).event;
    assert_eq!(event.cost_nanousd.0, cost(PRIORITY));
}

#[test]
fn what_is_reserved_is_enough_for_the_tier_that_is_asked_for() {
    let reserved = |tier: &Value| {
        let mut bench = Bench::with_budgets(&config(&json!({})));
        let mut exchange = bench.exchange();
        let (ask, ended) = send_asking(
            &mut bench,
            &mut exchange,
            &asking(tier),
            Some(&granted(1_000_000_000, 0, 500_000_000)),
        );
        assert!(matches!(ended, Ended::Released { .. }));
        bench.answer(&mut exchange, "application/json", &[&told(tier)]);
        let event = bench.finish(&mut exchange, Some(200)).event;
        assert_eq!(event.charges[0].reserved, ask.need.usd.0);
        assert_eq!(event.charges[0].charged, event.cost_nanousd.0);
        ask.need.usd.0
    };
    let standard = reserved(&json!(null));
    for tier in ["auto", "default", "flex", "scale"] {
        assert_eq!(reserved(&json!(tier)), standard, "{tier}");
    }
    // Nobody knows what the last ones mean: they may mean the dearest.
    for tier in [json!("priority"), json!("fast"), json!("someday"), json!(3)] {
        assert_eq!(reserved(&tier) * STANDARD.0, standard * PRIORITY.0, "{tier}");
    }
}

#[test]
fn a_request_whose_worker_is_lost_costs_what_it_asked_for() {
    let mut bench = Bench::new(&config(&json!({})));
    let lost = |bench: &mut Bench, tier: &Value| {
        let mut exchange = bench.exchange();
        bench.send(&mut exchange, "/v1/chat/completions", &asking(tier));
        let Phase::Released(released) = &exchange.phase else {
            panic!()
        };
        released.open.as_ref().unwrap().event.cost_nanousd.0
    };
    let standard = lost(&mut bench, &json!(null));
    let priority = lost(&mut bench, &json!("priority"));
    assert_eq!(priority * STANDARD.0, standard * PRIORITY.0);
}

#[test]
fn vertex_ai_is_asked_for_a_tier_in_a_header() {
    const PATH: &[u8] =
        b"/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-pro:generateContent";
    const BODY: &[u8] = br#"{"contents":{"parts":{"text":"Hello"}}}"#;
    let asked = |path: &[u8], tiers: &[&[u8]]| {
        let mut bench = Bench::new(&config(&json!({})));
        let mut exchange = bench.exchange();
        let mut pairs: Vec<(&[u8], &[u8])> = vec![
            (b":method", b"POST"),
            (b":path", path),
            (b"authorization", b"Bearer tg_test_a"),
        ];
        pairs.extend(
            tiers
                .iter()
                .map(|tier| (&b"x-vertex-ai-llm-shared-request-type"[..], *tier)),
        );
        bench.env(|env| exchange.request_headers(Headers::new(&pairs), false, Outside::default(), env));
        assert_eq!(exchange.request_data(BODY.len(), true), Step::ReadBody);
        let step = bench.env(|env| exchange.request_body(BODY, env));
        assert!(matches!(step, Step::Release(_)));
        bench.finish(&mut exchange, None).event.request_service_tier
    };
    assert_eq!(asked(PATH, &[b"priority"]), Some(ServiceTier::Priority));
    assert_eq!(asked(PATH, &[b"standard", b"priority"]), Some(ServiceTier::Other));
    assert_eq!(asked(PATH, &[b"standard, priority"]), Some(ServiceTier::Other));
    assert_eq!(asked(PATH, &[]), None);
    // Elsewhere nobody reads it.
    assert_eq!(
        asked(b"/v1beta/models/gemini-2.5-pro:generateContent", &[b"flex"]),
        None
    );
}
