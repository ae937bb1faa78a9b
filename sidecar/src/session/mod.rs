//! Sessions: an operator signs in on the page, and the browser's cookie stands for it from then on.
//!
//! They are in the ledger, so that every sidecar on it knows them, under the hash of a secret that only the browser
//! has. A cookie is sent whoever wrote the page that asks, so a change needs more: the session's `x-tollgate-csrf`,
//! which only a page of this origin can read, and the browser's word that the request comes from there.

mod cookie;
pub mod oidc;
mod origin;
mod password;
mod refused;
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
use crate::ledger::operators::StoredOperator;
use crate::principal::{Caller, Principal};
use crate::state::App;

/// What every change of a session must bring.
pub const CSRF_HEADER: &str = "x-tollgate-csrf";

/// The principal of a session that was begun with the admin token; all others are ids of operators.
const ADMIN_TOKEN: &str = "admin_token";

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
    let Some((caller, credential)) = whose(app, &secret, &stored.principal).await? else {
        return Ok(None);
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
    Ok(Some(Caller { session, ..caller }))
}

/// Whose session it is, and what its credential must be today; nobody's where the operator is gone.
async fn whose(
    app: &App,
    secret: &SessionSecret,
    principal: &str,
) -> Result<Option<(Caller, [u8; 32])>, Problem> {
    if principal == ADMIN_TOKEN {
        let credential = secret.credential(app.config().admin_token.digest());
        return Ok(Some((Caller::admin_token(), credential)));
    }
    let operator = app.ledger().operator(principal).await?;
    let operator = operator.filter(StoredOperator::is_active);
    Ok(operator.map(|operator| {
        let credential = secret.credential(operator.password_hash.unwrap_or_default().as_bytes());
        let principal = Principal::Operator {
            id: operator.id,
            name: operator.name,
        };
        (Caller::new(principal, operator.roles.0), credential)
    }))
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
