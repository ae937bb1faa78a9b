//! Deposits: a prepaid balance grows by each once.

use std::sync::Arc;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::money::{ask, charge};
use super::support::{ADMIN, Sidecar, expect};

async fn prepaid(sidecar: &Sidecar) -> Value {
    sidecar
        .create_budget(json!({"name": "prepaid", "period": "total", "amount": "0"}))
        .await
}

async fn deposit(sidecar: &Sidecar, budget: &Value, key: &str, amount: &str) -> Response {
    let path = format!("/admin/v1/budgets/{}/deposits", budget["id"].as_str().unwrap());
    sidecar
        .request(Method::POST, &path)
        .bearer_auth(ADMIN)
        .header("idempotency-key", key)
        .json(&json!({ "amount": amount }))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_balance_that_is_empty_pays_once_money_is_on_it() {
    let sidecar = Sidecar::start().await;
    let budget = prepaid(&sidecar).await;
    assert_eq!(sidecar.lease(&ask("a", 1)).await["exhausted"]["available"], 0);
    let answer = expect(deposit(&sidecar, &budget, "k", "5.00").await, StatusCode::CREATED).await;
    assert_eq!(
        (&answer["amount"], &answer["budget_amount"]),
        (&json!("5"), &json!("5"))
    );
    assert_eq!(sidecar.lease(&ask("a", 1)).await["exhausted"], Value::Null);
    let shown = sidecar.budget(budget["id"].as_str().unwrap()).await;
    assert_eq!(
        (&shown["amount"], &shown["period_end"]),
        (&json!("5"), &Value::Null)
    );
}

#[tokio::test]
async fn a_deposit_that_is_sent_again_is_answered_the_same_and_made_once() {
    let sidecar = Sidecar::start().await;
    let budget = prepaid(&sidecar).await;
    let first = expect(deposit(&sidecar, &budget, "k", "5.00").await, StatusCode::CREATED).await;
    expect(
        deposit(&sidecar, &budget, "other", "1").await,
        StatusCode::CREATED,
    )
    .await;
    // The same amount, written in another way.
    let again = expect(deposit(&sidecar, &budget, "k", "5").await, StatusCode::CREATED).await;
    assert_eq!(first, again);
    assert_eq!(
        sidecar.budget(budget["id"].as_str().unwrap()).await["amount"],
        "6"
    );
    let reused = deposit(&sidecar, &budget, "k", "7.00").await;
    let problem = expect(reused, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(problem["type"], "urn:tollgate:problem:idempotency-key-reused");
    assert_eq!(
        sidecar.budget(budget["id"].as_str().unwrap()).await["amount"],
        "6"
    );
}

#[tokio::test]
async fn one_key_that_comes_many_times_at_once_is_one_deposit() {
    let one = Arc::new(Sidecar::start().await);
    let other = Arc::new(one.beside().await);
    let budget = prepaid(&one).await;
    let mut sent = JoinSet::new();
    for sidecar in [&one, &other].into_iter().cycle().take(12) {
        let (sidecar, budget) = (Arc::clone(sidecar), budget.clone());
        sent.spawn(async move { deposit(&sidecar, &budget, "k", "2.5").await.status() });
    }
    for status in sent.join_all().await {
        assert_eq!(status, StatusCode::CREATED);
    }
    assert_eq!(one.budget(budget["id"].as_str().unwrap()).await["amount"], "2.5");
    assert_eq!(one.sql("SELECT COUNT(*) FROM deposits").await, 1);
    assert_eq!(one.sql("SELECT amount FROM budget_accounts").await, 2_500_000_000);
}

#[tokio::test]
async fn thresholds_are_told_again_after_a_deposit_that_made_them_far_again() {
    let sidecar = Sidecar::start().await;
    let budget = prepaid(&sidecar).await;
    for round in 1..=3 {
        expect(
            deposit(&sidecar, &budget, &format!("k{round}"), "0.0000001").await,
            StatusCode::CREATED,
        )
        .await;
        sidecar
            .charge(&format!("e{round}"), json!([charge(&budget, None, 100)]))
            .await;
        let told = sidecar.sql("SELECT COUNT(*) FROM notifications WHERE kind = 'budget.threshold'");
        assert_eq!(told.await, 2 * round);
    }
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn what_is_no_deposit_is_refused() {
    let sidecar = Sidecar::start().await;
    let budget = prepaid(&sidecar).await;
    let path = format!("/admin/v1/budgets/{}/deposits", budget["id"].as_str().unwrap());
    let keyless = sidecar.admin(Method::POST, &path, &json!({"amount": "1"})).await;
    assert_eq!(keyless.status(), StatusCode::BAD_REQUEST);
    for amount in ["0", "-1", "ten", "1e3", "4611686018.427387904"] {
        let response = deposit(&sidecar, &budget, amount, amount).await;
        let problem = expect(response, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(problem["errors"][0]["pointer"], "#/amount", "{amount}");
    }
    let nobody = deposit(&sidecar, &json!({"id": "bud_none"}), "k", "1").await;
    assert_eq!(nobody.status(), StatusCode::NOT_FOUND);
    let monthly = sidecar.create_budget(json!({})).await;
    assert_eq!(
        deposit(&sidecar, &monthly, "k", "1").await.status(),
        StatusCode::CONFLICT
    );
    assert_eq!(sidecar.sql("SELECT COUNT(*) FROM deposits").await, 0);
}
