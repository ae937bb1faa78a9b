//! Operators' sessions: signing in and out, and what a cookie is good for.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::money::TestClock;
use super::support::{ADMIN, GATEWAY, Sidecar, expect};

const SESSION: &str = "/admin/v1/session";
const KEYS: &str = "/admin/v1/keys";

/// A browser that is signed in.
pub(crate) struct Browser {
    cookie: String,
    csrf: String,
}

// === impl Browser ===

impl Browser {
    async fn signed_in(sidecar: &Sidecar) -> Self {
        Self::of(sidecar, sign_in(sidecar, ADMIN).await).await
    }

    /// Of who has signed in with that answer.
    pub(crate) async fn of(sidecar: &Sidecar, response: Response) -> Self {
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        let set = response.headers()["set-cookie"].to_str().unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        let mut browser = Self {
            cookie,
            csrf: String::new(),
        };
        let view = browser.session(sidecar).await;
        browser.csrf = view["csrf"].as_str().unwrap().to_owned();
        browser
    }

    /// A request as the page sends it, but without what proves that it is the page.
    fn ask(&self, sidecar: &Sidecar, method: Method, path: &str) -> RequestBuilder {
        sidecar.request(method, path).header("cookie", &self.cookie)
    }

    /// A change as the page sends it.
    pub(crate) fn change(&self, sidecar: &Sidecar, method: Method, path: &str) -> RequestBuilder {
        self.ask(sidecar, method, path)
            .header("sec-fetch-site", "same-origin")
            .header("x-tollgate-csrf", &self.csrf)
    }

    pub(crate) async fn session(&self, sidecar: &Sidecar) -> Value {
        let response = self.ask(sidecar, Method::GET, SESSION).send().await.unwrap();
        expect(response, StatusCode::OK).await
    }

    async fn status(&self, sidecar: &Sidecar) -> StatusCode {
        self.ask(sidecar, Method::GET, KEYS)
            .send()
            .await
            .unwrap()
            .status()
    }
}

async fn sign_in(sidecar: &Sidecar, token: &str) -> Response {
    sidecar
        .request(Method::POST, SESSION)
        .json(&json!({ "token": token }))
        .send()
        .await
        .unwrap()
}

fn new_key() -> Value {
    json!({"name": "ci", "workspace": "w"})
}

#[tokio::test]
async fn who_signs_in_may_read_and_change_until_signing_out() {
    let sidecar = Sidecar::start().await;
    let browser = Browser::signed_in(&sidecar).await;
    assert_eq!(browser.status(&sidecar).await, StatusCode::OK);
    let view = browser.session(&sidecar).await;
    assert_eq!(view["principal"], "admin_token");
    assert!(view["expires_at"].is_string(), "{view}");

    let create = browser.change(&sidecar, Method::POST, KEYS).json(&new_key());
    expect(create.send().await.unwrap(), StatusCode::CREATED).await;

    let end = browser
        .change(&sidecar, Method::DELETE, SESSION)
        .send()
        .await
        .unwrap();
    assert_eq!(end.status(), StatusCode::NO_CONTENT);
    let set = end.headers()["set-cookie"].to_str().unwrap();
    assert!(
        set.starts_with("tollgate_session=;") && set.contains("Max-Age=0"),
        "{set}"
    );
    assert_eq!(browser.status(&sidecar).await, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.session(&sidecar).await["principal"], Value::Null);
}

#[tokio::test]
async fn the_cookie_is_out_of_every_pages_reach() {
    let sidecar = Sidecar::start().await;
    let response = sign_in(&sidecar, ADMIN).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let set = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/admin/v1", "Max-Age=43200"] {
        assert!(
            set.split("; ").any(|part| part == attribute),
            "{attribute}: {set}"
        );
    }
    assert!(!set.contains(ADMIN));
}

#[tokio::test]
async fn a_wrong_token_opens_no_session() {
    let sidecar = Sidecar::start().await;
    for token in ["", "wrong", GATEWAY] {
        let response = sign_in(&sidecar, token).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{token}");
        assert!(!response.headers().contains_key("set-cookie"));
    }
    for body in [json!({}), json!({"token": 1}), json!({"token": ADMIN, "more": 1})] {
        let request = sidecar.request(Method::POST, SESSION).json(&body);
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{body}"
        );
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_even_where_the_last_guess_is_right() {
    let sidecar = Sidecar::start().await;
    for _ in 0..10 {
        assert_eq!(
            sign_in(&sidecar, "guess").await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
    let response = sign_in(&sidecar, ADMIN).await;
    let wait: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let problem = expect(response, StatusCode::TOO_MANY_REQUESTS).await;
    assert_eq!(problem["type"], "urn:tollgate:problem:too-many-requests");
    // Bearers of the token itself are not concerned.
    sidecar.get(KEYS).await;
}

#[tokio::test]
async fn a_change_needs_the_proof_that_the_page_asks_for_it() {
    let sidecar = Sidecar::start().await;
    let browser = Browser::signed_in(&sidecar).await;
    let other = Browser::signed_in(&sidecar).await;
    let host = sidecar.url.trim_start_matches("http://").to_owned();
    let post = || browser.ask(&sidecar, Method::POST, KEYS).json(&new_key());
    let refused = [
        ("no proof", post()),
        ("no csrf", post().header("sec-fetch-site", "same-origin")),
        (
            "no word of the browser",
            post().header("x-tollgate-csrf", &browser.csrf),
        ),
        (
            "another session's csrf",
            post()
                .header("sec-fetch-site", "same-origin")
                .header("x-tollgate-csrf", &other.csrf),
        ),
        (
            "an empty csrf",
            post()
                .header("sec-fetch-site", "same-origin")
                .header("x-tollgate-csrf", ""),
        ),
        (
            "another port of this host",
            post()
                .header("sec-fetch-site", "same-site")
                .header("x-tollgate-csrf", &browser.csrf),
        ),
        (
            "another site",
            post()
                .header("sec-fetch-site", "cross-site")
                .header("x-tollgate-csrf", &browser.csrf),
        ),
        (
            "another origin, of an older browser",
            post()
                .header("origin", "http://elsewhere")
                .header("x-tollgate-csrf", &browser.csrf),
        ),
    ];
    for (what, request) in refused {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{what}");
    }
    assert_eq!(sidecar.get(KEYS).await["keys"], json!([]), "nothing was created");

    let older = post()
        .header("origin", format!("http://{host}"))
        .header("x-tollgate-csrf", &browser.csrf);
    expect(older.send().await.unwrap(), StatusCode::CREATED).await;
}

#[tokio::test]
async fn every_method_that_changes_is_guarded() {
    let sidecar = Sidecar::start().await;
    let browser = Browser::signed_in(&sidecar).await;
    for (method, path) in [
        (Method::POST, "/admin/v1/keys/key_x/revoke"),
        (Method::PATCH, "/admin/v1/keys/key_x"),
        (Method::PUT, "/admin/v1/keys/key_x"),
        (Method::DELETE, SESSION),
        (Method::POST, "/admin/v1/no-such-path"),
    ] {
        let response = browser.ask(&sidecar, method.clone(), path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert_eq!(browser.status(&sidecar).await, StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn another_sites_page_can_neither_read_nor_sign_in() {
    let sidecar = Sidecar::start().await;
    let browser = Browser::signed_in(&sidecar).await;
    let read = browser
        .ask(&sidecar, Method::GET, KEYS)
        .header("sec-fetch-site", "same-site");
    assert_eq!(read.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let sign_in = sidecar
        .request(Method::POST, SESSION)
        .header("sec-fetch-site", "cross-site")
        .json(&json!({ "token": ADMIN }));
    assert_eq!(sign_in.send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_session_is_known_to_every_sidecar_and_ends_on_all() {
    let one = Sidecar::start().await;
    let other = one.beside().await;
    let browser = Browser::signed_in(&one).await;
    assert_eq!(browser.status(&other).await, StatusCode::OK);
    assert_eq!(browser.session(&other).await["csrf"], browser.csrf.as_str());
    let end = browser
        .change(&other, Method::DELETE, SESSION)
        .send()
        .await
        .unwrap();
    assert_eq!(end.status(), StatusCode::NO_CONTENT);
    assert_eq!(browser.status(&one).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_outlives_a_restart_but_not_its_token() {
    let mut sidecar = Sidecar::start().await;
    let browser = Browser::signed_in(&sidecar).await;
    sidecar.restart().await;
    assert_eq!(browser.status(&sidecar).await, StatusCode::OK);
    let renewed = sidecar
        .beside_with(&[("TOLLGATE_SIDECAR__ADMIN_TOKEN", "another-admin-token")])
        .await;
    assert_eq!(browser.status(&renewed).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours_and_the_next_one_clears_it_away() {
    let clock = TestClock::at("2026-03-01T08:00:00Z");
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    let browser = Browser::signed_in(&sidecar).await;
    assert_eq!(
        browser.session(&sidecar).await["expires_at"],
        "2026-03-01T20:00:00Z"
    );
    clock.set("2026-03-01T19:59:59Z");
    assert_eq!(browser.status(&sidecar).await, StatusCode::OK);
    clock.set("2026-03-01T20:00:00Z");
    assert_eq!(browser.status(&sidecar).await, StatusCode::UNAUTHORIZED);
    Browser::signed_in(&sidecar).await;
    assert_eq!(sidecar.sql("SELECT COUNT(*) FROM sessions").await, 1);
}

#[tokio::test]
async fn who_signs_in_again_has_one_session() {
    let sidecar = Sidecar::start().await;
    let browser = Browser::signed_in(&sidecar).await;
    let again = browser
        .ask(&sidecar, Method::POST, SESSION)
        .json(&json!({ "token": ADMIN }))
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::NO_CONTENT);
    assert_eq!(browser.status(&sidecar).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_wrong_bearer_token_is_not_mended_by_a_good_cookie() {
    let sidecar = Sidecar::start().await;
    let browser = Browser::signed_in(&sidecar).await;
    for path in [KEYS, SESSION] {
        let request = browser.ask(&sidecar, Method::GET, path).bearer_auth("wrong");
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_cookie_is_no_key_to_the_gateways_api() {
    let sidecar = Sidecar::start().await;
    let browser = Browser::signed_in(&sidecar).await;
    let request = browser
        .change(&sidecar, Method::POST, "/v1/events")
        .json(&json!({"events": []}));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn who_bears_the_token_needs_no_session() {
    let sidecar = Sidecar::start().await;
    let view = sidecar.get(SESSION).await;
    assert_eq!(
        view,
        json!({
            "principal": "admin_token", "roles": {"*": "owner"}, "scopes": null, "csrf": null, "expires_at": null,
            "single_sign_on": null,
        })
    );
    let nobody = sidecar.request(Method::GET, SESSION).send().await.unwrap();
    let view = expect(nobody, StatusCode::OK).await;
    assert!(view.as_object().unwrap().values().all(Value::is_null), "{view}");
}
