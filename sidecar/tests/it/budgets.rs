//! Budgets as operators make, see, change and archive them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::money::{ask, charge, hold, lease_id};
use super::support::{Sidecar, expect};

async fn patch(sidecar: &Sidecar, budget: &Value, body: Value) -> Value {
    let path = format!("/admin/v1/budgets/{}", budget["id"].as_str().unwrap());
    let response = sidecar.admin(Method::PATCH, &path, &body).await;
    expect(response, StatusCode::OK).await
}

async fn archive(sidecar: &Sidecar, budget: &Value) -> Value {
    let path = format!("/admin/v1/budgets/{}", budget["id"].as_str().unwrap());
    let response = sidecar.admin(Method::DELETE, &path, &json!({})).await;
    expect(response, StatusCode::OK).await
}

/// The version of all budgets, as gateways hear it with the changes of keys.
async fn version(sidecar: &Sidecar) -> Value {
    let response = sidecar.gateway("/v1/keys/changes", &json!({"after": 0})).await;
    expect(response, StatusCode::OK).await["budgets"].clone()
}

#[tokio::test]
async fn little_needs_to_be_said() {
    let sidecar = Sidecar::start().await;
    let body = json!({"subject": {"workspace": "acme"}, "unit": "usd", "period": "month", "amount": "1.00"});
    let response = sidecar.admin(Method::POST, "/admin/v1/budgets", &body).await;
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let created = expect(response, StatusCode::CREATED).await;
    for (field, value) in [
        ("name", json!("workspace acme per month")),
        ("subject", json!({"workspace": "acme"})),
        ("amount", json!("1")),
        ("spent", json!("0")),
        ("leased", json!("0")),
        ("remaining", json!("1")),
        ("thresholds", json!([80, 100])),
        ("enforcement", json!("hard")),
        ("on_unavailable", json!("deny")),
        ("time_zone", json!("UTC")),
        ("template", json!(false)),
        ("version", json!(1)),
    ] {
        assert_eq!(created[field], value, "{field}");
    }
    assert!(created["id"].as_str().unwrap().starts_with("bud_"));
    assert!(created["period_end"].as_str().unwrap() > created["period_start"].as_str().unwrap());
    assert_eq!(sidecar.get(&location).await, created);
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named() {
    let sidecar = Sidecar::start().await;
    for (changes, pointer) in [
        (json!({"amount": "-1"}), "#/amount"),
        (json!({"amount": "0"}), "#/amount"),
        (json!({"amount": 1}), "#/amount"),
        (json!({"unit": "eur"}), "#/unit"),
        (json!({"time_zone": "Mars/Olympus"}), "#/time_zone"),
        (json!({"start_day": 32}), "#/start_day"),
        (json!({"thresholds": [100, 80]}), "#/thresholds"),
        (json!({"subject": {"colour": "red"}}), "#/subject"),
        (json!({"colour": "red"}), "#/colour"),
    ] {
        let mut body = json!({"unit": "usd", "period": "month", "amount": "1.00"});
        body.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        let response = sidecar.admin(Method::POST, "/admin/v1/budgets", &body).await;
        let problem = expect(response, StatusCode::UNPROCESSABLE_ENTITY).await;
        let told = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(told.starts_with(pointer), "{changes}: {problem}");
    }
    assert_eq!(version(&sidecar).await, 0);
}

#[tokio::test]
async fn budgets_are_listed_by_page_and_by_subject() {
    let sidecar = Sidecar::start().await;
    let mut made = Vec::new();
    for workspace in ["a", "b", "c", "d", "e"] {
        let budget = sidecar
            .create_budget(json!({"subject": {"workspace": workspace}}))
            .await;
        made.push(budget["id"].clone());
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = sidecar
            .get(&format!("/admin/v1/budgets?limit=2&after={after}"))
            .await;
        seen.extend(
            page["budgets"]
                .as_array()
                .unwrap()
                .iter()
                .map(|budget| budget["id"].clone()),
        );
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    made.sort_by_key(ToString::to_string);
    assert_eq!(seen, made);
    let of_c = sidecar
        .get("/admin/v1/budgets?subject=%7B%22workspace%22%3A%22c%22%7D")
        .await;
    assert_eq!(of_c["budgets"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_change_takes_the_next_version_and_no_change_takes_none() {
    let sidecar = Sidecar::start().await;
    assert_eq!(version(&sidecar).await, 0);
    let budget = sidecar.create_budget(json!({})).await;
    assert_eq!(version(&sidecar).await, 1);
    patch(&sidecar, &budget, json!({"amount": "2"})).await;
    assert_eq!(version(&sidecar).await, 2);
    let same = patch(&sidecar, &budget, json!({"amount": "2.0", "enforcement": "hard"})).await;
    assert_eq!((version(&sidecar).await, &same["version"]), (json!(2), &json!(2)));
    archive(&sidecar, &budget).await;
    archive(&sidecar, &budget).await;
    assert_eq!(version(&sidecar).await, 3);
}

#[tokio::test]
async fn a_budget_lowered_below_what_is_spent_leases_nothing_more_and_tells_so() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({"amount": "0.000001"})).await;
    let id = lease_id(&sidecar.lease(&ask("a", 100)).await);
    sidecar.charge("e", json!([charge(&budget, Some(id), 100)])).await;
    let lowered = patch(&sidecar, &budget, json!({"amount": "0.00000005"})).await;
    assert_eq!(
        (
            &lowered["amount"],
            &lowered["spent"],
            &lowered["remaining"],
            &lowered["overrun"]
        ),
        (
            &json!("0.00000005"),
            &json!("0.0000001"),
            &json!("0"),
            &json!("0")
        )
    );
    assert_eq!(sidecar.sql("SELECT COUNT(*) FROM notifications").await, 2);
    // What is leased already may be spent; nobody gets more.
    assert_eq!(
        sidecar.report("a", hold(&budget, id, 100, 0)).await["lease"]["scarce"],
        true
    );
    assert_eq!(sidecar.lease(&ask("b", 1)).await["exhausted"]["available"], 0);
    patch(&sidecar, &budget, json!({"amount": "1"})).await;
    assert_eq!(sidecar.lease(&ask("b", 1)).await["exhausted"], Value::Null);
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn a_budget_that_grows_pays_a_call_that_waits() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({"amount": "0.00000001"})).await;
    sidecar.lease(&ask("a", 10)).await;
    let mut waiting = ask("b", 10);
    waiting["wait_ms"] = json!(20_000);
    let (answer, _) = tokio::join!(
        sidecar.lease(&waiting),
        patch(&sidecar, &budget, json!({"amount": "0.00000002"}))
    );
    assert_eq!(answer["exhausted"], Value::Null);
}

#[tokio::test]
async fn an_archived_budget_pays_nothing_more_and_is_still_charged() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({})).await;
    let id = lease_id(&sidecar.lease(&ask("a", 100)).await);
    let archived = archive(&sidecar, &budget).await;
    assert!(archived["archived_at"].is_string());
    assert_eq!(sidecar.lease(&ask("a", 100)).await["budgets"], json!([]));
    assert_eq!(
        sidecar.report("a", hold(&budget, id, 100, 0)).await["lease"]["status"],
        "retired"
    );
    sidecar.charge("e", json!([charge(&budget, Some(id), 100)])).await;
    let shown = sidecar.budget(budget["id"].as_str().unwrap()).await;
    assert_eq!(shown["spent"], "0.0000001");
    assert_eq!(sidecar.get("/admin/v1/budgets").await["budgets"], json!([]));
    let all = sidecar.get("/admin/v1/budgets?archived=true").await;
    assert_eq!(all["budgets"].as_array().unwrap().len(), 1);
    let path = format!("/admin/v1/budgets/{}", budget["id"].as_str().unwrap());
    let response = sidecar.admin(Method::PATCH, &path, &json!({"amount": "2"})).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn a_budget_that_becomes_soft_is_leased_no_more() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({})).await;
    let id = lease_id(&sidecar.lease(&ask("a", 100)).await);
    patch(&sidecar, &budget, json!({"enforcement": "soft"})).await;
    assert_eq!(
        sidecar.report("a", hold(&budget, id, 0, 0)).await["lease"]["status"],
        "retired"
    );
    let answer = sidecar.lease(&ask("a", 100)).await;
    assert_eq!(answer["budgets"][0]["lease"], Value::Null);
    assert_eq!(answer["budgets"][0]["enforcement"], "soft");
}

#[tokio::test]
async fn a_budget_that_is_none_is_not_found() {
    let sidecar = Sidecar::start().await;
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let response = sidecar
            .admin(method, "/admin/v1/budgets/bud_none", &json!({}))
            .await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}
