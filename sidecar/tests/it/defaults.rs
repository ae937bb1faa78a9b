//! Budgets of the configuration: there from the start, once.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::money::ask;
use super::support::{Sidecar, expect};

const TIERS: &str = "budgets: {tiers: {}}";

async fn all(sidecar: &Sidecar) -> Vec<Value> {
    sidecar.get("/admin/v1/budgets").await["budgets"]
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn without_them_there_is_no_budget() {
    let sidecar = Sidecar::start().await;
    assert_eq!(all(&sidecar).await, Vec::<Value>::new());
}

#[tokio::test]
async fn tiers_cap_each_request_and_each_session() {
    let sidecar = Sidecar::start_with(TIERS).await;
    let mut request = ask("a", 0);
    request["facts"]["session"] = json!("s");
    request["need"]["tokens"] = json!(100);
    let answer = sidecar.lease(&request).await;
    let mut told: Vec<(String, u64)> = answer["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|budget| {
            (
                budget["name"].as_str().unwrap().to_owned(),
                budget["amount"].as_u64().unwrap(),
            )
        })
        .collect();
    told.sort();
    let expected = [("tokens of a request", 10_000), ("tokens of a session", 50_000)];
    assert_eq!(told, expected.map(|(name, amount)| (name.to_owned(), amount)));
}

#[tokio::test]
async fn sidecars_that_start_again_and_beside_make_none_twice() {
    let mut sidecar = Sidecar::start_with(TIERS).await;
    assert_eq!(all(&sidecar).await.len(), 2);
    let version = sidecar
        .sql("SELECT value FROM counters WHERE name = 'budget_version'")
        .await;
    sidecar.restart().await;
    let others = [sidecar.beside().await, sidecar.beside().await];
    for sidecar in others.iter().chain([&sidecar]) {
        assert_eq!(all(sidecar).await.len(), 2);
    }
    let after = sidecar
        .sql("SELECT value FROM counters WHERE name = 'budget_version'")
        .await;
    assert_eq!(after, version);
}

#[tokio::test]
async fn what_operators_change_stays_until_the_configuration_changes() {
    let of = |amount: u32| {
        format!(
            "budgets: {{defaults: [{{name: a user's month, subject: {{user: '*'}}, unit: usd, period: month, \
             amount: '{amount}'}}]}}"
        )
    };
    let mut sidecar = Sidecar::start_with(&of(10)).await;
    let id = all(&sidecar).await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/v1/budgets/{id}");
    let response = sidecar
        .admin(Method::PATCH, &path, &json!({"amount": "15"}))
        .await;
    expect(response, StatusCode::OK).await;
    sidecar.restart().await;
    assert_eq!(all(&sidecar).await[0]["amount"], "15");
    sidecar.restart_with(&of(20)).await;
    let now = all(&sidecar).await;
    assert_eq!(
        (now.len(), &now[0]["amount"], &now[0]["id"]),
        (1, &json!("20"), &json!(id))
    );
}
