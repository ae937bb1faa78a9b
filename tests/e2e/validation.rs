//! Rules for bodies: what is refused and by which name, what is clamped, cleaned and renamed on its way.

use std::sync::Arc;

use serde_json::{Value, json};
use tollgate_stack::Stack;
use tollgate_tests::shared::Shared;
use tollgate_tests::{chat, event, post, received_header, send};

const CHAT: &str = "/v1/chat/completions";

async fn stack() -> Arc<Stack> {
    static SHARED: Shared = Shared::new();
    let rules = |config: &mut Value| {
        let rule =
            |workspace: &str, rules: Value| json!({"match": {"workspaces": [workspace]}, "rules": rules});
        config["validation"] = json!([
            rule(
                "sizes",
                json!({"max_messages": 3, "max_message_characters": 50, "max_prompt_characters": 90,
                "max_tools": 1, "allowed_roles": ["user", "assistant"]})
            ),
            rule("prompt", json!({"max_prompt_tokens": 50})),
            rule(
                "parameters",
                json!({"forbidden_parameters": ["logit_bias", "reasoning.effort"],
                "parameters": {"temperature": 1.0, "n": {"min": 1, "max": 2}}, "require_max_tokens": true})
            ),
            rule("clamped", json!({"max_output_tokens": 20})),
            rule(
                "capped",
                json!({"max_output_tokens": 20, "over_max_output_tokens": "refuse"})
            ),
            rule(
                "cleaned",
                json!({"sanitize": {"strip_nul": true, "trim": true, "html": "escape"}})
            ),
        ]);
        config["model_aliases"] = json!({"fast": "gpt-4o-mini", "gemini-fast": "gemini-2.5-flash"});
        config["bodies"] = json!({"max_request_bytes": 100_000});
    };
    let started = SHARED.stack(|| Stack::builder().filter_config(rules));
    started.await.unwrap()
}

async fn key(stack: &Stack, workspace: &str) -> String {
    let spec = json!({"name": "validated", "workspace": workspace});
    stack.admin.create_key(&spec).await.unwrap().1
}

/// The request that the provider received with this word in it; its length is checked.
async fn received(stack: &Stack, word: &str) -> Option<(Value, Value)> {
    let requests = stack.mock.requests().await.unwrap();
    let request = requests
        .into_iter()
        .find(|request| request["body"].as_str().is_some_and(|body| body.contains(word)))?;
    let body = request["body"].as_str().unwrap();
    assert_eq!(
        received_header(&request, "content-length").unwrap(),
        [body.len().to_string()]
    );
    let json = serde_json::from_str(body).unwrap();
    Some((request, json))
}

fn with(fields: &Value) -> Value {
    let mut body = chat("echo refusedword");
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn what_a_rule_forbids_is_refused_by_name_and_the_provider_hears_nothing() {
    let stack = stack().await;
    let message = |role: &str, text: &str| json!({"role": role, "content": text});
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {}}});
    let word = "refusedword";
    let cases = [
        (
            "sizes",
            with(&json!({"messages": vec![message("user", word); 4]})),
            "messages",
        ),
        (
            "sizes",
            with(&json!({"messages": [message("user", word), message("user", &"é".repeat(51))]})),
            "messages[1]",
        ),
        (
            "sizes",
            with(&json!({"messages": [message("system", word)]})),
            "messages[0].role",
        ),
        ("sizes", with(&json!({"tools": [tool("a"), tool("b")]})), "tools"),
        (
            "parameters",
            with(&json!({"max_tokens": 5, "logit_bias": {"1": 1}})),
            "logit_bias",
        ),
        (
            "parameters",
            with(&json!({"max_tokens": 5, "reasoning": {"effort": "high"}})),
            "reasoning.effort",
        ),
        (
            "parameters",
            with(&json!({"max_tokens": 5, "temperature": 1.1})),
            "temperature",
        ),
        ("parameters", with(&json!({"max_tokens": 5, "n": 3})), "n"),
        ("parameters", with(&json!({})), "max_tokens"),
        ("capped", with(&json!({"max_tokens": 21})), "max_tokens"),
        // Without any rule: what no provider would take.
        ("none", with(&json!({"messages": word})), "messages"),
        (
            "none",
            with(&json!({"messages": [{"content": word}]})),
            "messages[0].role",
        ),
        ("none", with(&json!({"model": 7})), "model"),
        (
            "parameters",
            with(&json!({"max_tokens": 5, "temperature": "hot"})),
            "temperature",
        ),
    ];
    for (workspace, body, param) in cases {
        let key = key(&stack, workspace).await;
        let answer = post(&stack, CHAT, &key, &body).await.unwrap();
        let told = (
            answer.status,
            answer.error_code(),
            answer.json()["error"]["param"].clone(),
        );
        assert_eq!(
            told,
            (400, "invalid_request".to_owned(), json!(param)),
            "{body}: {}",
            answer.text()
        );
    }
    assert!(received(&stack, word).await.is_none());
}

#[tokio::test]
async fn a_prompt_of_too_many_tokens_is_refused_and_one_of_fewer_passes() {
    let stack = stack().await;
    let key = key(&stack, "prompt").await;
    let long = post(&stack, CHAT, &key, &chat(&"tollgate ".repeat(60)))
        .await
        .unwrap();
    assert_eq!(
        (long.status, long.error_code().as_str()),
        (400, "invalid_request")
    );
    assert!(long.text().contains("50"), "the limit is told: {}", long.text());
    let short = post(&stack, CHAT, &key, &chat(&"tollgate ".repeat(10)))
        .await
        .unwrap();
    assert_eq!(short.status, 200, "{}", short.text());
}

#[tokio::test]
async fn too_large_a_cap_on_the_output_is_lowered_and_a_missing_one_is_set() {
    let stack = stack().await;
    let key = key(&stack, "clamped").await;
    for (word, cap) in [
        ("clampone", json!(5000)),
        ("clamptwo", Value::Null),
        ("clampthree", json!(7)),
    ] {
        let mut body = chat(&format!("words 40 {word}"));
        if !cap.is_null() {
            body["max_tokens"] = cap.clone();
        }
        let answer = post(&stack, CHAT, &key, &body).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let (_, sent) = received(&stack, word).await.unwrap();
        let most = sent
            .get("max_tokens")
            .or_else(|| sent.get("max_completion_tokens"));
        let expected = if cap == json!(7) { 7 } else { 20 };
        assert_eq!(most, Some(&json!(expected)), "{word}: {sent}");
        assert_eq!(sent["messages"], body["messages"]);
    }
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "echo clampgemini"}]}],
        "generationConfig": {"maxOutputTokens": 900}});
    post(
        &stack,
        "/v1beta/models/gemini-2.5-flash:generateContent",
        &key,
        &gemini,
    )
    .await
    .unwrap();
    let (_, sent) = received(&stack, "clampgemini").await.unwrap();
    assert_eq!(sent["generationConfig"]["maxOutputTokens"], 20);
}

#[tokio::test]
async fn prompts_are_cleaned_before_the_provider_sees_them() {
    let stack = stack().await;
    let key = key(&stack, "cleaned").await;
    let answer = post(&stack, CHAT, &key, &chat("  echo clean\u{0}word <b>&</b>\n "))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (_, sent) = received(&stack, "cleanword").await.unwrap();
    assert_eq!(
        sent["messages"][0]["content"],
        "echo cleanword &lt;b&gt;&amp;&lt;/b&gt;"
    );
}

#[tokio::test]
async fn an_alias_becomes_the_model_for_the_provider_and_stays_the_clients_name_in_the_event() {
    let stack = stack().await;
    let key = key(&stack, "none").await;
    let mut body = chat("echo aliasword");
    body["model"] = json!("fast");
    let answer = post(&stack, CHAT, &key, &body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (_, sent) = received(&stack, "aliasword").await.unwrap();
    assert_eq!(sent["model"], "gpt-4o-mini");
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(
        (&event["request_model"], &event["response_model"]),
        (&json!("fast"), &json!("gpt-4o-mini"))
    );
    assert!(
        event["price_fallback"].as_bool() != Some(true),
        "the price is the model's: {event}"
    );

    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "echo aliasgemini"}]}]});
    let answer = post(
        &stack,
        "/v1beta/models/gemini-fast:streamGenerateContent?alt=sse",
        &key,
        &gemini,
    )
    .await
    .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (request, _) = received(&stack, "aliasgemini").await.unwrap();
    assert_eq!(
        request["path"],
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    );
}

#[tokio::test]
async fn every_refusal_wears_the_envelope_of_its_path() {
    let stack = stack().await;
    let key = key(&stack, "none").await;
    let raw = async |path: &str, body: String| {
        let request = stack
            .http
            .post(format!("{}{path}", stack.gateway))
            .bearer_auth(&key);
        send(request.header("content-type", "application/json").body(body))
            .await
            .unwrap()
    };
    let gemini = "/v1beta/models/gemini-2.5-flash:generateContent";
    let envelopes = [
        (CHAT, "/error/type", "invalid_request_error"),
        ("/v1/responses", "/error/code", "invalid_request"),
        ("/v1/embeddings", "/error/code", "invalid_request"),
        ("/v1/completions", "/error/code", "invalid_request"),
        ("/v1/messages", "/error/type", "invalid_request_error"),
        (gemini, "/error/status", "INVALID_ARGUMENT"),
    ];
    for (path, place, value) in envelopes {
        let answer = raw(path, "{\"model\": ".to_owned()).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        assert_eq!(
            answer.json().pointer(place),
            Some(&json!(value)),
            "{path}: {}",
            answer.text()
        );
        let event = event(&stack, &answer).await.unwrap();
        assert_eq!(
            (&event["status"], &event["error_code"]),
            (&json!(400), &json!("invalid_request"))
        );
    }
    let anthropic = raw("/v1/messages", "[]".to_owned()).await;
    assert_eq!(
        anthropic.json()["request_id"],
        anthropic.header("x-tollgate-request-id")
    );
    assert_eq!(anthropic.json()["type"], "error");

    let large = raw(CHAT, format!("{{\"x\": \"{}\"}}", "x".repeat(100_000))).await;
    assert_eq!(
        (large.status, large.error_code().as_str()),
        (413, "request_too_large")
    );
    let unknown = raw("/v1/fine_tuning/jobs", "{}".to_owned()).await;
    assert_eq!(
        (unknown.status, unknown.error_code().as_str()),
        (404, "unknown_endpoint")
    );
}
