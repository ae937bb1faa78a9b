//! Bearer tokens (RFC 6750) and the page's sessions, checked before a byte of the body is read.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tollgate_core::key::KeyHash;

use super::problem::Problem;
use crate::ledger::operators::StoredOperator;
use crate::principal::{Caller, Credential, Grants, Principal};
use crate::secret::Token;
use crate::secret_key::ADMIN_PREFIX;
use crate::session;
use crate::state::App;

const MAX_USER_AGENT_CHARS: usize = 256;

/// Lets a request of the admin API pass if it bears the admin token or a session's cookie, and puts the [`Caller`]
/// into its extensions.
pub async fn require_admin(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match identify(&app, request.method(), request.headers()).await {
        Ok(Some(mut caller)) => {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
            caller.address = peer.map(|ConnectInfo(peer)| peer.ip().to_string());
            caller.user_agent = user_agent(request.headers());
            let secret = caller.session.as_ref().map(|session| session.secret.to_text());
            caller.credential = match (bearer(request.headers()), secret) {
                (Some(token), _) => Some(Credential::of(token)),
                (None, Some(cookie)) => Some(Credential::of(cookie.as_bytes())),
                (None, None) => None,
            };
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(None) => Problem::unauthorized().into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// Lets a request of the gateway API pass if it bears one of the gateways' tokens.
pub async fn require_gateway(State(app): State<App>, request: Request, next: Next) -> Response {
    if bears_one_of(request.headers(), &app.config().gateway_tokens) {
        next.run(request).await
    } else {
        Problem::unauthorized_because(
            "send one of the gateway_tokens of this sidecar's configuration as authorization: Bearer …",
        )
        .into_response()
    }
}

/// Who asks; nobody where the request bears neither a token nor the cookie of a session that holds. A request with
/// a token is judged by it alone.
///
/// # Errors
/// A [`Problem`] where the token is wrong, or the session may not be used by this request.
pub async fn identify(app: &App, method: &Method, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return session::resume(app, method, headers).await;
    }
    if bears_one_of(headers, std::slice::from_ref(&app.config().admin_token)) {
        return Ok(Some(Caller::admin_token()));
    }
    let sent = bearer(headers).filter(|sent| sent.starts_with(ADMIN_PREFIX.as_bytes()));
    let caller = match sent {
        Some(sent) => by_token(app, sent).await?,
        None => None,
    };
    caller.map(Some).ok_or_else(|| {
        Problem::unauthorized_because(
            "this token is not known here, or no longer good: send the admin_token of this sidecar's configuration, or \
             an API token that has not ended, as authorization: Bearer …",
        )
    })
}

/// Whose token of the API this is, and what it allows now: no more than whoever made it may do themselves.
async fn by_token(app: &App, sent: &[u8]) -> Result<Option<Caller>, Problem> {
    let ledger = app.ledger();
    let now = app.clock().now().into();
    let token = ledger.token_by_hash(&KeyHash::of(sent).0).await?;
    let Some(token) = token.filter(|token| token.is_good(now)) else {
        return Ok(None);
    };
    let mut grants = Grants::one(token.workspace.as_deref(), token.role);
    if let Some(id) = &token.operator_id {
        let maker = ledger.operator(id).await?.filter(StoredOperator::is_active);
        let Some(maker) = maker else { return Ok(None) };
        grants = grants.within(&maker.roles);
    }
    ledger.use_token(&token, now).await?;
    let scopes = token.scopes.map(|scopes| scopes.0.into_iter().collect());
    let principal = Principal::ApiToken {
        id: token.id,
        operator_id: token.operator_id,
    };
    Ok(Some(Caller {
        scopes,
        ..Caller::new(principal, grants)
    }))
}

/// What a request says that it was sent with: as much of it as the audit log keeps.
pub fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(MAX_USER_AGENT_CHARS).collect())
}

fn bears_one_of(headers: &HeaderMap, tokens: &[Token]) -> bool {
    // All are compared, so that the time taken does not tell which one came close.
    bearer(headers).is_some_and(|sent| {
        tokens
            .iter()
            .fold(false, |known, token| known | token.matches(sent))
    })
}

/// The one bearer token of a request; none where the header is repeated.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.as_bytes().split_at_checked("bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for value in ["Bearer abc", "bearer abc", "BEARER  abc"] {
            assert_eq!(bearer(&headers(&[value])), Some(&b"abc"[..]), "{value}");
        }
    }

    #[test]
    fn a_repeated_or_foreign_header_is_no_token() {
        for values in [
            &["Bearer abc", "Bearer abc"][..],
            &["Basic abc"],
            &["Bearer"],
            &[],
        ] {
            assert_eq!(bearer(&headers(values)), None, "{values:?}");
        }
    }
}
