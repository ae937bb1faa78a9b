//! `/admin/v1/session`: sign in, who is signed in, sign out.

use std::net::SocketAddr;
use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Described, StatusCode};
use aide::operation::OperationOutput;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, NoContent, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::{SessionSecret, cookie};
use crate::http::auth;
use crate::http::extract::JsonBody;
use crate::http::openapi::{about, also, open};
use crate::http::problem::Problem;
use crate::http::reply::{NO_STORE, Unstored};
use crate::ledger::sessions::StoredSession;
use crate::principal::Principal;
use crate::state::App;

/// A working day: the page stays open, and asks again the next morning.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// `POST /admin/v1/session`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// The admin token.
    token: String,
}

/// `GET /admin/v1/session`.
#[derive(Debug, Serialize, JsonSchema)]
struct SessionView {
    /// Who asks; null where nobody is signed in.
    principal: Option<&'static str>,
    /// For the header `x-tollgate-csrf` of every change; null where the request bears a token instead of a cookie.
    csrf: Option<String>,
    /// When the session ends.
    expires_at: Option<Timestamp>,
}

/// What keeps a session's cookie in the browser, or has it forgotten.
struct Cookie(HeaderValue);

/// All routes of `/session`. They ask for no token themselves: this is where one is brought.
pub fn routes() -> ApiRouter<App> {
    let about = |id, summary| about("session", id, summary);
    ApiRouter::new().api_route(
        "/session",
        get_with(show, |operation| {
            open(about(
                "getSession",
                "Say who asks, and what a change of the page needs",
            )(operation))
        })
        .post_with(begin, |operation| {
            let begin = about("beginSession", "Sign in: the answer sets the session's cookie");
            also::<429>(open(begin(operation)))
        })
        .delete_with(end, |operation| open(about("endSession", "Sign out")(operation))),
    )
}

async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Unstored<SessionView>, Problem> {
    let caller = auth::identify(&app, &Method::GET, &headers).await?;
    let session = caller.as_ref().and_then(|caller| caller.session.as_ref());
    let view = SessionView {
        principal: caller.as_ref().map(|caller| caller.principal.name()),
        csrf: session.map(|session| session.secret.csrf()),
        expires_at: session.map(|session| session.expires_at),
    };
    Ok(Unstored(view))
}

async fn begin(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    JsonBody(sent): JsonBody<Credentials>,
) -> Result<Cookie, Problem> {
    if !matches!(Origin::of(&headers), Origin::Same | Origin::Unsaid) {
        return Err(super::foreign());
    }
    let now = app.clock().now();
    if let Err(too_many) = app.sign_ins().count(peer.ip(), now) {
        tracing::warn!(address = %peer.ip(), "too many tries to sign in");
        return Err(Problem::try_again_in(too_many.retry_after));
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
async fn end(State(app): State<App>, headers: HeaderMap) -> Result<Cookie, Problem> {
    let caller = auth::identify(&app, &Method::DELETE, &headers).await?;
    if let Some(session) = caller.and_then(|caller| caller.session) {
        app.ledger().end_session(&session.secret.id()).await?;
        tracing::info!("signed out");
    }
    answer(cookie::forget(&headers))
}

fn answer(cookie: Option<HeaderValue>) -> Result<Cookie, Problem> {
    cookie.map(Cookie).ok_or_else(Problem::internal)
}

// === impl Cookie ===

impl IntoResponse for Cookie {
    fn into_response(self) -> Response {
        let headers = [(header::SET_COOKIE, self.0), (header::CACHE_CONTROL, NO_STORE)];
        (headers, NoContent).into_response()
    }
}

impl OperationOutput for Cookie {
    type Inner = ();

    fn inferred_responses(
        ctx: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<StatusCode>, Described)> {
        NoContent::inferred_responses(ctx, operation)
    }
}
