//! Moderation through the gateway: what is blocked, redacted and flagged, before the call and on answers after it.
//!
//! The policies are in `moderation/sidecar.yaml`. The mock echoes, so a prompt decides what the answer says.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_stack::{Repository, Stack, StackBuilder, wait};
use tollgate_tests::shared::Shared;
use tollgate_tests::{
    Answer, SETTLED, changes_are_followed, chat, event, number, post, received_header, send,
};

const CHAT: &str = "/v1/chat/completions";
const TIMEOUT: Duration = Duration::from_millis(400);

fn builder() -> StackBuilder {
    let config = Repository::here()
        .root()
        .join("tests/e2e/moderation/sidecar.yaml");
    let policies = |config: &mut Value| {
        let policy = |workspace: &str, input: bool, output: bool, on_unavailable: &str| {
            json!({"policy": "strict", "match": {"workspaces": [workspace]}, "input": input, "output": output,
                "timeout": format!("{}ms", TIMEOUT.as_millis()), "on_unavailable": on_unavailable})
        };
        config["moderation"] = json!([
            policy("prompts", true, false, "deny"),
            policy("answers", false, true, "deny"),
            policy("closed", true, true, "deny"),
            policy("open", true, true, "allow"),
        ]);
    };
    Stack::builder().sidecar_config(config).filter_config(policies)
}

async fn stack() -> Arc<Stack> {
    static SHARED: Shared = Shared::new();
    SHARED.stack(builder).await.unwrap()
}

async fn key(stack: &Stack, workspace: &str) -> String {
    let spec = json!({"name": "moderated", "workspace": workspace});
    stack.admin.create_key(&spec).await.unwrap().1
}

/// The request that the provider received with this word in it.
async fn received(stack: &Stack, word: &str) -> Option<Value> {
    let requests = stack.mock.requests().await.unwrap();
    requests
        .into_iter()
        .find(|request| request["body"].as_str().is_some_and(|body| body.contains(word)))
}

async fn verdicts(stack: &Stack, answer: &Answer) -> Vec<Value> {
    let path = format!(
        "/admin/v1/moderations?request_id={}",
        answer.header("x-tollgate-request-id")
    );
    let look = wait::until(SETTLED, "no verdict is logged", async || {
        let page = stack.admin.get(&path).await?;
        let verdicts = page["moderations"].as_array().cloned().unwrap_or_default();
        Ok((!verdicts.is_empty()).then_some(verdicts))
    });
    look.await.unwrap()
}

#[tokio::test]
async fn a_blocked_prompt_never_reaches_the_provider_whatever_the_dialect() {
    let stack = stack().await;
    let key = key(&stack, "prompts").await;
    let text = "echo build a TREBUCHET";
    let anthropic = json!({"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": text}]});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": text}]}]});
    let responses = json!({"model": "gpt-5", "input": text});
    let calls = [
        (CHAT, chat(text), "/error/code", "content_blocked"),
        ("/v1/responses", responses, "/error/code", "content_blocked"),
        ("/v1/messages", anthropic, "/error/type", "permission_error"),
        (
            "/v1beta/models/gemini-2.5-flash:generateContent",
            gemini,
            "/error/status",
            "PERMISSION_DENIED",
        ),
    ];
    for (path, body, place, code) in calls {
        let answer = post(&stack, path, &key, &body).await.unwrap();
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
        assert_eq!(
            answer.json().pointer(place),
            Some(&json!(code)),
            "{path}: {}",
            answer.text()
        );
        assert!(answer.text().contains("violence"), "{path}: {}", answer.text());
        let event = event(&stack, &answer).await.unwrap();
        assert_eq!(
            (&event["error_code"], number(&event, "cost_nanousd")),
            (&json!("content_blocked"), 0)
        );
        let verdict = &verdicts(&stack, &answer).await[0];
        assert_eq!(
            (&verdict["action"], &verdict["phase"]),
            (&json!("block"), &json!("input"))
        );
        assert_eq!(verdict["rules"], json!(["weapon"]), "{verdict}");
    }
    assert_eq!(received(&stack, "TREBUCHET").await, None);
}

#[tokio::test]
async fn a_redacted_prompt_reaches_the_provider_without_what_was_redacted_and_with_its_length() {
    let stack = stack().await;
    let key = key(&stack, "prompts").await;
    // As a client may write it: what is not redacted stays byte for byte.
    let body = r#"{ "model":"gpt-4o-mini", "temperature" : 0.30, "x": {"a": [1, 2.50, null]}, "messages": [
        {"role": "system", "content": "redactword, ask ada@lovelace.example"},
        {"content": [{"type": "text", "text": "echo \"bob@builder.example\" \u2014 done\n"}], "role": "user"} ] }"#;
    let request = stack
        .http
        .post(format!("{}{CHAT}", stack.gateway))
        .bearer_auth(&key);
    let answer = send(request.header("content-type", "application/json").body(body))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let request = received(&stack, "redactword").await.unwrap();
    let sent = request["body"].as_str().unwrap();
    let length = received_header(&request, "content-length").unwrap();
    assert_eq!(length, [sent.len().to_string()]);
    let expected = body
        .replace("ada@lovelace.example", "[EMAIL]")
        .replace(r#"\"bob@builder.example\" \u2014 done"#, r#"\"[EMAIL]\" — done"#);
    assert_eq!(sent, expected);
    let verdict = &verdicts(&stack, &answer).await[0];
    assert_eq!(verdict["action"], "redact");
    assert!(
        !verdict.to_string().contains("lovelace"),
        "redacted in the log too: {verdict}"
    );
}

#[tokio::test]
async fn a_flagged_prompt_passes_as_it_is_and_is_logged_with_its_text() {
    let stack = stack().await;
    let key = key(&stack, "prompts").await;
    let body = chat("echo the ballot of flagword");
    let answer = post(&stack, CHAT, &key, &body).await.unwrap();
    assert_eq!(answer.status, 200);
    let request = received(&stack, "flagword").await.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(request["body"].as_str().unwrap()).unwrap(),
        body
    );
    let verdict = &verdicts(&stack, &answer).await[0];
    assert_eq!(
        (&verdict["action"], &verdict["categories"]),
        (&json!("flag"), &json!(["politics"]))
    );
    assert!(
        verdict["text"]
            .as_str()
            .is_some_and(|text| text.contains("flagword")),
        "{verdict}"
    );
}

#[tokio::test]
async fn an_answer_is_redacted_and_metered_all_the_same() {
    let stack = stack().await;
    let key = key(&stack, "answers").await;
    let answer = post(&stack, CHAT, &key, &chat("echo write to eve@drop.example, ¡olé!"))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.json()["choices"][0]["message"]["content"],
        "write to [EMAIL], ¡olé!"
    );
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(
        (&event["usage_status"], &event["output_tokens"]),
        (&json!("complete"), &answer.json()["usage"]["completion_tokens"])
    );
}

#[tokio::test]
async fn a_blocked_answer_does_not_reach_the_client_and_is_paid_for() {
    let stack = stack().await;
    let key = key(&stack, "answers").await;
    let answer = post(&stack, CHAT, &key, &chat("echo where plutonium is kept"))
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (403, "content_blocked")
    );
    assert!(!answer.text().contains("plutonium"), "{}", answer.text());
    assert!(
        received(&stack, "plutonium").await.is_some(),
        "the provider was asked"
    );
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(
        (&event["status"], &event["error_code"]),
        (&json!(403), &json!("content_blocked"))
    );
    assert!(number(&event, "cost_nanousd") > 0, "{event}");
    let verdict = &verdicts(&stack, &answer).await[0];
    assert_eq!(
        (&verdict["phase"], &verdict["rules"]),
        (&json!("output"), &json!(["leak"]))
    );
}

#[tokio::test]
async fn a_keys_own_policy_goes_before_the_workspaces() {
    let stack = stack().await;
    let spec = json!({"name": "own", "workspace": "by-workspace", "moderation": "strict"});
    let own = stack.admin.create_key(&spec).await.unwrap().1;
    let workspaces = key(&stack, "by-workspace").await;
    let text = "echo policyword: ask Rumpelstilzchen about the trebuchet";
    let blocked = post(&stack, CHAT, &own, &chat(text)).await.unwrap();
    assert_eq!(blocked.error_code(), "content_blocked");
    let passed = post(&stack, CHAT, &workspaces, &chat(text)).await.unwrap();
    assert_eq!(passed.status, 200, "{}", passed.text());
    let request = received(&stack, "policyword").await.unwrap().to_string();
    assert!(
        request.contains("ask [REDACTED] about the trebuchet"),
        "{request}"
    );
}

#[tokio::test]
async fn without_a_verdict_in_time_the_policy_decides() {
    let mut stack = builder().start().await.unwrap();
    changes_are_followed(&stack, 0).await.unwrap();
    let (closed, open) = (key(&stack, "closed").await, key(&stack, "open").await);
    for key in [&closed, &open] {
        assert_eq!(
            post(&stack, CHAT, key, &chat("echo a")).await.unwrap().status,
            200
        );
    }
    stack.mock.reset().await.unwrap();
    let pid = stack.up_file().pids["sidecar"].to_string();
    let stopped = Command::new("kill").args(["-STOP", &pid]).status().unwrap();
    assert!(stopped.success());
    hangs_or_is_gone(&stack, &closed, &open, "hung").await;
    stack.kill_sidecar().unwrap();
    hangs_or_is_gone(&stack, &closed, &open, "gone").await;
}

async fn hangs_or_is_gone(stack: &Stack, closed: &str, open: &str, word: &str) {
    let before = Instant::now();
    let refused = post(stack, CHAT, closed, &chat(&format!("echo closed{word}")))
        .await
        .unwrap();
    assert_eq!(
        (refused.status, refused.error_code().as_str()),
        (503, "sidecar_unavailable")
    );
    assert!(
        before.elapsed() < Duration::from_secs(3),
        "{word}: refused after {:?}",
        before.elapsed()
    );
    let passed = post(stack, CHAT, open, &chat(&format!("echo open{word}")))
        .await
        .unwrap();
    assert_eq!(passed.status, 200, "{word}: {}", passed.text());
    assert_eq!(received(stack, &format!("closed{word}")).await, None);
    assert!(received(stack, &format!("open{word}")).await.is_some());
}
