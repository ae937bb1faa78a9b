//! Tokens and money: what the ledger says of every dialect, JSON and streamed, is what the provider served, at its
//! price.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tollgate_stack::Stack;
use tollgate_tests::shared::Shared;
use tollgate_tests::{Answer, chat, event, number, send};

/// Models of these tests' own catalogue: one a test, so that the mock counts them apart.
const MODELS: [&str; 3] = ["priced-by-dialect", "priced-by-part", "priced-by-guess"];
/// Their price, in nano-dollars a token: input, cached input, cache creation, output.
const PRICES: [u64; 4] = [1_000, 100, 1_250, 5_000];

async fn stack() -> Arc<Stack> {
    static SHARED: Shared = Shared::new();
    let prices = |config: &mut Value| {
        let price = json!({
            "input_cost_per_token": 1e-6, "cache_read_input_token_cost": 1e-7,
            "cache_creation_input_token_cost": 1.25e-6, "output_cost_per_token": 5e-6,
            "input_cost_per_token_priority": 2e-6, "output_cost_per_token_priority": 9e-6,
        });
        config["prices"] = json!({
            "catalogue": MODELS.map(|model| (model, price.clone())).into_iter().collect::<BTreeMap<_, _>>(),
            "unknown_model": {"price": {"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}},
        });
    };
    let started = SHARED.stack(|| Stack::builder().filter_config(prices));
    started.await.unwrap()
}

async fn ask(stack: &Stack, path: &str, fault: &str, body: &Value) -> Answer {
    let request = stack
        .http
        .post(format!("{}{path}", stack.gateway))
        .bearer_auth(stack.key("unlimited"));
    send(request.header("x-mock-fault", fault).json(body))
        .await
        .unwrap()
}

/// A call in every dialect that bears text, JSON and streamed: name, path, body.
fn calls(model: &str) -> Vec<(&'static str, String, Value)> {
    let text = "echo eins zwei drei";
    let messages = json!([{"role": "user", "content": text}]);
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": text}]}]});
    let gemini = |action: &str| format!("/v1beta/models/{model}:{action}");
    let path = str::to_owned;
    vec![
        (
            "chat_completions",
            path("/v1/chat/completions"),
            json!({"model": model, "messages": messages}),
        ),
        (
            "chat_completions",
            path("/v1/chat/completions"),
            json!({"model": model, "messages": messages, "stream": true}),
        ),
        (
            "chat_completions",
            path("/v1/chat/completions"),
            json!({"model": model, "messages": messages,
            "stream": true, "stream_options": {"include_usage": false}}),
        ),
        (
            "responses",
            path("/v1/responses"),
            json!({"model": model, "input": text}),
        ),
        (
            "responses",
            path("/v1/responses"),
            json!({"model": model, "input": text, "stream": true}),
        ),
        (
            "completions",
            path("/v1/completions"),
            json!({"model": model, "prompt": text}),
        ),
        (
            "completions",
            path("/v1/completions"),
            json!({"model": model, "prompt": text, "stream": true}),
        ),
        (
            "messages",
            path("/v1/messages"),
            json!({"model": model, "max_tokens": 50, "messages": messages}),
        ),
        (
            "messages",
            path("/v1/messages"),
            json!({"model": model, "max_tokens": 50, "messages": messages, "stream": true}),
        ),
        ("generate_content", gemini("generateContent"), contents.clone()),
        (
            "generate_content",
            gemini("streamGenerateContent?alt=sse"),
            contents.clone(),
        ),
        ("generate_content", gemini("streamGenerateContent"), contents),
    ]
}

/// What one model was served, by the mock's own count.
async fn served(stack: &Stack, model: &str) -> (u64, u64) {
    let served = stack.mock.served().await.unwrap();
    let totals = &served["models"][model];
    (number(totals, "input_tokens"), number(totals, "output_tokens"))
}

#[tokio::test]
async fn every_dialect_is_metered_as_the_provider_counted_and_priced_exactly() {
    let stack = stack().await;
    let [input_price, cached_price, creation_price, output_price] = PRICES;
    for (dialect, path, body) in calls(MODELS[0]) {
        let before = served(&stack, MODELS[0]).await;
        let answer = ask(&stack, &path, "cached=40, cache_creation=0, reasoning=5", &body).await;
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.text());
        let after = served(&stack, MODELS[0]).await;
        let event = event(&stack, &answer).await.unwrap();
        assert_eq!(
            (&event["dialect"], &event["usage_status"]),
            (&json!(dialect), &json!("complete")),
            "{event}"
        );
        let metered = (number(&event, "input_tokens"), number(&event, "output_tokens"));
        assert_eq!(metered, (after.0 - before.0, after.1 - before.1), "{path} {body}");
        let (cached, created) = (
            number(&event, "cached_input_tokens"),
            number(&event, "cache_creation_input_tokens"),
        );
        if dialect != "completions" {
            assert_eq!(cached, 40, "{path} {body}");
        }
        let fresh = metered.0 - cached - created;
        let cost =
            fresh * input_price + cached * cached_price + created * creation_price + metered.1 * output_price;
        assert_eq!(number(&event, "cost_nanousd"), cost, "{path} {event}");
        assert!(event["price_fallback"].as_bool() != Some(true), "{event}");
        assert!(number(&event, "response_bytes") > 0, "{event}");
        if answer.header("content-type").starts_with("application/json") && !path.contains("stream") {
            // Nano-dollars have nine places.
            assert_eq!(answer.header("x-tollgate-cost"), usd(cost), "{path}");
        }
    }
}

/// As a decimal of dollars, without zeros at its end.
fn usd(nano: u64) -> String {
    let text = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[tokio::test]
async fn what_anthropic_writes_into_its_cache_is_priced_as_that() {
    let stack = stack().await;
    let body =
        json!({"model": MODELS[1], "max_tokens": 20, "messages": [{"role": "user", "content": "echo a"}]});
    let answer = ask(&stack, "/v1/messages", "cache_creation=1000, cached=200", &body).await;
    let event = event(&stack, &answer).await.unwrap();
    let counts = ["cache_creation_input_tokens", "cached_input_tokens"].map(|name| number(&event, name));
    assert_eq!(counts, [1000, 200], "{event}");
    let fresh = number(&event, "input_tokens") - 1200;
    let [input_price, cached_price, creation_price, output_price] = PRICES;
    let cost = fresh * input_price
        + 200 * cached_price
        + 1000 * creation_price
        + number(&event, "output_tokens") * output_price;
    assert_eq!(number(&event, "cost_nanousd"), cost);
}

#[tokio::test]
async fn a_call_costs_what_its_service_tier_costs() {
    let stack = stack().await;
    for is_stream in [false, true] {
        let mut body = chat("echo a");
        body["model"] = json!(MODELS[1]);
        body["service_tier"] = json!("priority");
        body["stream"] = json!(is_stream);
        let answer = ask(&stack, "/v1/chat/completions", "", &body).await;
        let event = event(&stack, &answer).await.unwrap();
        let tiers = ["request_service_tier", "response_service_tier"].map(|name| event[name].clone());
        assert_eq!(tiers, ["priority", "priority"], "{event}");
        let cost = number(&event, "input_tokens") * 2_000 + number(&event, "output_tokens") * 9_000;
        assert_eq!(number(&event, "cost_nanousd"), cost, "{event}");
    }
}

#[tokio::test]
async fn embeddings_cost_their_input() {
    let stack = stack().await;
    let body = json!({"model": MODELS[1], "input": ["one", "two"]});
    let answer = ask(&stack, "/v1/embeddings", "", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let event = event(&stack, &answer).await.unwrap();
    let input = number(&answer.json()["usage"], "prompt_tokens");
    assert_eq!(
        (number(&event, "input_tokens"), number(&event, "output_tokens")),
        (input, 0)
    );
    assert_eq!(number(&event, "cost_nanousd"), input * PRICES[0]);
}

#[tokio::test]
async fn an_unknown_model_costs_the_fallback_and_is_marked() {
    let stack = stack().await;
    let mut body = chat("echo a");
    body["model"] = json!("nobody-has-priced-this");
    let answer = ask(&stack, "/v1/chat/completions", "", &body).await;
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(event["price_fallback"], true, "{event}");
    let cost = number(&event, "input_tokens") * 2_000 + number(&event, "output_tokens") * 8_000;
    assert_eq!(
        (number(&event, "cost_nanousd"), answer.header("x-tollgate-cost")),
        (cost, usd(cost).as_str())
    );
}

#[tokio::test]
async fn without_usage_in_the_answer_it_is_counted_and_marked_as_an_estimate() {
    let stack = stack().await;
    for (dialect, path, body) in calls(MODELS[2]) {
        let before = served(&stack, MODELS[2]).await;
        let answer = ask(&stack, &path, "no_usage", &body).await;
        let after = served(&stack, MODELS[2]).await;
        let event = event(&stack, &answer).await.unwrap();
        assert_eq!(event["usage_status"], "estimated", "{dialect} {path}: {event}");
        let (input, output) = (number(&event, "input_tokens"), number(&event, "output_tokens"));
        let near = |counted: u64, served: u64| counted * 3 >= served && counted <= served * 3 + 10;
        assert!(
            near(input, after.0 - before.0) && near(output, after.1 - before.1),
            "{path}: {event}"
        );
        let cost = input * PRICES[0] + output * PRICES[3];
        assert_eq!(number(&event, "cost_nanousd"), cost, "{path}: {event}");
    }
}

#[tokio::test]
async fn an_answer_that_failed_costs_nothing() {
    let stack = stack().await;
    let mut body = chat("echo a");
    body["model"] = json!(MODELS[1]);
    for status in [429, 500] {
        let answer = ask(&stack, "/v1/chat/completions", &format!("status={status}"), &body).await;
        assert_eq!(answer.status, status);
        let event = event(&stack, &answer).await.unwrap();
        assert_eq!(
            (number(&event, "status"), number(&event, "cost_nanousd")),
            (u64::from(status), 0),
            "{event}"
        );
        assert_eq!(event["usage_status"], "none", "{event}");
    }
}

#[tokio::test]
async fn models_and_count_tokens_pass_with_a_key_and_cost_nothing() {
    let stack = stack().await;
    let url = format!("{}/v1/models", stack.gateway);
    assert_eq!(send(stack.http.get(&url)).await.unwrap().status, 401);
    let models = send(stack.http.get(&url).bearer_auth(stack.key("unlimited")))
        .await
        .unwrap();
    let body = json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "a"}]});
    let counted = ask(&stack, "/v1/messages/count_tokens", "", &body).await;
    for answer in [models, counted] {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let event = event(&stack, &answer).await.unwrap();
        assert_eq!(
            (number(&event, "cost_nanousd"), &event["usage_status"]),
            (0, &json!("none")),
            "{event}"
        );
    }
}

#[tokio::test]
async fn a_model_without_a_price_is_refused_where_policy_says_so() {
    let stack = Stack::builder().filter_config(|config| config["prices"] = json!({"unknown_model": "deny"}));
    let stack = stack.start().await.unwrap();
    let mut body = chat("echo a");
    body["model"] = json!("nobody-has-priced-this");
    let refused = ask(&stack, "/v1/chat/completions", "", &body).await;
    assert_eq!(
        (refused.status, refused.error_code().as_str()),
        (403, "model_not_allowed")
    );
    assert_eq!(stack.mock.requests().await.unwrap().len(), 0);
    let known = ask(&stack, "/v1/chat/completions", "", &chat("echo a")).await;
    assert_eq!(known.status, 200, "{}", known.text());
}
