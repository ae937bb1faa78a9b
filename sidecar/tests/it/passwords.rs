//! An operator's own password, and what the audit log says of who comes and goes.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::money::TestClock;
use super::session::Browser;
use super::support::{ADMIN, Sidecar, expect};

const SESSION: &str = "/admin/v1/session";
const CHANGE: &str = "/admin/v1/session/password";
const OLD: &str = "correct horse battery";
const NEW: &str = "another good password";

async fn make_ann(sidecar: &Sidecar) -> Value {
    let ann = json!({"name": "ann", "password": OLD, "roles": {"*": "viewer"}});
    expect(
        sidecar.admin(Method::POST, "/admin/v1/operators", &ann).await,
        StatusCode::CREATED,
    )
    .await
}

async fn post(sidecar: &Sidecar, body: Value) -> Response {
    let request = sidecar.request(Method::POST, SESSION);
    request
        .header("user-agent", "a browser")
        .json(&body)
        .send()
        .await
        .unwrap()
}

async fn sign_in(sidecar: &Sidecar, password: &str) -> Response {
    post(sidecar, json!({"name": "ann", "password": password})).await
}

async fn change(sidecar: &Sidecar, browser: &Browser, current: &str, new: &str) -> Response {
    let body = json!({"current_password": current, "new_password": new});
    let request = browser.change(sidecar, Method::POST, CHANGE);
    request.json(&body).send().await.unwrap()
}

/// The audit log's entries of this action.
async fn told(sidecar: &Sidecar, action: &str) -> Vec<Value> {
    let log = sidecar.get("/admin/v1/audit").await;
    let entries = log["entries"].as_array().unwrap().iter();
    entries
        .filter(|entry| entry["action"] == action)
        .cloned()
        .collect()
}

#[tokio::test]
async fn a_new_password_ends_every_session_but_the_one_that_set_it() {
    let sidecar = Sidecar::start().await;
    let ann = make_ann(&sidecar).await;
    let here = Browser::of(&sidecar, sign_in(&sidecar, OLD).await).await;
    let there = Browser::of(&sidecar, sign_in(&sidecar, OLD).await).await;
    let changed = change(&sidecar, &here, OLD, NEW).await;
    let now = Browser::of(&sidecar, changed).await;
    assert_eq!(now.session(&sidecar).await["principal"], "operator:ann");
    for ended in [&here, &there] {
        assert_eq!(ended.session(&sidecar).await["principal"], Value::Null);
    }
    assert_eq!(sign_in(&sidecar, OLD).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&sidecar, NEW).await.status(), StatusCode::NO_CONTENT);
    let edits = told(&sidecar, "operator.edit").await;
    assert_eq!(edits.len(), 1);
    assert_eq!(
        (
            &edits[0]["actor"],
            &edits[0]["target"],
            &edits[0]["detail"]["after"]["password_changed"]
        ),
        (&json!("operator:ann"), &ann["id"], &json!(true))
    );
}

#[tokio::test]
async fn guesses_at_the_current_password_are_counted_with_those_at_the_door() {
    let clock = TestClock::at("2026-03-01T08:00:00Z");
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    let ann = make_ann(&sidecar).await;
    let browser = Browser::of(&sidecar, sign_in(&sidecar, OLD).await).await;
    let short = change(&sidecar, &browser, OLD, "short").await;
    expect(short, StatusCode::UNPROCESSABLE_ENTITY).await;
    for _ in 0..10 {
        let wrong = change(&sidecar, &browser, "a guess at it", NEW).await;
        let problem = expect(wrong, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(problem["errors"][0]["pointer"], "#/current_password");
    }
    let refused = change(&sidecar, &browser, OLD, NEW).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        sign_in(&sidecar, OLD).await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    let entries = told(&sidecar, "session.refuse").await;
    assert_eq!(entries.len(), 10);
    assert!(
        entries
            .iter()
            .all(|entry| entry["actor"] == "operator:ann" && entry["target"] == ann["id"]),
        "{entries:?}"
    );
    clock.set("2026-03-01T08:01:01Z");
    let changed = change(&sidecar, &browser, OLD, NEW).await;
    assert_eq!(changed.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn only_who_has_signed_in_with_a_password_changes_one() {
    let sidecar = Sidecar::start().await;
    let body = json!({"current_password": OLD, "new_password": NEW});
    let nobody = sidecar.request(Method::POST, CHANGE).json(&body);
    expect(nobody.send().await.unwrap(), StatusCode::UNAUTHORIZED).await;
    expect(
        sidecar.admin(Method::POST, CHANGE, &body).await,
        StatusCode::FORBIDDEN,
    )
    .await;
    let admin = Browser::of(&sidecar, post(&sidecar, json!({"token": ADMIN})).await).await;
    let refused = change(&sidecar, &admin, OLD, NEW).await;
    expect(refused, StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn the_audit_log_tells_who_was_refused_and_who_has_left_and_no_secret() {
    let sidecar = Sidecar::start().await;
    let ann = make_ann(&sidecar).await;
    for wrong in [
        json!({"token": "my-secret-token"}),
        json!({"name": "ann", "password": "my-secret-guess"}),
        json!({"name": "my-secret-typed-as-a-name", "password": "x"}),
    ] {
        assert_eq!(post(&sidecar, wrong).await.status(), StatusCode::UNAUTHORIZED);
    }
    let browser = Browser::of(&sidecar, sign_in(&sidecar, OLD).await).await;
    let end = browser.change(&sidecar, Method::DELETE, SESSION);
    assert_eq!(end.send().await.unwrap().status(), StatusCode::NO_CONTENT);

    let refused = told(&sidecar, "session.refuse").await;
    let targets: Vec<&Value> = refused.iter().map(|entry| &entry["target"]).collect();
    assert_eq!(targets, [&json!("admin_token"), &ann["id"], &json!("unknown")]);
    assert!(
        refused.iter().all(|entry| entry["actor"] == "nobody"
            && entry["address"] == "127.0.0.1"
            && entry["user_agent"] == "a browser"),
        "{refused:?}"
    );
    let ended = told(&sidecar, "session.end").await;
    assert_eq!(ended.len(), 1);
    assert_eq!(
        (&ended[0]["actor"], &ended[0]["target"]),
        (&json!("operator:ann"), &ann["id"])
    );
    let log = sidecar.get("/admin/v1/audit").await.to_string();
    assert!(!log.contains("my-secret"), "{log}");
}
