//! Templates: a budget for each subject, made when it is first seen.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::money::{ask, charge, done, lease_id};
use super::support::{Sidecar, expect};

/// A template for every user of every workspace.
async fn each_user(sidecar: &Sidecar) -> Value {
    sidecar
        .create_budget(
            json!({"name": "a user's month", "subject": {"workspace": "*", "user": "*"}, "amount": "10"}),
        )
        .await
}

fn asks(user: &str, need: u64) -> Value {
    let mut request = ask("a", need);
    request["facts"]["user"] = json!(user);
    request
}

async fn made_by(sidecar: &Sidecar, template: &Value) -> Vec<Value> {
    let path = format!(
        "/admin/v1/budgets?template_id={}",
        template["id"].as_str().unwrap()
    );
    sidecar.get(&path).await["budgets"].as_array().unwrap().clone()
}

#[tokio::test]
async fn who_is_first_seen_through_many_sidecars_at_once_gets_one_budget() {
    let one = Arc::new(Sidecar::start().await);
    let other = Arc::new(one.beside().await);
    let template = each_user(&one).await;
    assert_eq!(
        (&template["template"], &template["period_start"]),
        (&json!(true), &Value::Null)
    );
    let mut asking = JoinSet::new();
    for (at, sidecar) in [&one, &other].into_iter().cycle().take(16).enumerate() {
        let sidecar = Arc::clone(sidecar);
        let user = ["ann", "bob"][at % 4 / 2];
        asking.spawn(async move { sidecar.lease(&asks(user, 1_000)).await });
    }
    for answer in asking.join_all().await {
        assert_eq!(answer["budgets"].as_array().unwrap().len(), 1, "{answer}");
        assert_eq!(answer["exhausted"], Value::Null);
        // A budget that a template makes is no news for those who remember others.
        assert_eq!(answer["version"], 1);
    }
    let made = made_by(&one, &template).await;
    assert_eq!(made.len(), 2);
    assert_eq!(
        (&made[0]["name"], &made[0]["amount"], &made[0]["template_id"]),
        (&json!("a user's month"), &json!("10"), &template["id"])
    );
    one.assert_balanced().await;
}

#[tokio::test]
async fn a_subject_with_a_budget_of_its_own_gets_no_default() {
    let sidecar = Sidecar::start().await;
    let template = each_user(&sidecar).await;
    let own = sidecar
        .create_budget(json!({"subject": {"workspace": "acme", "user": "ann"}, "amount": "500"}))
        .await;
    let answer = sidecar.lease(&asks("ann", 1)).await;
    assert_eq!(answer["budgets"].as_array().unwrap().len(), 1);
    assert_eq!(answer["budgets"][0]["id"], own["id"]);
    // One of another period is beside the default.
    sidecar
        .create_budget(json!({"subject": {"workspace": "acme", "user": "bob"}, "period": "day"}))
        .await;
    assert_eq!(
        sidecar.lease(&asks("bob", 1)).await["budgets"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Who has the default already is told to change that.
    let body = json!({"subject": {"workspace": "acme", "user": "bob"}, "unit": "usd", "period": "month", "amount": "5"});
    let response = sidecar.admin(Method::POST, "/admin/v1/budgets", &body).await;
    let problem = expect(response, StatusCode::CONFLICT).await;
    let made = made_by(&sidecar, &template).await;
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains(made[0]["id"].as_str().unwrap())
    );
}

#[tokio::test]
async fn what_a_template_made_follows_it_until_it_is_changed_itself() {
    let sidecar = Sidecar::start().await;
    let template = each_user(&sidecar).await;
    for user in ["ann", "bob"] {
        sidecar.lease(&asks(user, 1)).await;
    }
    let patch = async |id: &Value, amount: &str| {
        let path = format!("/admin/v1/budgets/{}", id.as_str().unwrap());
        let response = sidecar
            .admin(Method::PATCH, &path, &json!({ "amount": amount }))
            .await;
        expect(response, StatusCode::OK).await;
    };
    let ann = made_by(&sidecar, &template).await[0]["id"].clone();
    patch(&ann, "99").await;
    patch(&template["id"], "20").await;
    let amounts: Vec<Value> = made_by(&sidecar, &template)
        .await
        .iter()
        .map(|b| b["amount"].clone())
        .collect();
    assert_eq!(amounts, ["99", "20"]);
    // The amount counts at once.
    assert_eq!(
        sidecar.lease(&asks("bob", 15_000_000_000)).await["exhausted"],
        Value::Null
    );
    assert_eq!(
        sidecar.lease(&asks("cat", 1)).await["budgets"][0]["amount"],
        20_000_000_000_u64
    );
}

#[tokio::test]
async fn with_a_template_goes_what_it_made() {
    let sidecar = Sidecar::start().await;
    let template = each_user(&sidecar).await;
    sidecar.lease(&asks("ann", 1)).await;
    let path = format!("/admin/v1/budgets/{}", template["id"].as_str().unwrap());
    expect(
        sidecar.admin(Method::DELETE, &path, &json!({})).await,
        StatusCode::OK,
    )
    .await;
    assert_eq!(sidecar.lease(&asks("ann", 1)).await["budgets"], json!([]));
    assert_eq!(made_by(&sidecar, &template).await, Vec::<Value>::new());
}

#[tokio::test]
async fn sessions_are_bounded_the_oldest_make_room() {
    let sidecar = Sidecar::start_with("budgets: {max_per_template: 3}").await;
    let template = sidecar
        .create_budget(json!({"unit": "tokens", "period": "session", "amount": "50000"}))
        .await;
    assert_eq!(template["subject"], json!({"workspace": "acme", "session": "*"}));
    let asks = |session: &str| {
        let mut request = ask("a", 0);
        request["facts"]["session"] = json!(session);
        request["need"]["tokens"] = json!(10);
        request
    };
    // The first keeps its lease, and so its budget.
    let kept = sidecar.lease(&asks("s0")).await;
    for session in ["s1", "s2", "s3", "s4"] {
        let answer = sidecar.lease(&asks(session)).await;
        assert_eq!(answer["exhausted"], Value::Null, "{session}");
        let budget = &answer["budgets"][0];
        sidecar.report("a", done(budget, lease_id(&answer), 0)).await;
    }
    let live = "SELECT COUNT(*) FROM budgets WHERE template_id IS NOT NULL AND archived_at IS NULL";
    assert!(sidecar.sql(live).await <= 3);
    let made = sidecar
        .sql("SELECT made FROM budgets WHERE template_id IS NULL")
        .await;
    assert_eq!(made, sidecar.sql(live).await);
    let again = sidecar.lease(&asks("s0")).await;
    assert_eq!(again["budgets"][0]["id"], kept["budgets"][0]["id"]);
}

#[tokio::test]
async fn users_are_bounded_and_who_is_one_too_many_is_refused() {
    let sidecar = Sidecar::start_with("budgets: {max_per_template: 2}").await;
    let template = each_user(&sidecar).await;
    for user in ["ann", "bob"] {
        assert_eq!(sidecar.lease(&asks(user, 1)).await["exhausted"], Value::Null);
    }
    let refused = sidecar.lease(&asks("cat", 1)).await;
    assert_eq!(
        refused["exhausted"],
        json!({"budget_id": template["id"], "available": 0, "may_return": false})
    );
    assert_eq!(refused["budgets"][0]["id"], template["id"]);
    assert_eq!(sidecar.lease(&asks("ann", 1)).await["exhausted"], Value::Null);
}

#[tokio::test]
async fn nobody_is_everybody() {
    let sidecar = Sidecar::start().await;
    each_user(&sidecar).await;
    assert_eq!(sidecar.lease(&asks("*", 1)).await["budgets"], json!([]));
    let budget = json!({"id": "none"});
    sidecar.charge("e", json!([charge(&budget, None, 0)])).await;
}

#[tokio::test]
async fn a_name_that_no_database_holds_gets_its_budget_all_the_same() {
    let sidecar = Sidecar::start().await;
    let template = sidecar
        .create_budget(json!({"name": "a model's month", "subject": {"model": "*"}, "amount": "10"}))
        .await;
    let mut request = ask("a", 1);
    request["facts"]["model"] = json!("gpt\0");
    let answer = sidecar.lease(&request).await;
    assert_eq!(answer["budgets"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(
        made_by(&sidecar, &template).await[0]["subject"],
        json!({"model": "gpt\u{fffd}"})
    );
}
