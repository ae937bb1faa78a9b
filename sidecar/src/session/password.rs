//! `/admin/v1/session/password`: an operator gives themselves another password.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method};
use schemars::JsonSchema;
use serde::Deserialize;

use super::SessionSecret;
use super::refused::{nobody, refuse};
use super::routes::{Cookie, count_try, keep_session};
use crate::http::auth;
use crate::http::extract::JsonBody;
use crate::http::problem::{FieldError, Problem};
use crate::ledger::audit::Actor;
use crate::ledger::change::Changed;
use crate::ledger::operators::StoredOperator;
use crate::password;
use crate::principal::Principal;
use crate::state::App;

/// `POST /admin/v1/session/password`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordChange {
    /// The one of now.
    #[schemars(length(max = 256))]
    current_password: String,
    /// 12 to 256 characters.
    #[schemars(length(min = 12, max = 256))]
    new_password: String,
}

/// Ends all sessions of the operator but this one, which goes on under another cookie. The current password is asked
/// for, and how often it is guessed is counted with the tries to sign in: a page that was left open is not enough.
pub(super) async fn change(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    JsonBody(sent): JsonBody<PasswordChange>,
) -> Result<Cookie, Problem> {
    let caller = auth::identify(&app, &Method::POST, &headers).await?;
    let caller = caller.ok_or_else(Problem::unauthorized)?;
    let (Principal::Operator { id, .. }, Some(_)) = (&caller.principal, &caller.session) else {
        return Err(Problem::forbidden(
            "only an operator who has signed in has a password to change",
        ));
    };
    check(&sent)?;
    count_try(&app, peer.ip())?;
    let operator = app.ledger().operator(id).await?;
    let kept = operator.and_then(|operator| operator.password_hash);
    let Some(kept) = kept else {
        return Err(Problem::conflict(
            "there is no password: you sign in by single sign-on",
        ));
    };
    let by = Actor {
        name: caller.actor().name,
        ..nobody(peer.ip(), &headers)
    };
    if !password::matches(sent.current_password, Some(kept.clone())).await? {
        let problem = Problem::invalid(vec![not_yours()]);
        return Err(refuse(&app, &by, Some(id), problem).await);
    }
    app.sign_ins().forget(peer.ip());
    let hash = password::hash(sent.new_password).await?;
    let change = |operator: &mut StoredOperator| {
        if operator.password_hash.as_ref() != Some(&kept) {
            return Err(Problem::conflict(
                "the password was changed meanwhile: sign in with the one of now",
            ));
        }
        operator.password_hash = Some(hash.clone());
        Ok(())
    };
    let now = app.clock().now().into();
    match app.ledger().change_operator(id, now, &by, change).await? {
        Changed::Done(_) => {}
        Changed::Missing => return Err(Problem::unauthorized()),
        Changed::Refused(problem) => return Err(problem),
    }
    let secret = SessionSecret::generate()?;
    let credential = secret.credential(hash.as_bytes());
    let cookie = keep_session(&app, &secret, id.clone(), credential, &by, &headers).await?;
    Ok(Cookie(cookie))
}

/// # Errors
/// A [`Problem`] where the new password cannot be one.
fn check(sent: &PasswordChange) -> Result<(), Problem> {
    let mut errors = Vec::new();
    password::check_new("new_password", &sent.new_password, &mut errors);
    // Longer than any that is kept: not worth the work of comparing it.
    if sent.current_password.chars().count() > *password::CHARS.end() {
        errors.push(not_yours());
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(errors))
    }
}

fn not_yours() -> FieldError {
    FieldError::at("current_password", "this is not your password")
}
