//! Keys: what the admin API changes holds at the gateway within two seconds.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tollgate_stack::{Stack, wait};
use tollgate_tests::shared::Shared;
use tollgate_tests::{chat, event, post, received_header, send};

const CHAT: &str = "/v1/chat/completions";
/// How long a change may take.
const PROMPTLY: Duration = Duration::from_secs(2);
const STATIC_KEY: &str = "tg_test_a-key-of-the-configuration";

async fn stack() -> Arc<Stack> {
    static SHARED: Shared = Shared::new();
    let started = SHARED.stack(|| Stack::builder().filter_config(add_static_key));
    started.await.unwrap()
}

fn add_static_key(config: &mut Value) {
    let sha256: String = Sha256::digest(STATIC_KEY)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    config["keys"] = json!([{
        "id": "key_static", "sha256": sha256, "workspace": "static", "user": "batch", "models": ["gpt-4o*"],
    }]);
}

async fn create(stack: &Stack, fields: Value) -> (String, String) {
    let mut spec = json!({"name": "a key", "workspace": "keys"});
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    stack.admin.create_key(&spec).await.unwrap()
}

async fn change(stack: &Stack, id: &str, verb: &str) {
    stack
        .admin
        .post(&format!("/admin/v1/keys/{id}/{verb}"), &json!({}))
        .await
        .unwrap();
}

async fn patch(stack: &Stack, id: &str, patch: &Value) {
    change_resource(stack, &format!("/admin/v1/keys/{id}"), patch).await;
}

async fn change_resource(stack: &Stack, path: &str, patch: &Value) {
    let url = format!("{}{path}", stack.sidecar);
    let request = stack.http.patch(url).bearer_auth(&stack.admin_token);
    let answer = send(request.json(patch)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// What a key gets now: status, and code of a refusal.
async fn verdict(stack: &Stack, key: &str, model: &str) -> (u16, String) {
    let mut body = chat("echo a");
    body["model"] = json!(model);
    let answer = post(stack, CHAT, key, &body).await.unwrap();
    (answer.status, answer.error_code())
}

/// Waits until a key gets this.
async fn soon(stack: &Stack, key: &str, status: u16, code: &str) {
    let what = format!("the gateway does not answer {status} {code}");
    wait::until(PROMPTLY, &what, async || {
        Ok((verdict(stack, key, "gpt-4o-mini").await == (status, code.to_owned())).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_new_key_works_at_once_and_is_in_the_event() {
    let stack = stack().await;
    let (id, key) = create(&stack, json!({"user": "ada"})).await;
    let answer = post(&stack, CHAT, &key, &chat("echo a")).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(
        (&event["workspace"], &event["user"], &event["key_id"]),
        (&json!("keys"), &json!("ada"), &json!(id))
    );
}

#[tokio::test]
async fn a_key_is_paused_and_resumed_within_two_seconds() {
    let stack = stack().await;
    let (id, key) = create(&stack, json!({})).await;
    assert_eq!(verdict(&stack, &key, "gpt-4o-mini").await.0, 200);
    change(&stack, &id, "pause").await;
    soon(&stack, &key, 403, "key_paused").await;
    change(&stack, &id, "resume").await;
    soon(&stack, &key, 200, "").await;
}

#[tokio::test]
async fn the_keys_of_a_workspace_or_of_a_user_that_is_paused_are_refused_within_two_seconds() {
    let stack = stack().await;
    let (_, ada) = create(&stack, json!({"workspace": "paused", "user": "ada"})).await;
    let (_, bob) = create(&stack, json!({"workspace": "paused", "user": "bob"})).await;
    for key in [&ada, &bob] {
        assert_eq!(verdict(&stack, key, "gpt-4o-mini").await.0, 200);
    }
    let users = stack.admin.get("/admin/v1/users?workspace=paused").await.unwrap();
    let users = users["users"].as_array().unwrap();
    let user = users.iter().find(|user| user["user"] == "ada").unwrap();
    let user = format!("/admin/v1/users/{}", user["id"].as_str().unwrap());
    let workspace = "/admin/v1/workspaces/paused".to_owned();
    for (path, others) in [(user, (200, "")), (workspace, (403, "key_paused"))] {
        change_resource(&stack, &path, &json!({"status": "paused"})).await;
        soon(&stack, &ada, 403, "key_paused").await;
        soon(&stack, &bob, others.0, others.1).await;
        change_resource(&stack, &path, &json!({"status": "active"})).await;
        soon(&stack, &ada, 200, "").await;
        soon(&stack, &bob, 200, "").await;
    }
}

#[tokio::test]
async fn a_revoked_key_is_unknown_within_two_seconds() {
    let stack = stack().await;
    let (id, key) = create(&stack, json!({})).await;
    assert_eq!(verdict(&stack, &key, "gpt-4o-mini").await.0, 200);
    change(&stack, &id, "revoke").await;
    soon(&stack, &key, 401, "invalid_api_key").await;
}

#[tokio::test]
async fn a_key_expires_when_its_time_has_come_and_within_two_seconds_of_a_change() {
    let stack = stack().await;
    let expiry = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    let (_, brief) = create(&stack, json!({"expires_at": expiry.to_string()})).await;
    let (id, cut_short) = create(&stack, json!({})).await;
    for key in [&brief, &cut_short] {
        assert_eq!(verdict(&stack, key, "gpt-4o-mini").await.0, 200);
    }
    patch(&stack, &id, &json!({"expires_at": "2025-01-01T00:00:00Z"})).await;
    soon(&stack, &cut_short, 403, "expired_api_key").await;
    wait::until(Duration::from_secs(6), "the key does not expire", async || {
        let verdict = verdict(&stack, &brief, "gpt-4o-mini").await;
        if jiff::Timestamp::now() < expiry {
            return Ok(None);
        }
        Ok((verdict == (403, "expired_api_key".to_owned())).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_unknown_key_is_refused_and_the_provider_hears_nothing() {
    let stack = stack().await;
    let body = chat("echo unknownkeyword");
    for key in [
        "tg_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "sk-proj-something",
        "x",
    ] {
        let answer = post(&stack, CHAT, key, &body).await.unwrap();
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (401, "invalid_api_key")
        );
        let event = event(&stack, &answer).await.unwrap();
        assert_eq!(
            (&event["error_code"], &event["workspace"]),
            (&json!("invalid_api_key"), &Value::Null)
        );
    }
    let requests = stack.mock.requests().await.unwrap();
    assert!(
        requests
            .iter()
            .all(|request| !request.to_string().contains("unknownkeyword"))
    );
}

#[tokio::test]
async fn a_key_may_call_only_its_models_and_those_that_stand_in_for_them() {
    let stack = stack().await;
    let (id, key) = create(&stack, json!({"models": ["gpt-4o-mini*", "o?-mini"]})).await;
    let forbidden = (403, "model_not_allowed".to_owned());
    assert_eq!(verdict(&stack, &key, "gpt-4o-mini-2024-07-18").await.0, 200);
    assert_eq!(verdict(&stack, &key, "o4-mini").await.0, 200);
    assert_eq!(verdict(&stack, &key, "gpt-4o").await, forbidden);

    // OpenRouter's `models`: any of them may answer, so every one must be allowed.
    let mut body = chat("echo fallbackword");
    body["models"] = json!(["o4-mini", "gpt-4o"]);
    let answer = post(&stack, CHAT, &key, &body).await.unwrap();
    assert_eq!((answer.status, answer.error_code()), forbidden);
    assert!(answer.text().contains("gpt-4o`"), "{}", answer.text());
    body["models"] = json!(["o4-mini"]);
    assert_eq!(post(&stack, CHAT, &key, &body).await.unwrap().status, 200);

    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "echo a"}]}]});
    let path = "/v1beta/models/gemini-2.5-flash:generateContent";
    let answer = post(&stack, path, &key, &gemini).await.unwrap();
    assert_eq!(
        (answer.status, &answer.json()["error"]["status"]),
        (403, &json!("PERMISSION_DENIED"))
    );

    patch(&stack, &id, &json!({"models": ["gpt-4*"]})).await;
    wait::until(PROMPTLY, "the new list does not hold", async || {
        let (old, new) = (
            verdict(&stack, &key, "o4-mini").await,
            verdict(&stack, &key, "gpt-4o").await,
        );
        Ok((old == forbidden && new.0 == 200).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_key_of_the_configuration_needs_no_sidecar() {
    let stack = stack().await;
    let answer = post(&stack, CHAT, STATIC_KEY, &chat("echo a")).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(
        (&event["workspace"], &event["user"], &event["key_id"]),
        (&json!("static"), &json!("batch"), &json!("key_static"))
    );
    assert_eq!(
        verdict(&stack, STATIC_KEY, "o4-mini").await,
        (403, "model_not_allowed".to_owned())
    );

    let builder = Stack::builder().filter_config(add_static_key);
    let mut alone = builder.start().await.unwrap();
    alone.kill_sidecar().unwrap();
    assert_eq!(
        post(&alone, CHAT, STATIC_KEY, &chat("echo a"))
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn the_client_cannot_say_who_it_is() {
    let stack = stack().await;
    let (_, key) = create(&stack, json!({"user": "ada"})).await;
    let request = stack
        .http
        .post(format!("{}{CHAT}", stack.gateway))
        .bearer_auth(&key);
    let request = request
        .header("x-tollgate-workspace", "victim")
        .header("x-tollgate-user", "mallory");
    let answer = send(request.json(&chat("echo claimword"))).await.unwrap();
    assert_eq!(answer.status, 200);
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(
        (&event["workspace"], &event["user"]),
        (&json!("keys"), &json!("ada"))
    );
    let requests = stack.mock.requests().await.unwrap();
    let ours = requests
        .iter()
        .find(|request| request.to_string().contains("claimword"))
        .unwrap();
    for name in ["x-tollgate-workspace", "x-tollgate-user"] {
        assert_eq!(received_header(ours, name).unwrap(), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn both_secrets_of_a_rotated_key_work_in_its_grace_and_then_only_the_new_one() {
    const GRACE: u64 = 4;
    let stack = stack().await;
    let (id, old) = create(&stack, json!({})).await;
    let budget = json!({"subject": {"key": id}, "unit": "requests", "period": "day", "amount": "1000000"});
    let budget = stack.admin.post("/admin/v1/budgets", &budget).await.unwrap();
    // Which budget a request of this secret is charged to.
    let charged = async |secret: &str| {
        let answer = post(&stack, CHAT, secret, &chat("echo a")).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let event = event(&stack, &answer).await.unwrap();
        assert_eq!(event["key_id"], json!(id));
        event["charges"][0]["budget_id"].clone()
    };
    wait::until(PROMPTLY, "the gateway does not hear of the budget", async || {
        Ok((charged(&old).await == budget["id"]).then_some(()))
    })
    .await
    .unwrap();

    let path = format!("/admin/v1/keys/{id}/rotate");
    let rotated = stack
        .admin
        .post(&path, &json!({"grace_seconds": GRACE}))
        .await
        .unwrap();
    let new = rotated["key"].as_str().unwrap();
    let end: jiff::Timestamp = rotated["previous_until"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        charged(new).await,
        budget["id"],
        "the key's budget is the new secret's too"
    );
    assert_eq!(verdict(&stack, &old, "gpt-4o-mini").await.0, 200);
    assert!(
        jiff::Timestamp::now() < end,
        "the grace was over before the test had looked"
    );

    let patience = Duration::from_secs(GRACE) + PROMPTLY;
    let unknown = (401, "invalid_api_key".to_owned());
    wait::until(patience, "the old secret outlives its grace", async || {
        let asked_at = jiff::Timestamp::now();
        let verdict = verdict(&stack, &old, "gpt-4o-mini").await;
        assert!(
            asked_at >= end || verdict.0 == 200 || jiff::Timestamp::now() >= end,
            "{verdict:?} in the grace"
        );
        Ok((verdict == unknown).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(verdict(&stack, new, "gpt-4o-mini").await.0, 200);
}
