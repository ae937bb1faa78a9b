//! Moderation policies that operators make: the next verdict of every sidecar is by them.

use std::time::{Duration, Instant};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tollgate_core::key::KeyHash;

use super::support::{Sidecar, eventually, expect};

const POLICIES: &str = "/admin/v1/moderation/policies";
/// How long a change may take.
const PROMPTLY: Duration = Duration::from_secs(2);
const DECLARED: &str = r#"
moderation:
  policies:
    declared: {rules: [{name: w, category: c, action: flag, words: [w]}]}
"#;

fn policy(word: &str, action: &str) -> Value {
    json!({"rules": [{"name": "word", "category": "c", "action": action, "words": [word]}]})
}

async fn create(sidecar: &Sidecar, id: &str, policy: Value) -> Value {
    let made = sidecar
        .admin(Method::POST, POLICIES, &json!({"id": id, "policy": policy}))
        .await;
    expect(made, StatusCode::CREATED).await
}

async fn judge(sidecar: &Sidecar, policy: &str, text: &str) -> Response {
    let request = json!({"policy": policy, "phase": "input", "request_id": "r", "texts": [text]});
    sidecar.gateway("/v1/moderations", &request).await
}

/// The action of the verdict, or the status where there is none.
async fn verdict(sidecar: &Sidecar, policy: &str, text: &str) -> String {
    let response = judge(sidecar, policy, text).await;
    match response.status() {
        StatusCode::OK => expect(response, StatusCode::OK).await["action"]
            .as_str()
            .unwrap()
            .to_owned(),
        status => status.as_str().to_owned(),
    }
}

#[tokio::test]
async fn every_sidecar_judges_by_what_was_made_and_changed_on_one() {
    let one = Sidecar::start().await;
    let other = one.beside().await;
    assert_eq!(verdict(&other, "house", "a bomb").await, "404");
    create(&one, "house", policy("bomb", "block")).await;
    for sidecar in [&one, &other] {
        assert_eq!(verdict(sidecar, "house", "a bomb").await, "block", "at once");
    }
    let path = format!("{POLICIES}/house");
    let patch = json!({"policy": policy("bomb", "flag")});
    expect(one.admin(Method::PATCH, &path, &patch).await, StatusCode::OK).await;
    let changed = Instant::now();
    assert_eq!(verdict(&one, "house", "a bomb").await, "flag", "at once");
    eventually(
        || verdict(&other, "house", "a bomb"),
        |action| action.as_str() == "flag",
    )
    .await;
    assert!(changed.elapsed() < PROMPTLY, "{:?}", changed.elapsed());

    let deleted = one.admin(Method::DELETE, &path, &json!({})).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let changed = Instant::now();
    eventually(
        || verdict(&other, "house", "a bomb"),
        |action| action.as_str() == "404",
    )
    .await;
    assert!(changed.elapsed() < PROMPTLY, "{:?}", changed.elapsed());
}

#[tokio::test]
async fn what_is_made_outlives_a_restart() {
    let mut sidecar = Sidecar::start().await;
    create(&sidecar, "house", policy("bomb", "block")).await;
    sidecar.restart().await;
    assert_eq!(verdict(&sidecar, "house", "a bomb").await, "block");
}

#[tokio::test]
async fn what_the_configuration_would_refuse_is_refused_at_its_field() {
    let sidecar = Sidecar::start().await;
    let rule = |more: Value| {
        let mut rule = json!({"name": "r", "category": "c", "action": "flag", "words": ["w"]});
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "rules": [rule] })
    };
    for (policy, pointer) in [
        (json!({"rules": []}), "#/policy/rules"),
        (rule(json!({"regexes": ["(a"]})), "#/policy/rules/0/regexes/0"),
        // Bounded in size, as it would be in time.
        (
            rule(json!({"regexes": ["(\\w{900}){900}"]})),
            "#/policy/rules/0/regexes/0",
        ),
        (rule(json!({"name": ""})), "#/policy/rules/0/name"),
        (rule(json!({"phases": []})), "#/policy/rules/0/phases"),
        (
            rule(json!({"replacement": "x".repeat(65)})),
            "#/policy/rules/0/replacement",
        ),
        (rule(json!({"unknown": true})), "#/policy/rules/0/unknown"),
    ] {
        let made = sidecar
            .admin(Method::POST, POLICIES, &json!({"id": "p", "policy": policy}))
            .await;
        let problem = expect(made, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    assert_eq!(sidecar.get(POLICIES).await["policies"], json!([]));
}

#[tokio::test]
async fn those_of_the_configuration_are_shown_and_changed_there() {
    let sidecar = Sidecar::start_with(DECLARED).await;
    create(&sidecar, "made", policy("w", "flag")).await;
    let first = sidecar.get(&format!("{POLICIES}?limit=1")).await;
    assert_eq!(
        (&first["policies"][0]["id"], &first["policies"][0]["source"]),
        (&json!("declared"), &json!("configuration"))
    );
    let after = first["next"].as_str().unwrap();
    let last = sidecar.get(&format!("{POLICIES}?after={after}")).await;
    assert_eq!(
        (&last["policies"][0]["id"], &last["policies"][0]["source"]),
        (&json!("made"), &json!("api"))
    );
    assert_eq!(last["policies"][0]["policy"]["replacement"], "[REDACTED]");
    for (method, path, body) in [
        (
            Method::POST,
            POLICIES.to_owned(),
            json!({"id": "declared", "policy": policy("w", "flag")}),
        ),
        (
            Method::PATCH,
            format!("{POLICIES}/declared"),
            json!({"policy": policy("w", "flag")}),
        ),
        (Method::DELETE, format!("{POLICIES}/declared"), json!({})),
    ] {
        expect(sidecar.admin(method, &path, &body).await, StatusCode::CONFLICT).await;
    }
}

#[tokio::test]
async fn a_policy_is_given_to_keys_and_workspaces_and_stays_while_they_have_it() {
    let sidecar = Sidecar::start().await;
    let other = sidecar.beside().await;
    create(&sidecar, "house", policy("w", "flag")).await;
    // Made on one sidecar, and given on another at once.
    let bound = json!({"name": "k", "workspace": "acme", "moderation": "house"});
    let key = other.create_key(&bound).await;
    let sha256 = KeyHash::of(key["key"].as_str().unwrap().as_bytes()).to_hex();
    let record = sidecar
        .gateway("/v1/keys/resolve", &json!({ "sha256": sha256 }))
        .await;
    assert_eq!(expect(record, StatusCode::OK).await["moderation"], "house");
    let workspace = "/admin/v1/workspaces/acme";
    let give = |policy: Value| json!({ "moderation": policy });
    expect(
        sidecar
            .admin(Method::PATCH, workspace, &give(json!("house")))
            .await,
        StatusCode::OK,
    )
    .await;
    let path = format!("{POLICIES}/house");
    let problem = expect(
        sidecar.admin(Method::DELETE, &path, &json!({})).await,
        StatusCode::CONFLICT,
    )
    .await;
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("1 keys and 1 workspaces"),
        "{problem}"
    );
    let revoke = format!("/admin/v1/keys/{}/revoke", key["id"].as_str().unwrap());
    expect(
        sidecar.admin(Method::POST, &revoke, &json!({})).await,
        StatusCode::OK,
    )
    .await;
    expect(
        sidecar.admin(Method::PATCH, workspace, &give(json!(null))).await,
        StatusCode::OK,
    )
    .await;
    let deleted = sidecar.admin(Method::DELETE, &path, &json!({})).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn no_policy_is_deleted_while_it_is_given_to_a_key_or_a_workspace() {
    const GIVEN: &str = "SELECT (SELECT COUNT(*) FROM keys WHERE status <> 'revoked' \
        AND moderation IS NOT NULL AND moderation NOT IN (SELECT name FROM moderation_policies)) \
        + (SELECT COUNT(*) FROM workspaces \
        WHERE moderation IS NOT NULL AND moderation NOT IN (SELECT name FROM moderation_policies))";
    let sidecar = Sidecar::start().await;
    let old = sidecar
        .create_key(&json!({"name": "k", "workspace": "old"}))
        .await;
    let old = format!("/admin/v1/keys/{}", old["id"].as_str().unwrap());
    for round in 0..12 {
        let name = format!("policy-{round}");
        create(&sidecar, &name, policy("w", "flag")).await;
        let give = json!({ "moderation": name });
        let key = json!({"name": "k", "workspace": "new", "moderation": name});
        let workspace = json!({"id": format!("w-{round}"), "moderation": name});
        let path = format!("{POLICIES}/{name}");
        let answers = tokio::join!(
            sidecar.admin(Method::POST, "/admin/v1/keys", &key),
            sidecar.admin(Method::PATCH, &old, &give),
            sidecar.admin(Method::DELETE, &path, &Value::Null),
            sidecar.admin(Method::POST, "/admin/v1/workspaces", &workspace),
            sidecar.admin(Method::PATCH, "/admin/v1/workspaces/old", &give),
        );
        let answers = [answers.0, answers.1, answers.2, answers.3, answers.4].map(|answer| answer.status());
        assert!(!answers.iter().any(StatusCode::is_server_error), "{answers:?}");
        assert_eq!(
            sidecar.sql(GIVEN).await,
            0,
            "a policy that is gone is given: {answers:?}"
        );
    }
}
