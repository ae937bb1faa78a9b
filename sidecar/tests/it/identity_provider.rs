//! A provider of OpenID Connect: it discovers, hands out codes, checks who redeems them, and signs what it is told to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Of this provider alone, which signs for nobody in earnest.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIK2Xr+E4+ksD6QmRe4WV2xSua1iUgjl0fyFkECrnsTwm\n-----END PRIVATE KEY-----\n";

/// A running provider.
pub(crate) struct IdentityProvider {
    pub(crate) issuer: String,
    codes: Codes,
    task: JoinHandle<()>,
}

/// What codes stand for: the challenge and the ID token. Each is good once.
type Codes = Arc<Mutex<HashMap<String, (String, String)>>>;

// === impl IdentityProvider ===

impl IdentityProvider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let document = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
        });
        let codes = Codes::default();
        let keys = CoreJsonWebKeySet::new(vec![key().as_verification_key()]);
        let routes = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async move || Json(document)),
            )
            .route("/jwks", get(async move || Json(keys)))
            .route("/token", post(redeem))
            .with_state(Arc::clone(&codes));
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { issuer, codes, task }
    }

    pub(crate) async fn stop(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Lets somebody in who was sent to `asked`; `claims` go over those of a good token, null takes one away.
    pub(crate) fn code(&self, asked: &Url, claims: &Value) -> String {
        self.issue(asked, self.token(asked, claims))
    }

    /// The same, with a token whose claims are not those that were signed.
    pub(crate) fn forged_code(&self, asked: &Url) -> String {
        let (good, other) = (
            self.token(asked, &json!({})),
            self.token(asked, &json!({"sub": "root"})),
        );
        let signature = good.rsplit('.').next().unwrap();
        let (signed, _) = other.rsplit_once('.').unwrap();
        self.issue(asked, format!("{signed}.{signature}"))
    }

    fn issue(&self, asked: &Url, token: String) -> String {
        let parameters: HashMap<_, _> = asked.query_pairs().into_owned().collect();
        assert_eq!(parameters["response_type"], "code");
        assert_eq!(parameters["code_challenge_method"], "S256");
        assert_eq!(parameters["scope"], "openid email profile");
        let mut codes = self.codes.lock().unwrap();
        let code = format!("code-{}", codes.len());
        codes.insert(code.clone(), (parameters["code_challenge"].clone(), token));
        code
    }

    fn token(&self, asked: &Url, claims: &Value) -> String {
        let parameters: HashMap<_, _> = asked.query_pairs().into_owned().collect();
        let now = Timestamp::now().as_second();
        let mut all = json!({
            "iss": self.issuer, "aud": parameters["client_id"], "nonce": parameters["nonce"],
            "iat": now, "exp": now + 300, "sub": "1", "email": "ann@example.com", "groups": ["everyone"],
        });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            encode(&json!({"alg": "EdDSA", "kid": "1"})),
            encode(&all)
        );
        let signature = key()
            .sign(&CoreJwsSigningAlgorithm::EdDsa, signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

fn key() -> CoreEdDsaPrivateSigningKey {
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(KEY, Some(JsonWebKeyId::new("1".to_owned()))).unwrap()
}

async fn redeem(
    State(codes): State<Codes>,
    headers: HeaderMap,
    Form(sent): Form<HashMap<String, String>>,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let client = format!("Basic {}", BASE64_STANDARD.encode("tollgate:hush"));
    let refused = (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
    let found = codes.lock().unwrap().remove(&sent["code"]);
    let (challenge, token) = found.ok_or_else(|| refused.clone())?;
    let hash = Sha256::digest(sent["code_verifier"].as_bytes());
    let is_good = headers["authorization"] == client
        && sent["grant_type"] == "authorization_code"
        && BASE64_URL_SAFE_NO_PAD.encode(hash) == challenge;
    if !is_good {
        return Err(refused);
    }
    let answer =
        json!({"access_token": "unused", "token_type": "Bearer", "expires_in": 300, "id_token": token});
    Ok(Json(answer))
}
