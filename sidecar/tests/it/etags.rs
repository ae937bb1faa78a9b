//! Two operators who change the same thing: the second is told, where they want to be.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::support::{ADMIN, Sidecar, expect};

async fn ask(sidecar: &Sidecar, method: Method, path: &str, tag: Option<&str>, body: &Value) -> Response {
    let mut request = sidecar.request(method, path).bearer_auth(ADMIN);
    if let Some(tag) = tag {
        request = request.header("if-match", tag);
    }
    request.json(body).send().await.unwrap()
}

fn tag(response: &Response) -> String {
    assert!(response.status().is_success(), "{}", response.status());
    response.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_change_for_a_version_that_is_no_more_is_refused_and_changes_nothing() {
    let sidecar = Sidecar::start().await;
    let things = [
        (
            "keys",
            json!({"name": "k", "workspace": "acme"}),
            json!({"name": "a"}),
            json!({"name": "b"}),
        ),
        (
            "budgets",
            json!({"subject": {"workspace": "acme"}, "unit": "usd", "period": "total", "amount": "1"}),
            json!({"amount": "2"}),
            json!({"amount": "3"}),
        ),
        (
            "operators",
            json!({"name": "ann", "roles": {}}),
            json!({"roles": {"acme": "viewer"}}),
            json!({"status": "disabled"}),
        ),
        (
            "workspaces",
            json!({"id": "etags"}),
            json!({"display_name": "A"}),
            json!({"status": "paused"}),
        ),
        (
            "moderation/policies",
            json!({"id": "etags", "policy": {"rules": [{"name": "a", "category": "c", "action": "flag", "words": ["a"]}]}}),
            json!({"policy": {"rules": [{"name": "b", "category": "c", "action": "flag", "words": ["b"]}]}}),
            json!({"policy": {"rules": [{"name": "c", "category": "c", "action": "flag", "words": ["c"]}]}}),
        ),
        (
            "prices",
            json!({"id": "etags", "price": {"input_cost_per_token": 1}}),
            json!({"price": {"input_cost_per_token": 2}}),
            json!({"price": {"input_cost_per_token": 3}}),
        ),
        (
            "users",
            json!({"workspace": "acme", "user": "ann"}),
            json!({"display_name": "A"}),
            json!({"status": "paused"}),
        ),
        (
            "webhooks",
            json!({"url": "https://example.com/a"}),
            json!({"status": "paused"}),
            json!({"url": "https://example.com/b"}),
        ),
    ];
    for (collection, new, one, other) in things {
        let path = format!("/admin/v1/{collection}");
        let made = expect(
            sidecar.admin(Method::POST, &path, &new).await,
            StatusCode::CREATED,
        )
        .await;
        let path = format!("{path}/{}", made["id"].as_str().unwrap());
        let seen = tag(&ask(&sidecar, Method::GET, &path, None, &json!({})).await);
        let changed = tag(&ask(&sidecar, Method::PATCH, &path, Some(&seen), &one).await);
        assert_ne!(seen, changed, "{path}");
        for method in [Method::PATCH, Method::DELETE] {
            if ["keys", "users"].contains(&collection) && method == Method::DELETE {
                continue;
            }
            let late = ask(&sidecar, method.clone(), &path, Some(&seen), &other).await;
            let problem = expect(late, StatusCode::PRECONDITION_FAILED).await;
            assert_eq!(
                problem["type"], "urn:tollgate:problem:changed-since",
                "{method} {path}"
            );
        }
        let response = ask(&sidecar, Method::GET, &path, None, &json!({})).await;
        assert_eq!(tag(&response), changed, "{path}: nothing has changed");
        for good in [&format!("\"x\", {changed}"), "*"] {
            tag(&ask(&sidecar, Method::PATCH, &path, Some(good), &one).await);
        }
        tag(&ask(&sidecar, Method::PATCH, &path, None, &other).await);
    }
}

#[tokio::test]
async fn a_deposit_is_a_change_of_its_budget_and_what_is_done_to_a_key_one_of_the_key() {
    let sidecar = Sidecar::start().await;
    let budget = json!({"subject": {"workspace": "acme"}, "unit": "usd", "period": "total", "amount": "1"});
    let budget = expect(
        sidecar.admin(Method::POST, "/admin/v1/budgets", &budget).await,
        StatusCode::CREATED,
    )
    .await;
    let path = format!("/admin/v1/budgets/{}", budget["id"].as_str().unwrap());
    let seen = tag(&ask(&sidecar, Method::GET, &path, None, &json!({})).await);
    let deposit = sidecar
        .request(Method::POST, &format!("{path}/deposits"))
        .bearer_auth(ADMIN)
        .header("idempotency-key", "invoice-1");
    let deposit = deposit.json(&json!({"amount": "5"})).send().await.unwrap();
    assert_eq!(deposit.status(), StatusCode::CREATED);
    let late = ask(
        &sidecar,
        Method::PATCH,
        &path,
        Some(&seen),
        &json!({"amount": "2"}),
    )
    .await;
    assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED);

    let key = sidecar
        .create_key(&json!({"name": "k", "workspace": "acme"}))
        .await;
    let path = format!("/admin/v1/keys/{}", key["id"].as_str().unwrap());
    let seen = tag(&ask(&sidecar, Method::GET, &path, None, &json!({})).await);
    let pause = format!("{path}/pause");
    let paused = ask(&sidecar, Method::POST, &pause, Some(&seen), &json!({})).await;
    assert_ne!(tag(&paused), seen);
    let revoke = format!("{path}/revoke");
    let late = ask(&sidecar, Method::POST, &revoke, Some(&seen), &json!({})).await;
    assert_eq!(late.status(), StatusCode::PRECONDITION_FAILED);
}
