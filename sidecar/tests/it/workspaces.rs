//! Workspaces and users: how they become known, and what they give to keys.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tollgate_core::key::KeyHash;

use super::money::TestClock;
use super::support::{Sidecar, event, expect};

const POLICIES: &str = r#"
moderation:
  workspaces: {acme: declared}
  policies:
    declared: {rules: [{name: w, category: c, action: flag, words: [w]}]}
    other: {rules: [{name: w, category: c, action: flag, words: [w]}]}
"#;

pub(super) async fn resolve(sidecar: &Sidecar, key: &Value) -> Value {
    let sha256 = KeyHash::of(key["key"].as_str().unwrap().as_bytes()).to_hex();
    let response = sidecar
        .gateway("/v1/keys/resolve", &json!({ "sha256": sha256 }))
        .await;
    expect(response, StatusCode::OK).await
}

pub(super) async fn edit(sidecar: &Sidecar, path: &str, patch: Value) -> Value {
    let path = format!("/admin/v1/{path}");
    expect(sidecar.admin(Method::PATCH, &path, &patch).await, StatusCode::OK).await
}

pub(super) async fn make(sidecar: &Sidecar, collection: &str, body: Value) -> Value {
    let path = format!("/admin/v1/{collection}");
    expect(
        sidecar.admin(Method::POST, &path, &body).await,
        StatusCode::CREATED,
    )
    .await
}

/// Everything in a collection, two at a time.
pub(super) async fn all(sidecar: &Sidecar, collection: &str) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = sidecar
            .get(&format!("/admin/v1/{collection}?limit=2&after={after}"))
            .await;
        found.extend(page[collection].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => return found,
        }
    }
}

#[tokio::test]
async fn what_keys_budgets_and_events_name_is_listed_beside_what_operators_made() {
    let clock = TestClock::at("2026-01-20T00:00:00Z");
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    make(
        &sidecar,
        "workspaces",
        json!({"id": "by hand/é", "display_name": "By hand"}),
    )
    .await;
    make(
        &sidecar,
        "users",
        json!({"workspace": "by hand/é", "user": "hal"}),
    )
    .await;
    sidecar
        .create_key(&json!({"name": "k", "workspace": "by-key", "user": "kim"}))
        .await;
    sidecar
        .create_budget(json!({"subject": {"workspace": "by-budget"}}))
        .await;
    sidecar
        .create_budget(json!({"subject": {"workspace": "*", "user": "*"}}))
        .await;
    let mut first = event("first", "by-event");
    first["user"] = json!("eve");
    let mut last = first.clone();
    last["event_id"] = json!("last");
    last["time"] = json!("2026-01-03T00:00:00Z");
    let mut before = first.clone();
    before["event_id"] = json!("before");
    before["time"] = json!("2025-12-31T23:59:59Z");
    sidecar.send_events(&[last, first]).await;
    sidecar.send_events(&[before]).await;

    let workspaces = all(&sidecar, "workspaces").await;
    let ids: BTreeSet<&str> = workspaces.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        BTreeSet::from(["by hand/é", "by-budget", "by-event", "by-key"])
    );
    let seen = workspaces.iter().find(|one| one["id"] == "by-event").unwrap();
    assert_eq!(seen["first_seen_at"], "2025-12-31T23:59:59Z");
    assert_eq!(seen["last_seen_at"], "2026-01-03T00:00:00Z");
    assert_eq!(seen["month_cost_usd"], "0.000195", "two of this month");
    let unseen = workspaces.iter().find(|one| one["id"] == "by-key").unwrap();
    assert_eq!(
        (&unseen["first_seen_at"], &unseen["month_cost_usd"]),
        (&json!(null), &json!("0"))
    );
    let shown = sidecar.get("/admin/v1/workspaces/by%20hand%2F%C3%A9").await;
    assert_eq!(shown["display_name"], "By hand");

    let users = all(&sidecar, "users").await;
    let names: BTreeSet<(&str, &str)> = users
        .iter()
        .map(|user| {
            (
                user["workspace"].as_str().unwrap(),
                user["user"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        names,
        BTreeSet::from([("by hand/é", "hal"), ("by-event", "eve"), ("by-key", "kim")])
    );
    let eve = users.iter().find(|user| user["user"] == "eve").unwrap();
    assert_eq!(
        (&eve["first_seen_at"], &eve["month_cost_usd"]),
        (&json!("2025-12-31T23:59:59Z"), &json!("0.000195"))
    );
    let again = json!({"workspace": "by-event", "user": "eve"});
    expect(
        sidecar.admin(Method::POST, "/admin/v1/users", &again).await,
        StatusCode::CONFLICT,
    )
    .await;
}

#[tokio::test]
async fn a_workspace_gives_its_keys_its_policy_before_the_configuration_does() {
    let sidecar = Sidecar::start_with(POLICIES).await;
    let plain = sidecar
        .create_key(&json!({"name": "k", "workspace": "acme"}))
        .await;
    let bound = json!({"name": "k", "workspace": "acme", "moderation": "declared"});
    let bound = sidecar.create_key(&bound).await;
    assert_eq!(resolve(&sidecar, &plain).await["moderation"], "declared");
    let view = edit(&sidecar, "workspaces/acme", json!({"moderation": "other"})).await;
    assert_eq!(
        (&view["moderation"], &view["declared_moderation"]),
        (&json!("other"), &json!("declared"))
    );
    assert_eq!(resolve(&sidecar, &plain).await["moderation"], "other");
    assert_eq!(resolve(&sidecar, &bound).await["moderation"], "declared");
    edit(&sidecar, "workspaces/acme", json!({"moderation": null})).await;
    assert_eq!(resolve(&sidecar, &plain).await["moderation"], "declared");
    let unknown = sidecar
        .admin(
            Method::PATCH,
            "/admin/v1/workspaces/acme",
            &json!({"moderation": "nobody's"}),
        )
        .await;
    expect(unknown, StatusCode::UNPROCESSABLE_ENTITY).await;
}

#[tokio::test]
async fn only_a_workspace_that_nothing_is_of_is_deleted() {
    let sidecar = Sidecar::start().await;
    sidecar
        .create_key(&json!({"name": "k", "workspace": "keys"}))
        .await;
    sidecar
        .create_budget(json!({"subject": {"workspace": "budgets"}}))
        .await;
    sidecar.send_events(&[event("e", "events")]).await;
    for workspace in ["keys", "budgets", "events"] {
        let path = format!("/admin/v1/workspaces/{workspace}");
        let problem = sidecar.admin(Method::DELETE, &path, &json!({})).await;
        let problem = expect(problem, StatusCode::CONFLICT).await;
        assert!(
            problem["detail"].as_str().unwrap().contains(workspace),
            "{problem}"
        );
    }
    make(&sidecar, "workspaces", json!({"id": "empty"})).await;
    make(&sidecar, "users", json!({"workspace": "empty", "user": "u"})).await;
    let path = "/admin/v1/workspaces/empty";
    let deleted = sidecar.admin(Method::DELETE, path, &json!({})).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let gone = sidecar.admin(Method::DELETE, path, &json!({})).await;
    expect(gone, StatusCode::NOT_FOUND).await;
    assert!(
        all(&sidecar, "users").await.is_empty(),
        "its users have gone with it"
    );
}
