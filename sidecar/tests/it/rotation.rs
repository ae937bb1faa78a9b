//! Keys whose secret is replaced, and keys that come with their secrets' hashes.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tollgate_core::key::KeyHash;

use super::money::TestClock;
use super::support::{Sidecar, event, expect};

const NOW: &str = "2026-03-01T12:00:00Z";
/// [`NOW`], in milliseconds since the Unix epoch.
const NOW_MS: u64 = 1_772_366_400_000;

fn hash(secret: &Value) -> String {
    KeyHash::of(secret.as_str().unwrap().as_bytes()).to_hex()
}

async fn resolve(sidecar: &Sidecar, secret: &Value) -> Response {
    sidecar
        .gateway("/v1/keys/resolve", &json!({ "sha256": hash(secret) }))
        .await
}

/// The records of both secrets that came with the last change, by their hashes.
async fn fed(sidecar: &Sidecar, secrets: [&Value; 2]) -> [Value; 2] {
    let body = json!({ "after": 0 });
    let changes = expect(sidecar.gateway("/v1/keys/changes", &body).await, StatusCode::OK).await;
    let records = changes["keys"].as_array().unwrap();
    assert_eq!(records.len(), 2, "{changes}");
    secrets.map(|secret| {
        let mut found = records.iter().filter(|record| record["sha256"] == hash(secret));
        found.next().unwrap().clone()
    })
}

async fn rotate(sidecar: &Sidecar, key: &Value, grace_seconds: u64) -> Value {
    let path = format!("/admin/v1/keys/{}/rotate", key["id"].as_str().unwrap());
    let rotated = sidecar
        .admin(Method::POST, &path, &json!({ "grace_seconds": grace_seconds }))
        .await;
    assert_eq!(rotated.headers()["cache-control"], "no-store");
    expect(rotated, StatusCode::OK).await
}

async fn new_key(sidecar: &Sidecar) -> Value {
    sidecar
        .create_key(&json!({"name": "k", "workspace": "acme", "user": "ann", "models": ["gpt-4o*"]}))
        .await
}

#[tokio::test]
async fn both_secrets_are_of_one_key_until_the_grace_is_over() {
    let clock = TestClock::at(NOW);
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    let key = new_key(&sidecar).await;
    let rotated = rotate(&sidecar, &key, 60).await;
    assert_ne!(rotated["key"], key["key"]);
    assert_ne!(rotated["prefix"], key["prefix"]);
    for field in [
        "id",
        "name",
        "workspace",
        "user",
        "models",
        "status",
        "created_at",
    ] {
        assert_eq!(rotated[field], key[field], "{field}");
    }
    assert_eq!(rotated["previous_until"], "2026-03-01T12:01:00Z");

    let new = expect(resolve(&sidecar, &rotated["key"]).await, StatusCode::OK).await;
    let mut old = expect(resolve(&sidecar, &key["key"]).await, StatusCode::OK).await;
    assert_eq!(
        old["retires_at_ms"],
        NOW_MS + 60_000,
        "gateways refuse it by themselves"
    );
    assert_eq!(
        [old.clone(), new.clone()],
        fed(&sidecar, [&key["key"], &rotated["key"]]).await
    );
    old.as_object_mut().unwrap().remove("retires_at_ms");
    old["sha256"] = new["sha256"].clone();
    assert_eq!(old, new, "they differ in nothing else");

    clock.set("2026-03-01T12:01:00Z");
    assert_eq!(
        resolve(&sidecar, &key["key"]).await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(resolve(&sidecar, &rotated["key"]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_done_to_a_key_is_done_to_both_its_secrets() {
    let sidecar = Sidecar::start().await;
    let key = new_key(&sidecar).await;
    let rotated = rotate(&sidecar, &key, 60).await;
    let path = format!("/admin/v1/keys/{}", key["id"].as_str().unwrap());
    for (action, status) in [("pause", "paused"), ("revoke", "revoked")] {
        let done = sidecar
            .admin(Method::POST, &format!("{path}/{action}"), &json!({}))
            .await;
        expect(done, StatusCode::OK).await;
        for record in fed(&sidecar, [&key["key"], &rotated["key"]]).await {
            assert_eq!(record["status"], status);
        }
    }
    let again = sidecar
        .admin(
            Method::POST,
            &format!("{path}/rotate"),
            &json!({"grace_seconds": 1}),
        )
        .await;
    assert_eq!(
        again.status(),
        StatusCode::CONFLICT,
        "a revoked key has no new secret"
    );
}

#[tokio::test]
async fn no_secret_outlives_one_that_came_after_it() {
    let clock = TestClock::at(NOW);
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    let first = new_key(&sidecar).await;
    let second = rotate(&sidecar, &first, 86_400).await;
    let third = rotate(&sidecar, &first, 2_592_000).await;
    for key in [&first, &second, &third] {
        assert_eq!(resolve(&sidecar, &key["key"]).await.status(), StatusCode::OK);
    }
    let last = rotate(&sidecar, &first, 0).await;
    for key in [&first, &second, &third] {
        assert_eq!(
            resolve(&sidecar, &key["key"]).await.status(),
            StatusCode::NOT_FOUND
        );
    }
    assert_eq!(resolve(&sidecar, &last["key"]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_grace_has_an_end() {
    let sidecar = Sidecar::start().await;
    let key = new_key(&sidecar).await;
    let path = format!("/admin/v1/keys/{}/rotate", key["id"].as_str().unwrap());
    for body in [
        json!({}),
        json!({"grace_seconds": 2_592_001}),
        json!({"grace_seconds": -1}),
    ] {
        let refused = sidecar.admin(Method::POST, &path, &body).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
}

#[tokio::test]
async fn keys_come_with_the_hashes_of_their_secrets_all_or_none() {
    let sidecar = Sidecar::start().await;
    let import = async |secrets: &[&str]| {
        let keys: Vec<Value> = secrets
            .iter()
            .map(|secret| json!({"sha256": hash(&json!(secret)), "prefix": "sk-", "name": secret, "workspace": "acme"}))
            .collect();
        sidecar
            .admin(Method::POST, "/admin/v1/keys/import", &json!({ "keys": keys }))
            .await
    };
    let imported = expect(import(&["sk-one", "sk-two"]).await, StatusCode::CREATED).await;
    for (key, secret) in imported["keys"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["sk-one", "sk-two"])
    {
        let record = expect(resolve(&sidecar, &json!(secret)).await, StatusCode::OK).await;
        assert_eq!((&record["id"], &key["name"]), (&key["id"], &json!(secret)));
    }
    rotate(&sidecar, &imported["keys"][0], 3_600).await;
    for taken in ["sk-two", "sk-one"] {
        let refused = import(&["sk-three", taken]).await;
        let problem = expect(refused, StatusCode::CONFLICT).await;
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .starts_with("#/keys/1/sha256: "),
            "{problem}"
        );
        assert_eq!(
            resolve(&sidecar, &json!("sk-three")).await.status(),
            StatusCode::NOT_FOUND
        );
    }
    let wrong = json!({"keys": [{"sha256": "00", "name": "", "workspace": "acme"}]});
    let refused = sidecar.admin(Method::POST, "/admin/v1/keys/import", &wrong).await;
    let problem = expect(refused, StatusCode::UNPROCESSABLE_ENTITY).await;
    let fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["pointer"])
        .collect();
    assert_eq!(fields, ["#/keys/0/sha256", "#/keys/0/name"]);
}

#[tokio::test]
async fn a_key_says_when_it_was_used_last() {
    let sidecar = Sidecar::start().await;
    let key = new_key(&sidecar).await;
    let path = format!("/admin/v1/keys/{}", key["id"].as_str().unwrap());
    assert_eq!(sidecar.get(&path).await["last_used_at"], Value::Null);
    let mut used = event("used", "acme");
    used["key_id"] = key["id"].clone();
    sidecar.send_events(&[used]).await;
    assert_eq!(
        sidecar.get(&path).await["last_used_at"],
        "2026-01-02T03:04:05.678Z"
    );
    let page = sidecar.get("/admin/v1/keys").await;
    assert_eq!(page["keys"][0]["last_used_at"], "2026-01-02T03:04:05.678Z");
}
