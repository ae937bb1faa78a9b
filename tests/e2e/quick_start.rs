//! The README's quick start: no key, a key, a stream, the limit, the ledger.

use serde_json::{Value, json};
use tollgate_stack::Stack;
use tollgate_tests::{chat, event, number, post, send};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_request_without_a_key_is_refused() {
    let stack = Stack::builder().start().await.unwrap();
    let answer = send(
        stack
            .http
            .post(format!("{}{CHAT}", stack.gateway))
            .json(&chat("Hello!")),
    )
    .await
    .unwrap();
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (401, "invalid_api_key")
    );
    assert_eq!(
        stack.mock.requests().await.unwrap().len(),
        0,
        "the provider was asked"
    );
}

#[tokio::test]
async fn a_call_is_answered_and_stands_in_the_ledger_with_tokens_and_cost() {
    let stack = Stack::builder().start().await.unwrap();
    let answer = post(&stack, CHAT, stack.key("demo"), &chat("Hello!"))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let usage = answer.json()["usage"].clone();
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(event["workspace"], "demo");
    assert_eq!(event["request_model"], "gpt-4o-mini");
    assert_eq!(event["usage_status"], "complete");
    assert_eq!(event["input_tokens"], usage["prompt_tokens"]);
    assert_eq!(event["output_tokens"], usage["completion_tokens"]);
    // gpt-4o-mini: 150 nano-dollars a prompt token, 600 an answer's.
    let cost = number(&usage, "prompt_tokens") * 150 + number(&usage, "completion_tokens") * 600;
    assert_eq!(number(&event, "cost_nanousd"), cost);
}

#[tokio::test]
async fn a_streamed_answer_is_metered_without_the_client_asking() {
    let stack = Stack::builder().start().await.unwrap();
    let mut body = chat("echo one two three");
    body["stream"] = json!(true);
    let answer = post(&stack, CHAT, stack.key("unlimited"), &body).await.unwrap();
    let data = answer.sse_data();
    assert_eq!(data.last().map(String::as_str), Some("[DONE]"));
    let chunks: Vec<Value> = data
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let text: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, "one two three");
    assert!(
        chunks.iter().all(|chunk| chunk["usage"].is_null()),
        "usage that nobody asked for: {data:?}"
    );
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(
        (&event["stream"], &event["usage_status"]),
        (&json!(true), &json!("complete"))
    );
    assert!(
        number(&event, "input_tokens") > 0 && number(&event, "output_tokens") > 0,
        "{event}"
    );
}

#[tokio::test]
async fn the_sixth_call_within_a_minute_is_refused() {
    let stack = Stack::builder().start().await.unwrap();
    for _ in 0..5 {
        let answer = post(&stack, CHAT, stack.key("demo"), &chat("Hello!"))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let refused = post(&stack, CHAT, stack.key("demo"), &chat("Hello!"))
        .await
        .unwrap();
    assert_eq!(
        (refused.status, refused.error_code().as_str()),
        (429, "rate_limit_exceeded")
    );
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&wait), "retry-after: {wait}");
    assert_eq!(stack.mock.requests().await.unwrap().len(), 5);
    let event = event(&stack, &refused).await.unwrap();
    assert_eq!(
        (&event["status"], &event["error_code"]),
        (&json!(429), &json!("rate_limit_exceeded"))
    );
    assert_eq!(number(&event, "cost_nanousd"), 0);
}

#[tokio::test]
async fn keys_that_are_expired_or_paused_are_told_so() {
    let stack = Stack::builder().start().await.unwrap();
    for (name, code) in [("expired", "expired_api_key"), ("paused", "key_paused")] {
        let answer = post(&stack, CHAT, stack.key(name), &chat("Hello!"))
            .await
            .unwrap();
        assert_eq!((answer.status, answer.error_code().as_str()), (403, code));
    }
}
