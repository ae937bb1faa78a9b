//! A key's life, and how gateways hear of it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tollgate_core::key::KeyHash;

use super::support::{Sidecar, expect};

async fn resolve(sidecar: &Sidecar, key: &str) -> reqwest::Response {
    let sha256 = KeyHash::of(key.as_bytes()).to_hex();
    sidecar
        .gateway("/v1/keys/resolve", &json!({ "sha256": sha256 }))
        .await
}

async fn changes(sidecar: &Sidecar, after: Option<u64>) -> Value {
    let response = sidecar
        .gateway("/v1/keys/changes", &json!({ "after": after }))
        .await;
    expect(response, StatusCode::OK).await
}

async fn act(sidecar: &Sidecar, id: &str, action: &str) -> reqwest::Response {
    sidecar
        .admin(Method::POST, &format!("/admin/v1/keys/{id}/{action}"), &json!({}))
        .await
}

#[tokio::test]
async fn a_new_key_is_shown_once_and_resolves_by_its_hash() {
    let sidecar = Sidecar::start().await;
    let created = sidecar
        .create_key(
            &json!({"name": "ci", "workspace": "w", "user": "u", "models": ["gpt-4o*"],
            "expires_at": "2030-01-02T03:04:05Z"}),
        )
        .await;
    let key = created["key"].as_str().unwrap();
    assert!(key.starts_with("tg_live_") && key.len() == 40, "{key}");
    assert!(key.starts_with(created["prefix"].as_str().unwrap()));

    let record = expect(resolve(&sidecar, key).await, StatusCode::OK).await;
    assert_eq!(
        record,
        json!({"id": created["id"], "sha256": KeyHash::of(key.as_bytes()).to_hex(), "workspace": "w",
            "user": "u", "models": ["gpt-4o*"], "expires_at_ms": 1_893_553_445_000_u64, "status": "active"})
    );
    let id = created["id"].as_str().unwrap();
    let shown = sidecar.get(&format!("/admin/v1/keys/{id}")).await;
    assert!(
        !shown.to_string().contains(key),
        "the key is shown again: {shown}"
    );
}

#[tokio::test]
async fn a_test_key_says_so() {
    let sidecar = Sidecar::start().await;
    let body = json!({"name": "ci", "workspace": "w", "environment": "test"});
    let created = sidecar.create_key(&body).await;
    assert!(created["key"].as_str().unwrap().starts_with("tg_test_"));
}

#[tokio::test]
async fn an_unknown_hash_is_no_key() {
    let sidecar = Sidecar::start().await;
    expect(resolve(&sidecar, "tg_live_nobody").await, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn a_key_is_paused_resumed_and_revoked_for_good() {
    let sidecar = Sidecar::start().await;
    let created = sidecar.create_key(&json!({"name": "ci", "workspace": "w"})).await;
    let (id, key) = (created["id"].as_str().unwrap(), created["key"].as_str().unwrap());
    for (action, status) in [("pause", "paused"), ("resume", "active"), ("revoke", "revoked")] {
        let view = expect(act(&sidecar, id, action).await, StatusCode::OK).await;
        assert_eq!(view["status"], status);
        let record = expect(resolve(&sidecar, key).await, StatusCode::OK).await;
        assert_eq!(record["status"], status);
    }
    for action in ["pause", "resume"] {
        expect(act(&sidecar, id, action).await, StatusCode::CONFLICT).await;
    }
    let patch = json!({"name": "other"});
    let response = sidecar
        .admin(Method::PATCH, &format!("/admin/v1/keys/{id}"), &patch)
        .await;
    expect(response, StatusCode::CONFLICT).await;
}

#[tokio::test]
async fn every_change_takes_the_next_version_and_no_change_takes_none() {
    let sidecar = Sidecar::start().await;
    assert_eq!(
        changes(&sidecar, None).await,
        json!({"version": 0, "keys": [], "more": false, "budgets": 0, "policy": 0})
    );
    let created = sidecar.create_key(&json!({"name": "ci", "workspace": "w"})).await;
    let id = created["id"].as_str().unwrap();
    assert_eq!(changes(&sidecar, None).await["version"], 1);

    expect(act(&sidecar, id, "pause").await, StatusCode::OK).await;
    expect(act(&sidecar, id, "pause").await, StatusCode::OK).await;
    assert_eq!(changes(&sidecar, None).await["version"], 2);

    let path = format!("/admin/v1/keys/{id}");
    let expiry = json!({"expires_at": "2030-01-01T00:00:00Z"});
    expect(sidecar.admin(Method::PATCH, &path, &expiry).await, StatusCode::OK).await;
    let fed = changes(&sidecar, Some(2)).await;
    assert_eq!(fed["version"], 3);
    assert_eq!(fed["keys"][0]["expires_at_ms"], 1_893_456_000_000_u64);

    let never = json!({"expires_at": null});
    expect(sidecar.admin(Method::PATCH, &path, &never).await, StatusCode::OK).await;
    expect(act(&sidecar, id, "revoke").await, StatusCode::OK).await;
    let fed = changes(&sidecar, Some(3)).await;
    assert_eq!(fed["version"], 5);
    assert_eq!(
        fed["keys"].as_array().unwrap().len(),
        1,
        "a key is told once, as it is now"
    );
    assert_eq!(fed["keys"][0]["status"], "revoked");
    assert_eq!(fed["keys"][0].get("expires_at_ms"), None);
}

#[tokio::test]
async fn a_gateway_without_a_version_is_told_the_current_one_and_no_keys() {
    let sidecar = Sidecar::start().await;
    sidecar.create_key(&json!({"name": "a", "workspace": "w"})).await;
    assert_eq!(
        changes(&sidecar, None).await,
        json!({"version": 1, "keys": [], "more": false, "budgets": 0, "policy": 0})
    );
    assert_eq!(
        changes(&sidecar, Some(1)).await,
        json!({"version": 1, "keys": [], "more": false, "budgets": 0, "policy": 0})
    );
}

#[tokio::test]
async fn a_version_from_before_a_restore_brings_everything_again() {
    let sidecar = Sidecar::start().await;
    sidecar.create_key(&json!({"name": "a", "workspace": "w"})).await;
    let fed = changes(&sidecar, Some(1_000_000)).await;
    assert_eq!(
        (&fed["version"], fed["keys"].as_array().unwrap().len()),
        (&json!(1), 1)
    );
}

#[tokio::test]
async fn keys_are_listed_by_page_and_by_workspace() {
    let sidecar = Sidecar::start().await;
    for i in 0..5 {
        let workspace = if i % 2 == 0 { "even" } else { "odd" };
        sidecar
            .create_key(&json!({"name": format!("k{i}"), "workspace": workspace}))
            .await;
    }
    let mut seen = 0;
    let mut after = String::new();
    loop {
        let page = sidecar
            .get(&format!("/admin/v1/keys?workspace=even&limit=2&after={after}"))
            .await;
        for key in page["keys"].as_array().unwrap() {
            assert_eq!(key["workspace"], "even");
            seen += 1;
        }
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 3);
}

#[tokio::test]
async fn concurrent_changes_never_share_a_version() {
    let sidecar = std::sync::Arc::new(Sidecar::start().await);
    let tasks: Vec<_> = (0..20)
        .map(|i| {
            let sidecar = sidecar.clone();
            tokio::spawn(async move {
                sidecar
                    .create_key(&json!({"name": format!("k{i}"), "workspace": "w"}))
                    .await;
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let fed = changes(&sidecar, Some(0)).await;
    assert_eq!(
        (&fed["version"], fed["keys"].as_array().unwrap().len()),
        (&json!(20), 20)
    );
}
