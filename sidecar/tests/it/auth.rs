//! Nothing but health is told to a caller without the right token.

use reqwest::{Method, StatusCode};

use super::support::{ADMIN, GATEWAY, Sidecar};

const ADMIN_ROUTES: &[(&str, &str)] = &[
    ("POST", "/admin/v1/keys"),
    ("GET", "/admin/v1/keys"),
    ("GET", "/admin/v1/keys/key_x"),
    ("PATCH", "/admin/v1/keys/key_x"),
    ("POST", "/admin/v1/keys/key_x/pause"),
    ("POST", "/admin/v1/keys/key_x/resume"),
    ("POST", "/admin/v1/keys/key_x/revoke"),
    ("GET", "/admin/v1/events"),
    ("GET", "/admin/v1/moderations"),
    ("GET", "/admin/v1/no-such-path"),
];
const GATEWAY_ROUTES: &[(&str, &str)] = &[
    ("POST", "/v1/keys/resolve"),
    ("POST", "/v1/keys/changes"),
    ("POST", "/v1/events"),
    ("POST", "/v1/moderations"),
    ("GET", "/v1/no-such-path"),
];

async fn assert_shut(routes: &[(&str, &str)], foreign: &str) {
    let sidecar = Sidecar::start().await;
    for (method, path) in routes {
        for authorization in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer wrong"),
            Some(foreign),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = sidecar.request(method, path);
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let response = request.send().await.unwrap();
            assert_eq!(
                response.status(),
                StatusCode::UNAUTHORIZED,
                "{path} {authorization:?}"
            );
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            assert!(response.headers().contains_key("x-tollgate-sidecar"));
        }
    }
}

#[tokio::test]
async fn every_admin_route_is_shut_without_the_admin_token() {
    assert_shut(ADMIN_ROUTES, &format!("Bearer {GATEWAY}")).await;
}

#[tokio::test]
async fn every_gateway_route_is_shut_without_a_gateway_token() {
    assert_shut(GATEWAY_ROUTES, &format!("Bearer {ADMIN}")).await;
}

#[tokio::test]
async fn health_is_open_and_ready_once_the_ledger_is() {
    let sidecar = Sidecar::start().await;
    for path in ["/healthz", "/readyz"] {
        let response = sidecar.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(response.headers().contains_key("x-tollgate-sidecar"));
    }
}
