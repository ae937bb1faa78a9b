//! A request that a budget can pay in part goes on with less output, and is told so.

use serde_json::{Value, json};
use tollgate_tests::send;

use super::{Budget, CHAT, key, shared};

const MINIMUM: u64 = 64;

/// A request that asks for far more than there is, where its cap stands, and what pays about 200 tokens of its model.
fn cases() -> [(&'static str, &'static str, Value, &'static str, &'static str); 5] {
    let chat = |cap: &str| {
        let mut body = json!({"model": "gpt-4", "messages": [{"role": "user", "content": "words 5"}]});
        body[cap] = json!(90_000);
        body
    };
    let response = json!({"model": "gpt-4", "input": "words 5", "max_output_tokens": 90_000});
    let message = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 60_000, "messages": [{"role": "user", "content": "words 5"}],
    });
    let contents = json!({
        "contents": [{"role": "user", "parts": [{"text": "words 5"}]}],
        "generationConfig": {"maxOutputTokens": 60_000},
    });
    [
        ("clamped-1", CHAT, chat("max_tokens"), "/max_tokens", "0.012"),
        (
            "clamped-2",
            CHAT,
            chat("max_completion_tokens"),
            "/max_completion_tokens",
            "0.012",
        ),
        (
            "clamped-3",
            "/v1/responses",
            response,
            "/max_output_tokens",
            "0.012",
        ),
        ("clamped-4", "/v1/messages", message, "/max_tokens", "0.003"),
        (
            "clamped-5",
            "/v1beta/models/gemini-2.5-flash:generateContent",
            contents,
            "/generationConfig/maxOutputTokens",
            "0.0005",
        ),
    ]
}

#[tokio::test]
async fn the_provider_gets_what_can_be_paid_under_the_name_that_the_client_used() {
    let stack = shared().await;
    for (workspace, path, body, cap, amount) in cases() {
        let key = key(&stack, workspace).await;
        let budget = Budget::of_workspace(&stack, workspace, amount, json!({})).await;
        let request = stack
            .http
            .post(format!("{}{path}", stack.gateway))
            .bearer_auth(&key);
        let answer = send(request.header("x-client-trace", workspace).json(&body))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{workspace}: {}", answer.text());

        let received = stack.mock.requests().await.unwrap();
        let ours = received
            .iter()
            .find(|request| request["headers"].to_string().contains(workspace));
        let sent: Value = serde_json::from_str(ours.unwrap()["body"].as_str().unwrap()).unwrap();
        let lowered = sent
            .pointer(cap)
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("{workspace}: {sent}"));
        assert!((MINIMUM..=200).contains(&lowered), "{workspace}: {lowered}");
        assert_eq!(
            answer.header("x-tollgate-warning").split(',').next().unwrap(),
            format!("max_tokens lowered to {lowered} by a budget"),
            "{workspace}: {answer:?}"
        );
        // Nothing else in the body has changed.
        let mut restored = sent.clone();
        *restored.pointer_mut(cap).unwrap() = body.pointer(cap).unwrap().clone();
        assert_eq!(restored, body, "{workspace}");
        let standing = budget.standing().await.unwrap();
        assert_eq!(standing.overrun, 0, "{workspace}: {standing:?}");
    }
}
