//! `/admin/v1/session`: sign in, who is signed in, sign out.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::{SessionSecret, cookie};
use crate::http::auth;
use crate::http::extract::JsonBody;
use crate::http::problem::Problem;
use crate::ledger::sessions::StoredSession;
use crate::principal::Principal;
use crate::state::App;

/// A working day: the page stays open, and asks again the next morning.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// `POST /admin/v1/session`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// The admin token.
    token: String,
}

/// `GET /admin/v1/session`.
#[derive(Debug, Serialize)]
struct SessionView {
    /// Who asks; null where nobody is signed in.
    principal: Option<&'static str>,
    /// For the header `x-tollgate-csrf` of every change; null where the request bears a token instead of a cookie.
    csrf: Option<String>,
    /// When the session ends.
    expires_at: Option<Timestamp>,
}

/// All routes of `/session`. They ask for no token themselves: this is where one is brought.
pub fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/session", get(show).post(begin).delete(end))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(app.config().limits.admin_body_bytes))
}

async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = auth::identify(&app, &Method::GET, &headers).await?;
    let session = caller.as_ref().and_then(|caller| caller.session.as_ref());
    let view = SessionView {
        principal: caller.as_ref().map(|caller| caller.principal.name()),
        csrf: session.map(|session| session.secret.csrf()),
        expires_at: session.map(|session| session.expires_at),
    };
    Ok(([(header::CACHE_CONTROL, NO_STORE)], Json(view)).into_response())
}

async fn begin(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    JsonBody(sent): JsonBody<Credentials>,
) -> Result<Response, Problem> {
    if !matches!(Origin::of(&headers), Origin::Same | Origin::Unsaid) {
        return Err(super::foreign());
    }
    let now = app.clock().now();
    if let Err(too_many) = app.sign_ins().count(peer.ip(), now) {
        tracing::warn!(address = %peer.ip(), "too many tries to sign in");
        return Ok(wait(too_many.retry_after));
    }
    if !app.config().admin_token.matches(sent.token.as_bytes()) {
        tracing::warn!(address = %peer.ip(), "a sign-in was refused");
        return Err(Problem::unauthorized_because(
            "this is not the admin token of the sidecar's configuration",
        ));
    }
    app.sign_ins().forget(peer.ip());
    let secret = SessionSecret::generate()?;
    let session = StoredSession {
        id: secret.id().to_vec(),
        principal: Principal::AdminToken.name().to_owned(),
        credential: secret.credential(&app.config().admin_token).to_vec(),
        created_at: now.as_millisecond(),
        expires_at: now
            .as_millisecond()
            .saturating_add(i64::try_from(LIFETIME.as_millis()).unwrap_or(0)),
    };
    let earlier = cookie::read(&headers).map(|secret| secret.id());
    app.ledger()
        .begin_session(&session, earlier.as_ref(), now)
        .await?;
    tracing::info!(address = %peer.ip(), principal = %session.principal, "signed in");
    answer(cookie::keep(&secret, LIFETIME, &headers))
}

/// Ending a session that has ended is no change.
async fn end(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = auth::identify(&app, &Method::DELETE, &headers).await?;
    if let Some(session) = caller.and_then(|caller| caller.session) {
        app.ledger().end_session(&session.secret.id()).await?;
        tracing::info!("signed out");
    }
    answer(cookie::forget(&headers))
}

fn answer(cookie: Option<HeaderValue>) -> Result<Response, Problem> {
    let cookie = cookie.ok_or_else(Problem::internal)?;
    let headers = [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, NO_STORE)];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

fn wait(time: Duration) -> Response {
    let seconds = time.as_secs().max(1);
    let problem = Problem::too_many(format!("too many tries to sign in, try again in {seconds} s"));
    ([(header::RETRY_AFTER, HeaderValue::from(seconds))], problem).into_response()
}
