//! Credentials: the provider's is put in by Envoy, the client's never leaves the gateway.

use serde_json::{Value, json};
use tollgate_stack::{Stack, wait};
use tollgate_tests::{SETTLED, chat, event, post, received_header, send};

#[tokio::test]
async fn each_provider_receives_its_own_credential_and_never_the_clients_key() {
    let stack = Stack::builder().start().await.unwrap();
    let key = stack.key("unlimited").to_owned();
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "echo a"}]}]});
    let anthropic = json!({"model": "claude-sonnet-4-5", "max_tokens": 8, "messages": [{"role": "user", "content": "echo a"}]});
    let cases: [(&str, &str, String, &Value, &str, &str); 3] = [
        (
            "/v1/chat/completions",
            "authorization",
            format!("Bearer {key}"),
            &chat("echo a"),
            "authorization",
            "Bearer demo-openai-credential",
        ),
        (
            "/v1/messages",
            "x-api-key",
            key.clone(),
            &anthropic,
            "x-api-key",
            "demo-anthropic-credential",
        ),
        (
            "/v1beta/models/gemini-2.5-flash:generateContent",
            "x-goog-api-key",
            key.clone(),
            &gemini,
            "x-goog-api-key",
            "demo-gemini-credential",
        ),
    ];
    for (path, sent, value, body, received, credential) in cases {
        stack.mock.reset().await.unwrap();
        let url = format!("{}{path}", stack.gateway);
        let answer = send(stack.http.post(url).header(sent, value).json(body))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let requests = stack.mock.requests().await.unwrap();
        assert_eq!(
            received_header(&requests[0], received).unwrap(),
            [credential],
            "{path}"
        );
        assert!(
            !requests[0].to_string().contains(&key),
            "{path}: the provider saw the client's key"
        );
    }
}

#[tokio::test]
async fn no_log_contains_a_key_or_a_credential() {
    let stack = Stack::builder().start().await.unwrap();
    let key = stack.key("unlimited").to_owned();
    let answer = post(&stack, "/v1/chat/completions", &key, &chat("echo a"))
        .await
        .unwrap();
    event(&stack, &answer).await.unwrap();
    let id = answer.header("x-tollgate-request-id");
    wait::until(SETTLED, "the access log does not show the request", async || {
        Ok(stack.access_log().contains(id).then_some(()))
    })
    .await
    .unwrap();
    for (name, log) in [
        ("envoy", stack.envoy_log()),
        ("access", stack.access_log()),
        ("sidecar", stack.sidecar_log()),
    ] {
        assert!(!log.contains(&key), "{name}.log has the client's key");
        assert!(
            !log.contains("demo-openai-credential"),
            "{name}.log has the provider's credential"
        );
    }
}
