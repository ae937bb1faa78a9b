//! Bearer tokens (RFC 6750), checked before a byte of the body is read.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;
use crate::secret::Token;
use crate::state::App;

/// Lets a request of the admin API pass if it bears the admin token.
pub async fn require_admin(State(app): State<App>, request: Request, next: Next) -> Response {
    gate(std::slice::from_ref(&app.config().admin_token), request, next).await
}

/// Lets a request of the gateway API pass if it bears one of the gateways' tokens.
pub async fn require_gateway(State(app): State<App>, request: Request, next: Next) -> Response {
    gate(&app.config().gateway_tokens, request, next).await
}

async fn gate(tokens: &[Token], request: Request, next: Next) -> Response {
    let sent = bearer(request.headers());
    // All are compared, so that the time taken does not tell which one came close.
    let known = sent.is_some_and(|sent| {
        tokens
            .iter()
            .fold(false, |known, token| known | token.matches(sent))
    });
    if known {
        next.run(request).await
    } else {
        Problem::unauthorized().into_response()
    }
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
