//! Prices that operators set, and the policy in which gateways are told of them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tollgate_core::policy::Policy;

use super::support::{Sidecar, expect};

const PRICES: &str = "/admin/v1/prices";

/// The policy as a gateway asks for it, which it must be able to take.
async fn policy(sidecar: &Sidecar) -> Value {
    let response = sidecar.gateway("/v1/policy", &json!({})).await;
    let told = expect(response, StatusCode::OK).await;
    let policy = Policy::parse(told.to_string().as_bytes()).unwrap();
    assert_eq!(policy.check(), Ok(()));
    told
}

#[tokio::test]
async fn a_price_is_told_to_gateways_until_it_is_deleted_and_each_change_is_a_new_version() {
    let sidecar = Sidecar::start().await;
    let new = json!({"id": "our/model", "price": {"input_cost_per_token": 1e-6}});
    let made = sidecar.admin(Method::POST, PRICES, &new).await;
    let made = expect(made, StatusCode::CREATED).await;
    let first = policy(&sidecar).await;
    assert_eq!(
        first["prices"]["our/model"],
        json!({"input_cost_per_token": 1e-6})
    );
    assert_eq!(first["version"], made["version"]);
    let taken = sidecar.admin(Method::POST, PRICES, &new).await;
    expect(taken, StatusCode::CONFLICT).await;

    let path = format!("{PRICES}/our%2Fmodel");
    let patch = json!({"price": {"input_cost_per_token": 2e-6, "output_cost_per_token": 3e-6}});
    for _ in 0..2 {
        expect(sidecar.admin(Method::PATCH, &path, &patch).await, StatusCode::OK).await;
    }
    let second = policy(&sidecar).await;
    assert_eq!(second["prices"]["our/model"], patch["price"]);
    let version = first["version"].as_u64().unwrap() + 1;
    assert_eq!(second["version"], version, "the same once more is no change");
    assert_eq!(sidecar.get(PRICES).await["prices"][0]["id"], "our/model");

    let deleted = sidecar.admin(Method::DELETE, &path, &json!({})).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let last = policy(&sidecar).await;
    assert_eq!(
        (&last["prices"], &last["version"]),
        (&json!({}), &json!(version + 1))
    );
    let changes = sidecar.gateway("/v1/keys/changes", &json!({})).await;
    let changes = expect(changes, StatusCode::OK).await;
    assert_eq!(changes["policy"], last["version"], "the feed names it");
}

#[tokio::test]
async fn what_gateways_would_not_take_is_refused_at_its_field() {
    let sidecar = Sidecar::start().await;
    for (price, pointer) in [
        (json!({}), "#/price"),
        (json!([]), "#/price"),
        (json!({"mode": "chat"}), "#/price"),
        (
            json!({"input_cost_per_token": -1}),
            "#/price/input_cost_per_token",
        ),
        (
            json!({"input_cost_per_token": "1"}),
            "#/price/input_cost_per_token",
        ),
        (
            json!({"input_cost_per_token": 1e-6, "litellm_provider": "x".repeat(3_000)}),
            "#/price",
        ),
    ] {
        let made = sidecar
            .admin(Method::POST, PRICES, &json!({"id": "m", "price": price}))
            .await;
        let problem = expect(made, StatusCode::UNPROCESSABLE_ENTITY).await;
        let at = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(at.starts_with(pointer), "{problem}");
    }
    assert_eq!(policy(&sidecar).await["prices"], json!({}));
}
