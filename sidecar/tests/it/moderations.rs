//! Moderation over HTTP: the verdict, the log, and which policy a key has.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tollgate_core::key::KeyHash;

use super::support::{Sidecar, eventually, expect};

const POLICIES: &str = r#"
moderation:
  workspaces: {acme: strict}
  policies:
    lenient:
      rules:
        - {name: mail, category: pii, action: redact, regexes: ['\w+@\w+\.\w+']}
    strict:
      store_text: true
      rules:
        - {name: mail, category: pii, action: redact, regexes: ['\w+@\w+\.\w+']}
        - {name: bomb, category: violence, action: block, words: [bomb]}
"#;

fn request(policy: &str, texts: &[&str]) -> Value {
    json!({"policy": policy, "phase": "input", "request_id": "req-1", "workspace": "acme", "texts": texts})
}

async fn judge(sidecar: &Sidecar, policy: &str, texts: &[&str]) -> Value {
    let response = sidecar.gateway("/v1/moderations", &request(policy, texts)).await;
    expect(response, StatusCode::OK).await
}

/// The log, once it has this many verdicts.
async fn log_of(sidecar: &Sidecar, verdicts: usize) -> Vec<Value> {
    let page = eventually(
        || sidecar.get("/admin/v1/moderations"),
        |page| page["moderations"].as_array().unwrap().len() >= verdicts,
    )
    .await;
    page["moderations"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_verdict_is_the_strongest_action_with_its_categories() {
    let sidecar = Sidecar::start_with(POLICIES).await;
    assert_eq!(
        judge(&sidecar, "strict", &["hello"]).await,
        json!({"action": "allow", "categories": []})
    );
    assert_eq!(
        judge(&sidecar, "strict", &["hello", "mail a@b.cd"]).await,
        json!({"action": "redact", "categories": ["pii"], "texts": [null, "mail [REDACTED]"]})
    );
    assert_eq!(
        judge(&sidecar, "strict", &["a Bomb, mail a@b.cd"]).await,
        json!({"action": "block", "categories": ["pii", "violence"]})
    );
}

#[tokio::test]
async fn every_verdict_is_logged_and_text_only_where_policy_stores_it() {
    let sidecar = Sidecar::start_with(POLICIES).await;
    judge(&sidecar, "strict", &["a bomb from a@b.cd"]).await;
    judge(&sidecar, "lenient", &["hello"]).await;
    let log = log_of(&sidecar, 2).await;
    assert_eq!(log[0]["action"], "block");
    assert_eq!(log[0]["rules"], json!(["mail", "bomb"]));
    assert_eq!(log[0]["text"], "a bomb from [REDACTED]");
    assert_eq!(
        (&log[0]["request_id"], &log[0]["workspace"]),
        (&json!("req-1"), &json!("acme"))
    );
    assert_eq!(log[1]["action"], "allow");
    assert_eq!(log[1]["text"], Value::Null);
    let blocked = sidecar.get("/admin/v1/moderations?action=block").await;
    assert_eq!(blocked["moderations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_unknown_policy_is_an_error_and_no_verdict() {
    let sidecar = Sidecar::start_with(POLICIES).await;
    let response = sidecar
        .gateway("/v1/moderations", &request("nowhere", &["x"]))
        .await;
    expect(response, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn long_texts_are_judged_like_short_ones() {
    let sidecar = Sidecar::start_with(POLICIES).await;
    let text = format!("{} a@b.cd", "word ".repeat(100_000));
    let verdict = judge(&sidecar, "strict", &[&text]).await;
    assert_eq!(verdict["action"], "redact");
    assert!(verdict["texts"][0].as_str().unwrap().ends_with(" [REDACTED]"));
}

#[tokio::test]
async fn a_key_has_its_own_policy_or_its_workspaces() {
    let sidecar = Sidecar::start_with(POLICIES).await;
    for (body, policy) in [
        (json!({"name": "a", "workspace": "acme"}), json!("strict")),
        (
            json!({"name": "b", "workspace": "acme", "moderation": "lenient"}),
            json!("lenient"),
        ),
        (json!({"name": "c", "workspace": "other"}), Value::Null),
    ] {
        let created = sidecar.create_key(&body).await;
        let sha256 = KeyHash::of(created["key"].as_str().unwrap().as_bytes()).to_hex();
        let response = sidecar
            .gateway("/v1/keys/resolve", &json!({ "sha256": sha256 }))
            .await;
        assert_eq!(
            expect(response, StatusCode::OK).await["moderation"],
            policy,
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_key_cannot_name_a_policy_that_is_not_there() {
    let sidecar = Sidecar::start_with(POLICIES).await;
    let body = json!({"name": "a", "workspace": "acme", "moderation": "nowhere"});
    let response = sidecar.admin(Method::POST, "/admin/v1/keys", &body).await;
    let problem = expect(response, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(problem["errors"][0]["pointer"], "#/moderation");
}

#[tokio::test]
async fn more_texts_than_a_body_needs_are_refused() {
    let sidecar = Sidecar::start_with(POLICIES).await;
    let response = sidecar
        .gateway("/v1/moderations", &request("strict", &[""; 10_001]))
        .await;
    let problem = expect(response, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(problem["errors"][0]["pointer"], "#/texts");
}
