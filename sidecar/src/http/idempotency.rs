//! The header that makes a request which is tried again the same request.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::openapi::{MAX_HEADER_CHARS, add_header};
use super::problem::Problem;

/// Its name.
pub const HEADER: &str = "idempotency-key";
/// What the description says of it.
pub const DESCRIPTION: &str = "New for each request, and the same when it is tried again.";

/// What the caller calls its request: new for each, and the same when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

// === impl IdempotencyKey ===

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers)
    }
}

impl IdempotencyKey {
    /// The key of a request.
    ///
    /// # Errors
    /// A [`Problem`] where there is none, or several.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(HEADER).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Problem::malformed(
                "send one idempotency-key header, new for each request and the same when it is tried again",
            ));
        };
        let text = value.to_str().ok().map(str::trim);
        text.filter(|key| (1..=MAX_HEADER_CHARS).contains(&key.len()))
            .map(|key| Self(key.to_owned()))
            .ok_or_else(|| {
                Problem::malformed(format!(
                    "idempotency-key: expected 1 to {MAX_HEADER_CHARS} ASCII characters"
                ))
            })
    }
}

impl OperationInput for IdempotencyKey {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        add_header(ctx, operation, HEADER, DESCRIPTION, true);
    }
}
