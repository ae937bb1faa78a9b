//! Sessions: an operator signs in on the page, and the browser's cookie stands for it from then on.
//!
//! They are in the ledger, so that every sidecar on it knows them, under the hash of a secret that only the browser
//! has. A cookie is sent whoever wrote the page that asks, so a change needs more: the session's `x-tollgate-csrf`,
//! which only a page of this origin can read, and the browser's word that the request comes from there.

mod cookie;
mod origin;
mod routes;
mod secret;
mod throttle;

use axum::http::{HeaderMap, Method};
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

pub use self::cookie::NAME as COOKIE;
use self::origin::Origin;
pub use self::routes::routes;
pub use self::secret::SessionSecret;
pub use self::throttle::Throttle;
use crate::http::problem::Problem;
use crate::principal::{Caller, Principal};
use crate::state::App;

/// What every change of a session must bring.
pub const CSRF_HEADER: &str = "x-tollgate-csrf";

/// A session that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What all else is derived of.
    pub secret: SessionSecret,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Who asks, by the session's cookie; none where there is no cookie, or its session has ended.
///
/// # Errors
/// A [`Problem`] where the cookie is good and the request is not one of this origin's page.
pub async fn resume(app: &App, method: &Method, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    let Some(secret) = cookie::read(headers) else {
        return Ok(None);
    };
    let Some(stored) = app.ledger().session(&secret.id()).await? else {
        return Ok(None);
    };
    let Some(principal) = Principal::parse(&stored.principal) else {
        return Ok(None);
    };
    let credential = match principal {
        Principal::AdminToken => secret.credential(&app.config().admin_token),
    };
    let is_current: bool = stored.credential.as_slice().ct_eq(&credential).into();
    let Some(expires_at) = Timestamp::from_millisecond(stored.expires_at).ok() else {
        return Ok(None);
    };
    if !is_current || expires_at <= app.clock().now() {
        return Ok(None);
    }
    check_origin(&secret, method, headers)?;
    let session = Some(Session { secret, expires_at });
    Ok(Some(Caller { principal, session }))
}

/// Refuses what a page of another origin may have had the browser send.
fn check_origin(secret: &SessionSecret, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let origin = Origin::of(headers);
    if method.is_safe() {
        return match origin {
            Origin::Same | Origin::Person | Origin::Unsaid => Ok(()),
            Origin::Foreign => Err(foreign()),
        };
    }
    if origin != Origin::Same {
        return Err(foreign());
    }
    let mut sent = headers.get_all(CSRF_HEADER).iter();
    match (sent.next(), sent.next()) {
        (Some(value), None) if secret.is_csrf(value.as_bytes()) => Ok(()),
        _ => Err(Problem::forbidden(format!(
            "with a session's cookie, every change needs the header {CSRF_HEADER} with the `csrf` of \
             GET /admin/v1/session"
        ))),
    }
}

fn foreign() -> Problem {
    Problem::forbidden(
        "the browser says that another site's page asks this: a session's cookie is for the sidecar's own page",
    )
}
