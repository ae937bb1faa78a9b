//! `/admin/v1/session`: sign in, who is signed in, sign out.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
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
use super::refused::{nobody, refuse};
use super::{ADMIN_TOKEN, SessionSecret, cookie, oidc, password as own_password};
use crate::access::Scope;
use crate::http::auth;
use crate::http::extract::JsonBody;
use crate::http::openapi::{about, also, open};
use crate::http::problem::{FieldError, Problem};
use crate::http::reply::{NO_STORE, Unstored};
use crate::ledger::audit::Actor;
use crate::ledger::operators::StoredOperator;
use crate::ledger::sessions::StoredSession;
use crate::password;
use crate::principal::{Grants, Principal};
use crate::state::App;

/// A working day: the page stays open, and asks again the next morning.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// `POST /admin/v1/session`: an operator's name and password, or the admin token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    /// The admin token.
    #[serde(default)]
    token: Option<String>,
    /// An operator's.
    #[serde(default)]
    name: Option<String>,
    /// The operator's.
    #[serde(default)]
    #[schemars(length(max = 256))]
    password: Option<String>,
}

/// `GET /admin/v1/session`.
#[derive(Debug, Serialize, JsonSchema)]
struct SessionView {
    /// Who asks: `admin_token`, `operator:…` or `token:…`; null where nobody is signed in.
    principal: Option<String>,
    /// What they may do where: a role for each workspace, and for all of them with `*`.
    roles: Option<Grants>,
    /// What they may do at all; null for whatever their role may.
    scopes: Option<BTreeSet<Scope>>,
    /// For the header `x-tollgate-csrf` of every change; null where the request bears a token instead of a cookie.
    csrf: Option<String>,
    /// When the session ends.
    expires_at: Option<Timestamp>,
    /// Where a browser goes for single sign-on; null where there is none.
    single_sign_on: Option<&'static str>,
}

/// What keeps a session's cookie in the browser, or has it forgotten.
pub(super) struct Cookie(pub(super) HeaderValue);

/// All routes of `/session`. They ask for no token themselves: this is where one is brought.
pub fn routes() -> ApiRouter<App> {
    let about = |id, summary| about("session", id, summary);
    ApiRouter::new()
        .api_route(
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
        .api_route(
            "/session/password",
            post_with(own_password::change, |operation| {
                let change = about("changePassword", "Change one's own password");
                also::<429>(also::<409>(open(change(operation))))
            }),
        )
        .merge(oidc::routes())
}

async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Unstored<SessionView>, Problem> {
    let caller = auth::identify(&app, &Method::GET, &headers).await?;
    let session = caller.as_ref().and_then(|caller| caller.session.as_ref());
    let view = SessionView {
        principal: caller.as_ref().map(|caller| caller.principal.to_string()),
        roles: caller.as_ref().map(|caller| caller.grants.clone()),
        scopes: caller.as_ref().and_then(|caller| caller.scopes.clone()),
        csrf: session.map(|session| session.secret.csrf()),
        expires_at: session.map(|session| session.expires_at),
        single_sign_on: app.provider().map(|_| oidc::BEGIN),
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
    count_try(&app, peer.ip())?;
    let secret = SessionSecret::generate()?;
    let from = nobody(peer.ip(), &headers);
    let name = sent.name.clone();
    let (who, principal, credential) = match sent.check(&app, &secret).await {
        Ok(checked) => checked,
        Err(problem) => {
            let target = match name {
                // Whose name it is: what was typed in its place is not told.
                Some(name) => app
                    .ledger()
                    .operator_by_name(&name)
                    .await?
                    .map(|operator| operator.id),
                None => Some(ADMIN_TOKEN.to_owned()),
            };
            return Err(refuse(&app, &from, target.as_deref(), problem).await);
        }
    };
    app.sign_ins().forget(peer.ip());
    let by = Actor {
        name: who.to_string(),
        ..from
    };
    let cookie = keep_session(&app, &secret, principal, credential, &by, &headers).await?;
    Ok(Cookie(cookie))
}

/// Counts a try to sign in.
///
/// # Errors
/// 429 where there were too many from this address.
pub(super) fn count_try(app: &App, address: IpAddr) -> Result<(), Problem> {
    app.sign_ins()
        .count(address, app.clock().now())
        .map_err(|too_many| {
            tracing::warn!(%address, "too many tries to sign in");
            Problem::try_again_in(too_many.retry_after)
        })
}

/// Begins a session in place of the one that the same browser had, and has the browser keep it.
pub(super) async fn keep_session(
    app: &App,
    secret: &SessionSecret,
    principal: String,
    credential: [u8; 32],
    by: &Actor,
    headers: &HeaderMap,
) -> Result<HeaderValue, Problem> {
    let now = app.clock().now();
    let session = StoredSession {
        id: secret.id().to_vec(),
        principal,
        credential: credential.to_vec(),
        created_at: now.as_millisecond(),
        expires_at: now
            .as_millisecond()
            .saturating_add(i64::try_from(LIFETIME.as_millis()).unwrap_or(0)),
    };
    let earlier = cookie::read(headers).map(|secret| secret.id());
    app.ledger()
        .begin_session(&session, earlier.as_ref(), now, by)
        .await?;
    tracing::info!(address = by.address, principal = %session.principal, "signed in");
    cookie::keep(secret, LIFETIME, headers).ok_or_else(Problem::internal)
}

/// Ending a session that has ended is no change.
async fn end(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Cookie, Problem> {
    let caller = auth::identify(&app, &Method::DELETE, &headers).await?;
    if let Some((caller, session)) = caller.and_then(|caller| Some((caller.actor(), caller.session?))) {
        let by = Actor {
            name: caller.name,
            ..nobody(peer.ip(), &headers)
        };
        let now = app.clock().now();
        app.ledger().end_session(&session.secret.id(), now, &by).await?;
        tracing::info!(principal = %by.name, "signed out");
    }
    let cookie = cookie::forget(&headers).ok_or_else(Problem::internal)?;
    Ok(Cookie(cookie))
}

// === impl Credentials ===

impl Credentials {
    /// Whose they are, and the principal and the credential of a session that they begin.
    ///
    /// # Errors
    /// A [`Problem`] where they are wrong, or are none.
    async fn check(
        self,
        app: &App,
        secret: &SessionSecret,
    ) -> Result<(Principal, String, [u8; 32]), Problem> {
        match (self.token, self.name, self.password) {
            (Some(token), None, None) => {
                let admin_token = &app.config().admin_token;
                if !admin_token.matches(token.as_bytes()) {
                    return Err(Problem::unauthorized_because(
                        "this is not the admin token of the sidecar's configuration",
                    ));
                }
                let credential = secret.credential(admin_token.digest());
                Ok((Principal::AdminToken, ADMIN_TOKEN.to_owned(), credential))
            }
            (None, Some(name), Some(password)) => {
                let found = app.ledger().operator_by_name(&name).await?;
                let operator = found.filter(StoredOperator::is_active);
                let kept = operator
                    .as_ref()
                    .and_then(|operator| operator.password_hash.clone());
                let is_right = password::matches(password, kept.clone()).await?;
                match operator.zip(kept).filter(|_| is_right) {
                    Some((operator, kept)) => {
                        let id = operator.id;
                        let name = operator.name;
                        let principal = Principal::Operator { id: id.clone(), name };
                        Ok((principal, id, secret.credential(kept.as_bytes())))
                    }
                    None => Err(Problem::unauthorized_because(
                        "no operator has this name and this password",
                    )),
                }
            }
            _ => Err(Problem::invalid(vec![FieldError {
                pointer: "#".to_owned(),
                detail: "expected name and password, or token".to_owned(),
            }])),
        }
    }
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
