//! What a budget that cannot pay says, in the envelope of the path.

use serde_json::{Value, json};
use tollgate_stack::Stack;
use tollgate_tests::{Answer, send};

use super::{Budget, CHAT, ask, budgets_are_known, key, shared};

const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/gemini-2.5-flash:generateContent";

/// Less than any request costs.
const NEXT_TO_NOTHING: &str = "0.000001";

fn message() -> Value {
    json!({"model": "claude-sonnet-4-5", "max_tokens": 500, "messages": [{"role": "user", "content": "words 5"}]})
}

fn contents() -> Value {
    json!({
        "contents": [{"role": "user", "parts": [{"text": "words 5"}]}], "generationConfig": {"maxOutputTokens": 500},
    })
}

async fn post(stack: &Stack, path: &str, key: &str, body: &Value) -> Answer {
    let request = stack
        .http
        .post(format!("{}{path}", stack.gateway))
        .bearer_auth(key);
    send(request.header("x-client-trace", "of-the-poor").json(body))
        .await
        .unwrap()
}

/// The message says what one needs to know to do something about it.
fn assert_told(message: &Value, name: &str) {
    let text = message.as_str().unwrap_or_default();
    for part in [
        &format!("budget `{name}`"),
        "per workspace",
        "0 of 0.000001 usd used",
        "reset",
    ] {
        assert!(text.to_lowercase().contains(part), "no {part:?} in {text:?}");
    }
}

#[tokio::test]
async fn each_dialect_is_told_in_its_own_envelope_and_not_to_retry() {
    let stack = shared().await;
    let key = key(&stack, "poor").await;
    Budget::of_workspace(&stack, "poor", NEXT_TO_NOTHING, json!({})).await;

    for (path, body) in [(CHAT, ask(5, 500)), (MESSAGES, message()), (GEMINI, contents())] {
        let answer = post(&stack, path, &key, &body).await;
        assert_eq!(answer.status, 402, "{path}: {}", answer.text());
        assert_eq!(answer.header("x-should-retry"), "false", "{path}");
        assert_eq!(answer.header("x-tollgate-budget-limit"), "0.000001", "{path}");
        let json = answer.json();
        assert_told(&json["error"]["message"], "poor");
        match path {
            CHAT => assert_eq!(json["error"]["code"], "budget_exceeded", "{json}"),
            MESSAGES => {
                assert_eq!(
                    (&json["type"], &json["error"]["type"]),
                    (&json!("error"), &json!("billing_error"))
                );
                assert!(json["request_id"].is_string(), "{json}");
            }
            _ => {
                assert_eq!(json["error"]["code"], 402, "{json}");
                assert_eq!(json["error"]["status"], "RESOURCE_EXHAUSTED", "{json}");
            }
        }
    }
    let requests = stack.mock.requests().await.unwrap();
    let heard = requests
        .iter()
        .any(|request| request["headers"].to_string().contains("of-the-poor"));
    assert!(!heard, "the provider was asked: {requests:?}");
}

#[tokio::test]
async fn a_budget_with_a_period_says_when_it_resets() {
    let stack = shared().await;
    let key = key(&stack, "daily").await;
    Budget::of_workspace(&stack, "daily", NEXT_TO_NOTHING, json!({"period": "day"})).await;
    let answer = post(&stack, CHAT, &key, &ask(5, 500)).await;
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    let (_, seconds) = message.split_once("it resets in ").unwrap();
    let seconds: u64 = seconds.split(' ').next().unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&seconds), "{message}");
}

#[tokio::test]
async fn the_status_can_be_chosen() {
    let stack = Stack::builder()
        .filter_config(|config| config["budgets"] = json!({"status": 429}))
        .start()
        .await
        .unwrap();
    let key = key(&stack, "poor").await;
    Budget::of_workspace(&stack, "poor", NEXT_TO_NOTHING, json!({})).await;
    budgets_are_known(&stack).await;
    let answer = post(&stack, CHAT, &key, &ask(5, 500)).await;
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (429, "budget_exceeded")
    );
    assert_eq!(answer.header("x-should-retry"), "false");
}
