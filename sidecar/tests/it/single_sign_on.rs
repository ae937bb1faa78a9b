//! Single sign-on: who comes back from the provider is an operator with the roles of their groups, and nobody else gets in.

use reqwest::{Client, Method, Response, StatusCode, Url};
use serde_json::{Value, json};

use super::identity_provider::IdentityProvider;
use super::support::{ADMIN, Sidecar, expect};

const BEGIN: &str = "/admin/v1/session/oidc";
const SESSION: &str = "/admin/v1/session";

/// A sidecar, the provider that it trusts, and a browser that follows nothing by itself.
struct Scene {
    sidecar: Sidecar,
    provider: IdentityProvider,
    browser: Client,
}

/// A sign-in that the provider is about to send back.
struct Begun {
    /// What the browser keeps meanwhile.
    cookie: String,
    /// Where the provider was asked.
    asked: Url,
}

// === impl Scene ===

impl Scene {
    async fn new() -> Self {
        let provider = IdentityProvider::start().await;
        let sidecar = Sidecar::start_with(&format!(
            "oidc:\n  issuer: {}\n  client_id: tollgate\n  client_secret: hush\n  \
             redirect_url: https://tollgate.example.com/admin/v1/session/oidc/callback\n  roles:\n    \
             - {{group: platform, role: owner}}\n    - {{group: leads, workspace: research, role: admin}}\n    \
             - {{group: everyone, workspace: research, role: viewer}}\n",
            provider.issuer
        ))
        .await;
        let browser = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            sidecar,
            provider,
            browser,
        }
    }

    async fn get(&self, path: &str, cookie: &str) -> Response {
        let request = self.browser.get(format!("{}{path}", self.sidecar.url));
        request.header("cookie", cookie).send().await.unwrap()
    }

    async fn begin(&self) -> Begun {
        let response = self.get(BEGIN, "").await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        Begun {
            cookie: cookie(&response, "tollgate_oidc="),
            asked: response.headers()["location"].to_str().unwrap().parse().unwrap(),
        }
    }

    /// What becomes of a sign-in that the provider answers with these claims over the good ones.
    async fn back_with(&self, claims: Value) -> Response {
        let begun = self.begin().await;
        let code = self.provider.code(&begun.asked, &claims);
        self.back(&begun, &code).await
    }

    async fn back(&self, begun: &Begun, code: &str) -> Response {
        let state = parameter(&begun.asked, "state");
        let path = format!("{BEGIN}/callback?code={code}&state={state}&session_state=more");
        self.get(&path, &begun.cookie).await
    }

    /// Signs in, and says what the session is.
    async fn session(&self, claims: Value) -> (String, Value) {
        let response = self.back_with(claims).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()["location"], "/");
        let cookie = cookie(&response, "tollgate_session=");
        let view = expect(self.get(SESSION, &cookie).await, StatusCode::OK).await;
        (cookie, view)
    }
}

fn parameter(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(given, _)| given == name);
    found
        .unwrap_or_else(|| panic!("{url} has no {name}"))
        .1
        .into_owned()
}

fn cookie(response: &Response, name: &str) -> String {
    let lines = response.headers().get_all("set-cookie").iter();
    let mut cookies = lines.map(|line| line.to_str().unwrap().split(';').next().unwrap());
    cookies
        .find(|cookie| cookie.starts_with(name))
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn who_comes_back_has_the_roles_of_their_groups_until_these_change() {
    let scene = Scene::new().await;
    let (cookie, view) = scene
        .session(json!({"sub": "1", "email": "ann@example.com", "groups": ["everyone", "leads"]}))
        .await;
    assert_eq!(view["principal"], "operator:ann@example.com");
    assert_eq!(view["roles"], json!({"research": "admin"}));
    let own = scene.get("/admin/v1/keys?workspace=research", &cookie).await;
    assert_eq!(own.status(), StatusCode::OK);

    let (_, view) = scene
        .session(json!({"sub": "1", "email": "ann@example.com", "groups": ["everyone"]}))
        .await;
    assert_eq!(view["roles"], json!({"research": "viewer"}));
    // The session from before has them, too: it is the same operator.
    let before = expect(scene.get(SESSION, &cookie).await, StatusCode::OK).await;
    assert_eq!(before["roles"], json!({"research": "viewer"}));
    let operators = scene.sidecar.get("/admin/v1/operators").await;
    assert_eq!(operators["operators"].as_array().unwrap().len(), 1, "{operators}");
}

#[tokio::test]
async fn an_answer_that_is_not_good_lets_nobody_in() {
    let scene = Scene::new().await;
    for (claims, status) in [
        (json!({"nonce": "another"}), StatusCode::UNAUTHORIZED),
        (json!({"aud": "somebody-else"}), StatusCode::UNAUTHORIZED),
        (
            json!({"iss": "https://elsewhere.example.com"}),
            StatusCode::UNAUTHORIZED,
        ),
        (json!({"exp": 1_000_000_000}), StatusCode::UNAUTHORIZED),
        (json!({"groups": ["nobody-knows"]}), StatusCode::FORBIDDEN),
        (json!({"groups": null}), StatusCode::FORBIDDEN),
        (json!({"email": null}), StatusCode::FORBIDDEN),
    ] {
        let response = scene.back_with(claims.clone()).await;
        assert_eq!(response.status(), status, "{claims}");
        assert!(!response.headers().contains_key("set-cookie"), "{claims}");
    }

    // A token that somebody changed on its way.
    let begun = scene.begin().await;
    let code = scene.provider.forged_code(&begun.asked);
    assert_eq!(scene.back(&begun, &code).await.status(), StatusCode::UNAUTHORIZED);

    // A code that was used, and one that belongs to another sign-in: its verifier is not this browser's.
    let (begun, other) = (scene.begin().await, scene.begin().await);
    let code = scene.provider.code(&begun.asked, &json!({}));
    assert_eq!(scene.back(&other, &code).await.status(), StatusCode::UNAUTHORIZED);
    let code = scene.provider.code(&begun.asked, &json!({}));
    assert_eq!(scene.back(&begun, &code).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(scene.back(&begun, &code).await.status(), StatusCode::UNAUTHORIZED);

    // A browser that did not begin it: somebody else's code must not sign it in.
    let path = format!(
        "{BEGIN}/callback?code={code}&state={}",
        parameter(&begun.asked, "state")
    );
    assert_eq!(scene.get(&path, "").await.status(), StatusCode::UNAUTHORIZED);
    let path = format!("{BEGIN}/callback?code={code}&state=another");
    assert_eq!(
        scene.get(&path, &begun.cookie).await.status(),
        StatusCode::UNAUTHORIZED
    );
    let path = format!("{BEGIN}/callback?error=access_denied");
    let denied = expect(scene.get(&path, &begun.cookie).await, StatusCode::UNAUTHORIZED).await;
    assert!(
        denied["detail"].as_str().unwrap().contains("access_denied"),
        "{denied}"
    );
}

#[tokio::test]
async fn the_name_of_somebody_else_is_not_given_away_and_who_is_disabled_stays_out() {
    let scene = Scene::new().await;
    let known =
        json!({"name": "root@example.com", "password": "a long enough password", "roles": {"*": "owner"}});
    let made = scene
        .sidecar
        .admin(Method::POST, "/admin/v1/operators", &known)
        .await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let claims = json!({"sub": "2", "email": "root@example.com", "groups": ["everyone"]});
    assert_eq!(scene.back_with(claims).await.status(), StatusCode::CONFLICT);

    let claims = json!({"sub": "3", "email": "bob@example.com", "groups": ["everyone"]});
    let (cookie, _) = scene.session(claims.clone()).await;
    let listed = scene.sidecar.get("/admin/v1/operators").await;
    let bob = listed["operators"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "bob@example.com");
    let path = format!("/admin/v1/operators/{}", bob.unwrap()["id"].as_str().unwrap());
    let disabled = scene
        .sidecar
        .admin(Method::PATCH, &path, &json!({"status": "disabled"}))
        .await;
    assert_eq!(disabled.status(), StatusCode::OK);
    assert_eq!(scene.back_with(claims).await.status(), StatusCode::FORBIDDEN);
    let view = expect(scene.get(SESSION, &cookie).await, StatusCode::OK).await;
    assert_eq!(view["principal"], Value::Null);
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_so_and_the_admin_token_still_gets_in() {
    let mut scene = Scene::new().await;
    scene.provider.stop().await;
    assert_eq!(
        scene.get(BEGIN, "").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let response = scene
        .sidecar
        .request(Method::POST, SESSION)
        .json(&json!({"token": ADMIN}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn without_a_provider_there_is_none() {
    let sidecar = Sidecar::start().await;
    let response = sidecar.request(Method::GET, BEGIN).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let view = sidecar.get(SESSION).await;
    assert_eq!(view["single_sign_on"], Value::Null);
}
