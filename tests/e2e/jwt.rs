//! Identities from Envoy's own `jwt_authn`: a verified token is as good as a key.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tollgate_stack::{Stack, wait};
use tollgate_tests::shared::Shared;
use tollgate_tests::{Answer, chat, event, number, received_header, send};

const CHAT: &str = "/v1/chat/completions";
/// How long a change of an operator may take.
const PROMPTLY: Duration = Duration::from_secs(2);
const SECRET: &[u8] = b"a secret of the tests, shared with Envoy's key set";

async fn stack() -> Arc<Stack> {
    static SHARED: Shared = Shared::new();
    let identity = |config: &mut Value| {
        config["identity"] = json!({
            "credential_headers": ["x-api-key"],
            "jwt": {"payload_in_metadata": "claims", "workspace_claim": "org", "session_claim": "sid"},
        });
        config["limits"] = json!([{"name": "user-tokens", "count": "requests", "amount": 2, "period": "1h",
            "per": ["user"], "match": {"workspaces": ["limited"]}}]);
    };
    let started = SHARED.stack(|| {
        Stack::builder()
            .filter_config(identity)
            .envoy_config(verify_tokens)
    });
    started.await.unwrap()
}

/// Puts `jwt_authn` before the filter; a request without a token passes it, for the filter to ask for a key.
fn verify_tokens(envoy: &mut Value) {
    let keys =
        json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "test", "k": URL_SAFE_NO_PAD.encode(SECRET)}]});
    let filter = json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"sso": {
                "issuer": "https://sso.example", "local_jwks": {"inline_string": keys.to_string()},
                "payload_in_metadata": "claims",
            }},
            "rules": [{"match": {"prefix": "/"}, "requires": {"requires_any": {"requirements": [
                {"provider_name": "sso"}, {"allow_missing": {}},
            ]}}}],
        },
    });
    let chain = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
    let filters = envoy.pointer_mut(chain).and_then(Value::as_array_mut).unwrap();
    filters.insert(0, filter);
}

/// A token with these claims, signed with a secret (RFC 7515, HS256).
fn token(claims: &Value, secret: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": "test"});
    let signed = format!("{}.{}", part(&header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

async fn ask(stack: &Stack, token: &str, text: &str) -> Answer {
    let request = stack
        .http
        .post(format!("{}{CHAT}", stack.gateway))
        .bearer_auth(token);
    send(request.json(&chat(text))).await.unwrap()
}

#[tokio::test]
async fn a_verified_token_names_workspace_user_and_session() {
    let stack = stack().await;
    let claims = json!({"iss": "https://sso.example", "sub": "ada", "org": "engines", "sid": "s-1", "exp": 4_000_000_000_u64});
    let good = token(&claims, SECRET);
    let answer = ask(&stack, &good, "echo tokenword").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let event = event(&stack, &answer).await.unwrap();
    assert_eq!(
        (&event["workspace"], &event["user"]),
        (&json!("engines"), &json!("ada"))
    );
    assert_eq!(
        (&event["session"], &event["key_id"]),
        (&json!("s-1"), &Value::Null)
    );
    assert!(number(&event, "cost_nanousd") > 0);
    let requests = stack.mock.requests().await.unwrap();
    let ours = requests
        .iter()
        .find(|request| request.to_string().contains("tokenword"))
        .unwrap();
    assert_eq!(
        received_header(ours, "authorization").unwrap(),
        ["Bearer demo-openai-credential"]
    );
}

#[tokio::test]
async fn users_of_tokens_have_limits_of_their_own() {
    let stack = stack().await;
    let of = |user: &str| {
        token(
            &json!({"iss": "https://sso.example", "sub": user, "org": "limited"}),
            SECRET,
        )
    };
    let (ada, bob) = (of("ada"), of("bob"));
    let mut statuses = Vec::new();
    for token in [&ada, &ada, &ada, &bob] {
        statuses.push(ask(&stack, token, "echo a").await.status);
    }
    assert_eq!(statuses, [200, 200, 429, 200]);
}

#[tokio::test]
async fn an_operator_stops_a_user_of_tokens_and_lets_it_go_on() {
    let stack = stack().await;
    let of = |user: &str| {
        let claims = json!({"iss": "https://sso.example", "sub": user, "org": "stopped"});
        token(&claims, SECRET)
    };
    let (ada, bob) = (of("ada"), of("bob"));
    let made = json!({"workspace": "stopped", "user": "ada"});
    let made = stack.admin.post("/admin/v1/users", &made).await.unwrap();
    let user = format!(
        "{}/admin/v1/users/{}",
        stack.sidecar,
        made["id"].as_str().unwrap()
    );
    for (status, answered) in [("paused", 403), ("active", 200)] {
        let change = stack.http.patch(&user).bearer_auth(&stack.admin_token);
        let changed = send(change.json(&json!({ "status": status }))).await.unwrap();
        assert_eq!(changed.status, 200, "{}", changed.text());
        let what = format!("a user who is {status} does not get {answered}");
        let answer = wait::until(PROMPTLY, &what, async || {
            let answer = ask(&stack, &ada, "echo a").await;
            Ok((answer.status == answered).then_some(answer))
        })
        .await
        .unwrap();
        if answered == 403 {
            assert_eq!(answer.error_code(), "key_paused");
            let event = event(&stack, &answer).await.unwrap();
            assert_eq!(
                (&event["workspace"], &event["user"]),
                (&json!("stopped"), &json!("ada")),
                "the refusal is theirs"
            );
        }
        assert_eq!(
            ask(&stack, &bob, "echo a").await.status,
            200,
            "a colleague goes on"
        );
    }
}

#[tokio::test]
async fn a_token_that_is_forged_expired_or_without_a_workspace_lets_nobody_in() {
    let stack = stack().await;
    let good = json!({"iss": "https://sso.example", "sub": "eve", "org": "engines"});
    let mut expired = good.clone();
    expired["exp"] = json!(1_000_000_000);
    let mut homeless = good.clone();
    homeless["org"] = json!("");
    let mut unnamed = good.clone();
    unnamed.as_object_mut().unwrap().remove("org");
    let tokens = [
        token(&good, b"another secret, which Envoy does not know of"),
        token(&expired, SECRET),
        token(&homeless, SECRET),
        token(&unnamed, SECRET),
    ];
    for token in tokens {
        let answer = ask(&stack, &token, "echo forgedword").await;
        assert_eq!(answer.status, 401, "{token}: {}", answer.text());
    }
    let requests = stack.mock.requests().await.unwrap();
    assert!(
        requests
            .iter()
            .all(|request| !request.to_string().contains("forgedword"))
    );
}

#[tokio::test]
async fn keys_go_on_beside_tokens() {
    let stack = stack().await;
    let request = stack
        .http
        .post(format!("{}{CHAT}", stack.gateway))
        .header("x-api-key", stack.key("unlimited"));
    let answer = send(request.json(&chat("echo a"))).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let without = stack
        .http
        .post(format!("{}{CHAT}", stack.gateway))
        .json(&chat("echo a"));
    assert_eq!(send(without).await.unwrap().error_code(), "invalid_api_key");
}
