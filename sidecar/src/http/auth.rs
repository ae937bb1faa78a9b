//! Bearer tokens (RFC 6750) and the page's sessions, checked before a byte of the body is read.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;
use crate::principal::{Caller, Principal};
use crate::secret::Token;
use crate::session;
use crate::state::App;

/// Lets a request of the admin API pass if it bears the admin token or a session's cookie, and puts the [`Caller`]
/// into its extensions.
pub async fn require_admin(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match identify(&app, request.method(), request.headers()).await {
        Ok(Some(caller)) => {
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
        Problem::unauthorized().into_response()
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
    if !bears_one_of(headers, std::slice::from_ref(&app.config().admin_token)) {
        return Err(Problem::unauthorized());
    }
    Ok(Some(Caller {
        principal: Principal::AdminToken,
        session: None,
    }))
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
