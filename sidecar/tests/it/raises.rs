//! Raises: for a while there is more in a budget, and not a moment longer.

use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::money::{TestClock, ask, done, granted, lease_id};
use super::support::{Sidecar, expect};

const NOW: &str = "2026-01-15T12:00:00Z";

fn after(seconds: i64) -> String {
    let now: Timestamp = NOW.parse().unwrap();
    (now + SignedDuration::from_secs(seconds)).to_string()
}

fn raise(amount: &str, seconds: i64) -> Value {
    json!({"amount": amount, "until": after(seconds), "reason": "the launch"})
}

async fn post(sidecar: &Sidecar, budget: &str, body: &Value) -> Response {
    let path = format!("/admin/v1/budgets/{budget}/raises");
    sidecar.admin(Method::POST, &path, body).await
}

/// A budget of ten nano-dollars in total.
async fn small(sidecar: &Sidecar) -> String {
    let spec = json!({"amount": "0.00000001", "period": "total"});
    let made = sidecar.create_budget(spec).await;
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn while_a_raise_lasts_there_is_more_and_then_there_is_not() {
    let clock = TestClock::at(NOW);
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    let budget = small(&sidecar).await;
    assert_eq!(sidecar.lease(&ask("a", 15)).await["exhausted"]["available"], 10);

    let made = post(&sidecar, &budget, &raise("0.00000002", 600)).await;
    let made = expect(made, StatusCode::CREATED).await;
    assert_eq!(
        (&made["amount"], &made["active"]),
        (&json!("0.00000002"), &json!(true))
    );
    let shown = sidecar.budget(&budget).await;
    assert_eq!(shown["amount"], "0.00000003");
    assert_eq!(shown["own_amount"], "0.00000001");
    assert_eq!(shown["raised_until"], json!(after(600)));

    let answer = sidecar.lease(&ask("a", 15)).await;
    assert!(granted(&answer) >= 15, "{answer}");
    assert_eq!(answer["budgets"][0]["amount"], 30);
    sidecar.assert_balanced().await;

    clock.pass(595_000);
    let renewed = sidecar.lease(&ask("b", 1)).await;
    let ends_in = renewed["budgets"][0]["lease"]["expires_in_ms"].as_u64().unwrap();
    assert!(ends_in <= 5_000, "no lease outlasts the raise: {renewed}");

    clock.pass(5_000);
    let shown = sidecar.budget(&budget).await;
    assert_eq!(
        (&shown["amount"], &shown["raised_until"]),
        (&json!("0.00000001"), &Value::Null)
    );
    for (instance, lease) in [("a", &answer), ("b", &renewed)] {
        let none = sidecar.lease(&ask(instance, 11)).await;
        assert!(none["exhausted"].is_object(), "more than there is: {none}");
        let id = json!({"id": budget});
        sidecar.report(instance, done(&id, lease_id(lease), 0)).await;
    }
    let own = sidecar.lease(&ask("a", 10)).await;
    assert_eq!(
        own["exhausted"],
        Value::Null,
        "what is its own has come back: {own}"
    );
    assert_eq!(granted(&own), 10);
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn a_raise_that_is_withdrawn_ends_and_is_still_listed() {
    let clock = TestClock::at(NOW);
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    let budget = small(&sidecar).await;
    let made = post(&sidecar, &budget, &raise("1", 600)).await;
    let made = expect(made, StatusCode::CREATED).await;
    let path = format!(
        "/admin/v1/budgets/{budget}/raises/{}",
        made["id"].as_str().unwrap()
    );
    for _ in 0..2 {
        let withdrawn = sidecar.admin(Method::DELETE, &path, &Value::Null).await;
        assert_eq!(withdrawn.status(), StatusCode::NO_CONTENT);
    }
    assert_eq!(sidecar.budget(&budget).await["amount"], "0.00000001");
    let listed = sidecar.get(&format!("/admin/v1/budgets/{budget}/raises")).await;
    assert_eq!(listed["raises"][0]["withdrawn_at"], json!(after(0)), "{listed}");
    assert_eq!(listed["raises"][0]["active"], false);
    assert_eq!(sidecar.lease(&ask("a", 11)).await["exhausted"]["available"], 10);
    let none = sidecar
        .admin(Method::DELETE, &format!("{path}x"), &Value::Null)
        .await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    let audit = sidecar.get("/admin/v1/audit").await.to_string();
    for told in ["budget.raise", "budget.withdraw_raise", "the launch"] {
        assert!(audit.contains(told), "{audit}");
    }
}

#[tokio::test]
async fn a_raise_that_cannot_be_is_refused_by_its_field() {
    let clock = TestClock::at(NOW);
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    let budget = small(&sidecar).await;
    for (body, pointer) in [
        (raise("0", 600), "#/amount"),
        (raise("a lot", 600), "#/amount"),
        (raise("1", 60), "#/until"),
        (raise("1", -60), "#/until"),
        (raise("1", 400 * 86_400), "#/until"),
        (
            json!({"amount": "1", "until": after(600), "reason": ""}),
            "#/reason",
        ),
    ] {
        let refused = post(&sidecar, &budget, &body).await;
        let refused = expect(refused, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    let template = json!({"subject": {"workspace": "*"}, "amount": "1"});
    let cap = json!({"period": "request", "amount": "1"});
    for spec in [template, cap] {
        let made = sidecar.create_budget(spec).await;
        let refused = post(&sidecar, made["id"].as_str().unwrap(), &raise("1", 600)).await;
        assert_eq!(refused.status(), StatusCode::CONFLICT, "{made}");
    }
    let missing = post(&sidecar, "bud_none", &raise("1", 600)).await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}
