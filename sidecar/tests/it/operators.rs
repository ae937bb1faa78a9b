//! Operators: how they sign in, what ends that, and tokens that can do no more than who made them.

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::money::TestClock;
use super::support::{Sidecar, expect};

const SESSION: &str = "/admin/v1/session";
const KEYS: &str = "/admin/v1/keys";
const PASSWORD: &str = "correct horse battery";

async fn make(sidecar: &Sidecar, path: &str, body: Value) -> Value {
    let made = sidecar.admin(Method::POST, path, &body).await;
    expect(made, StatusCode::CREATED).await
}

async fn edit(sidecar: &Sidecar, operator: &Value, body: Value) {
    let path = format!("/admin/v1/operators/{}", operator["id"].as_str().unwrap());
    expect(sidecar.admin(Method::PATCH, &path, &body).await, StatusCode::OK).await;
}

/// The cookie that signing in gives, or the status that it is refused with.
async fn sign_in(sidecar: &Sidecar, name: &str, password: &str) -> Result<String, StatusCode> {
    let body = json!({"name": name, "password": password});
    let request = sidecar.request(Method::POST, SESSION).json(&body);
    let response = request.send().await.unwrap();
    let cookie = response.headers().get("set-cookie");
    let cookie = cookie.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
    cookie.ok_or(response.status())
}

async fn session(sidecar: &Sidecar, cookie: &str) -> Value {
    let request = sidecar.request(Method::GET, SESSION).header("cookie", cookie);
    expect(request.send().await.unwrap(), StatusCode::OK).await
}

async fn status(sidecar: &Sidecar, token: &Value) -> StatusCode {
    let request = sidecar
        .request(Method::GET, KEYS)
        .bearer_auth(token.as_str().unwrap());
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn an_operator_signs_in_by_name_and_password_and_sees_only_their_workspace() {
    let sidecar = Sidecar::start().await;
    for workspace in ["acme", "other"] {
        sidecar
            .create_key(&json!({"name": "k", "workspace": workspace}))
            .await;
    }
    let ann = json!({"name": "ann", "password": PASSWORD, "roles": {"acme": "member"}});
    let operator = make(&sidecar, "/admin/v1/operators", ann).await;
    assert_eq!(operator["has_password"], true);
    assert!(!operator.to_string().contains("argon2"), "{operator}");

    for (name, password) in [("ann", "correct horse batterY"), ("bob", PASSWORD)] {
        assert_eq!(
            sign_in(&sidecar, name, password).await,
            Err(StatusCode::UNAUTHORIZED)
        );
    }
    let cookie = sign_in(&sidecar, "ann", PASSWORD).await.unwrap();
    let seen = session(&sidecar, &cookie).await;
    assert_eq!(seen["principal"], "operator:ann");
    assert_eq!(seen["roles"], json!({"acme": "member"}));
    let request = sidecar.request(Method::GET, KEYS).header("cookie", &cookie);
    let page = expect(request.send().await.unwrap(), StatusCode::OK).await;
    let workspaces: Vec<_> = page["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["workspace"])
        .collect();
    assert_eq!(workspaces, ["acme"]);
}

#[tokio::test]
async fn a_session_ends_with_its_password_and_while_its_operator_is_disabled() {
    let sidecar = Sidecar::start().await;
    let ann = json!({"name": "ann", "password": PASSWORD, "roles": {"*": "viewer"}});
    let ann = make(&sidecar, "/admin/v1/operators", ann).await;
    let cookie = sign_in(&sidecar, "ann", PASSWORD).await.unwrap();
    edit(&sidecar, &ann, json!({"status": "disabled"})).await;
    assert_eq!(session(&sidecar, &cookie).await["principal"], Value::Null);
    assert_eq!(
        sign_in(&sidecar, "ann", PASSWORD).await,
        Err(StatusCode::UNAUTHORIZED)
    );
    edit(
        &sidecar,
        &ann,
        json!({"status": "active", "roles": {"*": "admin"}}),
    )
    .await;
    assert_eq!(session(&sidecar, &cookie).await["roles"], json!({"*": "admin"}));
    edit(&sidecar, &ann, json!({"password": "another good one"})).await;
    assert_eq!(session(&sidecar, &cookie).await["principal"], Value::Null);
    assert!(sign_in(&sidecar, "ann", "another good one").await.is_ok());
}

#[tokio::test]
async fn a_token_is_shown_once_and_holds_until_it_ends_or_is_revoked() {
    let clock = TestClock::at("2026-03-01T12:00:00Z");
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    let end: Timestamp = "2026-03-01T13:00:00Z".parse().unwrap();
    let body = json!({"name": "ci", "workspace": "acme", "role": "viewer", "expires_at": end});
    let token = make(&sidecar, "/admin/v1/tokens", body).await;
    assert!(token["token"].as_str().unwrap().starts_with("tg_admin_"));
    let path = format!("/admin/v1/tokens/{}", token["id"].as_str().unwrap());
    let shown = sidecar.get(&path).await;
    assert_eq!(
        (&shown["token"], &shown["last_used_at"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(status(&sidecar, &token["token"]).await, StatusCode::OK);
    assert_eq!(sidecar.get(&path).await["last_used_at"], "2026-03-01T12:00:00Z");
    clock.set("2026-03-01T13:00:00Z");
    assert_eq!(status(&sidecar, &token["token"]).await, StatusCode::UNAUTHORIZED);

    let other = make(
        &sidecar,
        "/admin/v1/tokens",
        json!({"name": "x", "role": "owner"}),
    )
    .await;
    assert_eq!(status(&sidecar, &other["token"]).await, StatusCode::OK);
    let path = format!("/admin/v1/tokens/{}/revoke", other["id"].as_str().unwrap());
    for _ in 0..2 {
        let revoked = sidecar.admin(Method::POST, &path, &json!({})).await;
        assert!(expect(revoked, StatusCode::OK).await["revoked_at"].is_string());
    }
    assert_eq!(status(&sidecar, &other["token"]).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_can_no_more_than_who_made_it_can_now() {
    let sidecar = Sidecar::start().await;
    let ann = json!({"name": "ann", "password": PASSWORD, "roles": {"acme": "admin"}});
    let ann = make(&sidecar, "/admin/v1/operators", ann).await;
    let cookie = sign_in(&sidecar, "ann", PASSWORD).await.unwrap();
    let csrf = session(&sidecar, &cookie).await["csrf"].clone();
    let make_token = async |body: Value| {
        let request = sidecar
            .request(Method::POST, "/admin/v1/tokens")
            .header("cookie", &cookie)
            .header("x-tollgate-csrf", csrf.as_str().unwrap())
            .header("sec-fetch-site", "same-origin");
        request.json(&body).send().await.unwrap()
    };
    for (workspace, role) in [("acme", "owner"), ("other", "viewer"), ("*", "viewer")] {
        let refused = make_token(json!({"name": "t", "workspace": workspace, "role": role})).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{role} of {workspace}");
    }
    let token = make_token(json!({"name": "t", "workspace": "acme", "role": "admin"})).await;
    let token = expect(token, StatusCode::CREATED).await["token"].clone();
    let create = async || {
        let request = sidecar
            .request(Method::POST, KEYS)
            .bearer_auth(token.as_str().unwrap());
        let body = json!({"name": "k", "workspace": "acme"});
        request.json(&body).send().await.unwrap().status()
    };
    assert_eq!(create().await, StatusCode::CREATED);
    edit(&sidecar, &ann, json!({"roles": {"acme": "viewer"}})).await;
    assert_eq!(create().await, StatusCode::FORBIDDEN);
    assert_eq!(status(&sidecar, &token).await, StatusCode::OK);
    let path = format!("/admin/v1/operators/{}", ann["id"].as_str().unwrap());
    let deleted = sidecar.admin(Method::DELETE, &path, &json!({})).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    assert_eq!(status(&sidecar, &token).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nobody_makes_somebody_stronger_than_themselves() {
    let sidecar = Sidecar::start().await;
    let admin = make(
        &sidecar,
        "/admin/v1/tokens",
        json!({"name": "a", "role": "admin"}),
    )
    .await;
    let ask = async |method, path: String, body: Value| {
        let request = sidecar
            .request(method, &path)
            .bearer_auth(admin["token"].as_str().unwrap());
        request.json(&body).send().await.unwrap().status()
    };
    let owner = make(
        &sidecar,
        "/admin/v1/operators",
        json!({"name": "o", "roles": {"*": "owner"}}),
    )
    .await;
    let owner = format!("/admin/v1/operators/{}", owner["id"].as_str().unwrap());
    let create = json!({"name": "n", "roles": {"acme": "owner"}});
    let operators = "/admin/v1/operators".to_owned();
    assert_eq!(
        ask(Method::POST, operators.clone(), create).await,
        StatusCode::FORBIDDEN
    );
    let takeover = json!({"password": "let me in, please"});
    assert_eq!(
        ask(Method::PATCH, owner.clone(), takeover).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(ask(Method::DELETE, owner, json!({})).await, StatusCode::FORBIDDEN);
    let create = json!({"name": "n", "roles": {"acme": "admin"}});
    assert_eq!(
        ask(Method::POST, operators.clone(), create.clone()).await,
        StatusCode::CREATED
    );
    assert_eq!(
        ask(Method::POST, operators, create).await,
        StatusCode::CONFLICT,
        "the name is taken"
    );
}
