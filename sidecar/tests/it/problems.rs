//! Errors are RFC 9457 problems that name the field.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{ADMIN, GATEWAY, Sidecar};

/// The problem, where the answer is a well-formed one.
async fn problem(response: reqwest::Response, status: StatusCode) -> Value {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.headers().contains_key("x-tollgate-sidecar"));
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status.as_u16());
    for field in ["type", "title", "detail"] {
        assert!(!problem[field].as_str().unwrap().is_empty(), "{field}");
    }
    problem
}

#[tokio::test]
async fn a_field_that_is_unknown_or_wrong_is_named() {
    let sidecar = Sidecar::start().await;
    for (body, pointer) in [
        (
            json!({"name": "a", "workspace": "w", "colour": "blue"}),
            "#/colour",
        ),
        (json!({"name": 7, "workspace": "w"}), "#/name"),
        (
            json!({"name": "a", "workspace": "w", "models": ["x", 1]}),
            "#/models/1",
        ),
        (
            json!({"name": "a", "workspace": "w", "models": ["x", ""]}),
            "#/models/1",
        ),
        (
            json!({"name": "a", "workspace": "w", "expires_at": "soon"}),
            "#/expires_at",
        ),
        (json!({"name": " ", "workspace": "w"}), "#/name"),
        (json!({"name": "a"}), "#/workspace"),
    ] {
        let response = sidecar.admin(Method::POST, "/admin/v1/keys", &body).await;
        let problem = problem(response, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(!problem.to_string().contains(" line "), "{problem}");
    }
}

#[tokio::test]
async fn a_query_that_is_wrong_is_told_in_words_of_the_api() {
    let sidecar = Sidecar::start().await;
    for (query, fault) in [
        ("limit=x", "limit: expected a whole number"),
        ("newest=maybe", "newest: expected true or false"),
        ("colour=blue", "colour: unknown field `colour`, expected one of "),
    ] {
        let request = sidecar.request(Method::GET, &format!("/admin/v1/events?{query}"));
        let response = request.bearer_auth(ADMIN).send().await.unwrap();
        let problem = problem(response, StatusCode::BAD_REQUEST).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.starts_with(&format!("the query of the address: {fault}")),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn whoever_is_not_known_is_told_which_token_is_asked_for() {
    let sidecar = Sidecar::start().await;
    for (path, token, asked) in [
        ("/admin/v1/keys", None, "send the admin_token"),
        ("/admin/v1/keys", Some("a-guess"), "this token is not known here"),
        ("/admin/v1/keys", Some(GATEWAY), "this token is not known here"),
        ("/v1/keys/changes", Some(ADMIN), "send one of the gateway_tokens"),
    ] {
        let mut request = sidecar.request(Method::POST, path);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let problem = problem(request.send().await.unwrap(), StatusCode::UNAUTHORIZED).await;
        assert!(
            problem["detail"].as_str().unwrap().starts_with(asked),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn an_array_is_no_body_that_says_nothing() {
    let sidecar = Sidecar::start().await;
    let response = sidecar
        .admin(Method::PATCH, "/admin/v1/keys/key_x", &json!([null, null]))
        .await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn every_wrong_field_is_told_at_once() {
    let sidecar = Sidecar::start().await;
    let response = sidecar
        .admin(
            Method::POST,
            "/admin/v1/keys",
            &json!({"name": "", "workspace": ""}),
        )
        .await;
    let problem = problem(response, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let sidecar = Sidecar::start().await;
    for body in ["", "{", "{}{}", "\u{feff}{}"] {
        let request = sidecar.request(Method::POST, "/v1/events").bearer_auth(GATEWAY);
        let response = request
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        let status = response.status();
        assert!(status.is_client_error(), "{body:?}: {status}");
        problem(response, status).await;
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let sidecar = Sidecar::start().await;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
    ] {
        let request = sidecar.request(Method::POST, "/admin/v1/keys").bearer_auth(ADMIN);
        let response = request
            .header("content-type", content_type)
            .body("{}")
            .send()
            .await
            .unwrap();
        problem(response, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    }
}

#[tokio::test]
async fn an_oversize_body_is_refused() {
    let sidecar = Sidecar::start().await;
    let body = json!({"name": "a".repeat(70_000), "workspace": "w"});
    let response = sidecar.admin(Method::POST, "/admin/v1/keys", &body).await;
    problem(response, StatusCode::PAYLOAD_TOO_LARGE).await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let sidecar = Sidecar::start().await;
    for (method, path, status) in [
        (Method::GET, "/nowhere", StatusCode::NOT_FOUND),
        (Method::GET, "/admin/v1/nowhere", StatusCode::NOT_FOUND),
        (Method::GET, "/admin/v1/keys/key_nobody", StatusCode::NOT_FOUND),
        (Method::DELETE, "/admin/v1/keys", StatusCode::METHOD_NOT_ALLOWED),
        (Method::POST, "/healthz", StatusCode::METHOD_NOT_ALLOWED),
        (Method::GET, "/admin/v1/keys/%ff", StatusCode::BAD_REQUEST),
        (
            Method::GET,
            "/admin/v1/events?limit=0",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            Method::GET,
            "/admin/v1/events?limit=many",
            StatusCode::BAD_REQUEST,
        ),
        (
            Method::GET,
            "/admin/v1/events?colour=blue",
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let response = sidecar
            .request(method, path)
            .bearer_auth(ADMIN)
            .send()
            .await
            .unwrap();
        if status == StatusCode::METHOD_NOT_ALLOWED {
            assert!(response.headers().contains_key("allow"), "{path}");
        }
        problem(response, status).await;
    }
}
