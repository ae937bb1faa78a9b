//! Single sign-on: OpenID Connect's authorisation code flow with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636).
//!
//! What a sign-in needs to come back with is in a cookie of the browser that began it, so that any sidecar can end it and
//! no other browser can.

mod identity;
mod pending;
mod provider;

use std::net::SocketAddr;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Described, StatusCode as Code};
use aide::operation::OperationOutput;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use self::identity::Identity;
use self::pending::Pending;
pub use self::provider::Provider;
use super::refused::{nobody, refuse};
use super::routes::{count_try, keep_session};
use super::{SessionSecret, cookie};
use crate::http::extract::Params;
use crate::http::openapi::{about, also, open};
use crate::http::problem::Problem;
use crate::http::reply::NO_STORE;
use crate::ledger::audit::Actor;
use crate::ledger::operators::StoredOperator;
use crate::state::App;

/// Where a browser goes to sign in.
pub const BEGIN: &str = "/admin/v1/session/oidc";
/// Where the page is.
const PAGE: &str = "/";

/// What the provider sends the browser back with. Providers add more.
#[derive(Deserialize, JsonSchema)]
struct Callback {
    /// What the ID token is fetched with.
    #[serde(default)]
    code: Option<String>,
    /// What the sign-in was begun with.
    #[serde(default)]
    state: Option<String>,
    /// Why there is no code.
    #[serde(default)]
    error: Option<String>,
}

/// 303, with cookies.
struct SeeOther {
    location: HeaderValue,
    cookies: Vec<HeaderValue>,
}

/// Both routes. Nobody is signed in yet.
pub(super) fn routes() -> ApiRouter<App> {
    let about = |id, summary| about("session", id, summary);
    ApiRouter::new()
        .api_route(
            "/session/oidc",
            get_with(begin, |operation| {
                let begin = about("beginSingleSignOn", "Go to the provider of single sign-on");
                also::<404>(open(begin(operation)))
            }),
        )
        .api_route(
            "/session/oidc/callback",
            get_with(end, |operation| {
                let end = about("endSingleSignOn", "Come back from there, signed in");
                also::<429>(also::<409>(also::<404>(open(end(operation)))))
            }),
        )
}

async fn begin(State(app): State<App>, headers: HeaderMap) -> Result<SeeOther, Problem> {
    let (url, pending) = provider(&app)?.begin().await?;
    let location = HeaderValue::try_from(url.as_str()).map_err(|_| Problem::internal())?;
    Ok(SeeOther {
        location,
        cookies: vec![pending.keep(&headers).ok_or_else(Problem::internal)?],
    })
}

async fn end(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Params(sent): Params<Callback>,
) -> Result<SeeOther, Problem> {
    let provider = provider(&app)?;
    count_try(&app, peer.ip())?;
    let from = nobody(peer.ip(), &headers);
    let identity = match identify(provider, &headers, sent).await {
        Ok(identity) => identity,
        Err(problem) => return Err(refuse(&app, &from, None, problem).await),
    };
    let by = Actor {
        name: format!("operator:{}", identity.name),
        ..from
    };
    let operator = match identity.operator(&app, &by).await {
        Ok(operator) => operator,
        Err(problem) => return Err(refuse(&app, &by, None, problem).await),
    };
    app.sign_ins().forget(peer.ip());
    let secret = SessionSecret::generate()?;
    let credential = secret.credential(operator.password_hash.unwrap_or_default().as_bytes());
    let session = keep_session(&app, &secret, operator.id, credential, &by, &headers).await?;
    let forget = Pending::forget(&headers).ok_or_else(Problem::internal)?;
    Ok(SeeOther {
        location: HeaderValue::from_static(PAGE),
        cookies: vec![session, forget],
    })
}

fn provider(app: &App) -> Result<&Provider, Problem> {
    app.provider().ok_or_else(|| {
        Problem::not_found("single sign-on is not configured (`oidc` in the sidecar's configuration)")
    })
}

/// Who has come back.
async fn identify(provider: &Provider, headers: &HeaderMap, sent: Callback) -> Result<Identity, Problem> {
    if let Some(error) = sent.error {
        let told: String = error.chars().filter(|c| !c.is_control()).take(100).collect();
        return Err(Problem::unauthorized_because(format!(
            "the provider of single sign-on says: {told}"
        )));
    }
    let pending = Pending::read(headers).filter(|pending| {
        let state = sent.state.as_deref().unwrap_or_default();
        pending.is_state(state)
    });
    let (Some(pending), Some(code)) = (pending, sent.code) else {
        return Err(Problem::unauthorized_because(
            "this is not the end of a sign-in that this browser began within the last ten minutes: sign in again",
        ));
    };
    provider.identify(code, pending).await
}

// === impl SeeOther ===

impl IntoResponse for SeeOther {
    fn into_response(self) -> Response {
        let mut response = StatusCode::SEE_OTHER.into_response();
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, self.location);
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        for cookie in self.cookies {
            headers.append(header::SET_COOKIE, cookie);
        }
        response
    }
}

impl OperationOutput for SeeOther {
    type Inner = ();

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Vec<(Option<Code>, Described)> {
        let described = Described {
            description: "the browser goes on elsewhere".to_owned(),
            ..Described::default()
        };
        vec![(Some(Code::Code(303)), described)]
    }
}
