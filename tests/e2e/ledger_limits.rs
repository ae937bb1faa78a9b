//! Limits of the admin API: what it changes holds in every worker of the real Envoy within two seconds, without a restart.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_stack::{Stack, wait};
use tollgate_tests::{chat, post, send};

const CHAT: &str = "/v1/chat/completions";
const LIMITS: &str = "/admin/v1/limits";
/// How long a change may take.
const PROMPTLY: Duration = Duration::from_secs(2);

/// Envoy has two workers; the connection of a request decides which one has it.
async fn stack() -> Stack {
    let limits = |config: &mut Value| {
        config["limits"] = json!([{
            "name": "of-the-file", "count": "requests", "amount": 2, "period": "1h", "per": ["key"],
            "match": {"workspaces": ["static"]},
        }]);
    };
    Stack::builder()
        .concurrency(2)
        .filter_config(limits)
        .start()
        .await
        .unwrap()
}

async fn key(stack: &Stack, workspace: &str) -> (String, String) {
    let spec = json!({"name": workspace, "workspace": workspace});
    stack.admin.create_key(&spec).await.unwrap()
}

async fn status(stack: &Stack, key: &str) -> u16 {
    post(stack, CHAT, key, &chat("echo a")).await.unwrap().status
}

/// Waits until so many requests in a row get this: more than one worker has answered them then.
async fn soon(stack: &Stack, key: &str, expected: u16, in_a_row: usize) {
    let what = format!("the gateway does not answer {expected}");
    wait::until(PROMPTLY, &what, async || {
        for _ in 0..in_a_row {
            if status(stack, key).await != expected {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await
    .unwrap();
}

async fn patch(stack: &Stack, id: &str, patch: &Value) {
    let url = format!("{}{LIMITS}/{id}", stack.sidecar);
    let request = stack.http.patch(url).bearer_auth(&stack.admin_token);
    let answer = send(request.json(patch)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_limit_of_the_api_holds_is_raised_is_reset_and_is_gone() {
    let stack = stack().await;
    let (key_id, secret) = key(&stack, "ledger").await;
    let (_, other) = key(&stack, "elsewhere").await;
    assert_eq!(status(&stack, &secret).await, 200);

    let limit = json!({
        "name": "of-the-ledger", "count": "requests", "amount": 1, "period": "1h", "per": ["key"],
        "match": {"workspaces": ["ledger"]},
    });
    let made = stack.admin.post(LIMITS, &limit).await.unwrap();
    let id = made["id"].as_str().unwrap();
    soon(&stack, &secret, 429, 6).await;
    assert_eq!(status(&stack, &other).await, 200, "it is for its workspace");

    patch(&stack, id, &json!({"amount": 1000})).await;
    soon(&stack, &secret, 200, 6).await;
    patch(&stack, id, &json!({"amount": 1})).await;
    soon(&stack, &secret, 429, 6).await;

    patch(&stack, id, &json!({"amount": 3})).await;
    soon(&stack, &secret, 429, 6).await;
    let subject = json!({"subject": {"key": key_id}});
    stack
        .admin
        .post(&format!("{LIMITS}/{id}/reset"), &subject)
        .await
        .unwrap();
    soon(&stack, &secret, 200, 1).await;

    let url = format!("{}{LIMITS}/{id}", stack.sidecar);
    let deleted = stack.http.delete(url).bearer_auth(&stack.admin_token);
    assert_eq!(send(deleted).await.unwrap().status, 204);
    soon(&stack, &secret, 200, 6).await;
}

#[tokio::test]
async fn a_limit_of_the_configuration_is_reset_by_its_name() {
    let stack = stack().await;
    let (key_id, secret) = key(&stack, "static").await;
    for expected in [200, 200, 429] {
        assert_eq!(status(&stack, &secret).await, expected);
    }
    let path = format!("{LIMITS}/by-name/of-the-file/reset");
    let someone_else = json!({"subject": {"key": "key_of-someone-else"}});
    stack.admin.post(&path, &someone_else).await.unwrap();
    let subject = json!({"subject": {"key": key_id}});
    stack.admin.post(&path, &subject).await.unwrap();
    soon(&stack, &secret, 200, 1).await;
    // Once a gateway, not once a worker: two requests, of which one has been made.
    let mut passed = 1;
    for _ in 0..8 {
        passed += usize::from(status(&stack, &secret).await == 200);
    }
    assert_eq!(passed, 2);
}
