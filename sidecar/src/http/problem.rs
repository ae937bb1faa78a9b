//! Errors of the HTTP API, as RFC 9457 has them (`application/problem+json`).

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::ledger::LedgerError;

/// What a problem is sent as.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One problem, as the caller sees it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Problem {
    /// Stable identifier of the kind of problem: `urn:tollgate:problem:…`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words: the same for all problems of the kind.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time and what to do about it.
    pub detail: String,
    /// Each field that is wrong, where fields are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub errors: Vec<FieldError>,
    /// For the header `retry-after`, in seconds.
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// Where: a JSON Pointer as a URI fragment (RFC 6901, section 6), e.g. `#/models/0`; for a query
    /// parameter its name.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

// === impl Problem ===

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:tollgate:problem:{kind}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// 400: the request cannot be read at all.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed-request",
            "Malformed request",
            detail,
        )
    }

    /// 422: the request can be read, and these fields of it are wrong. Never called without one.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = errors
            .iter()
            .map(|error| format!("{}: {}", error.pointer, error.detail))
            .collect::<Vec<_>>()
            .join("; ");
        Self {
            errors,
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-field",
                "Invalid field",
                detail,
            )
        }
    }

    /// 401: nobody says who asks the admin API.
    pub fn unauthorized() -> Self {
        Self::unauthorized_because(
            "send the admin_token of this sidecar's configuration, or an API token, as authorization: Bearer …",
        )
    }

    /// 401, for another reason.
    pub fn unauthorized_because(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized", detail)
    }

    /// 403: whoever asks is known, and may not have this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail)
    }

    /// 404: no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 405: the path exists, the method does not.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Method not allowed",
            "this path does not answer to this method, see the allow header",
        )
    }

    /// 408: the request did not arrive, or was not answered, in time.
    pub fn timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            "Timeout",
            "the request was not there, or not answered, within limits.request_timeout of the configuration: ask for less, or raise that",
        )
    }

    /// 409: what is asked for cannot be done in the thing's present state.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Conflict", detail)
    }

    /// 412: the thing is not as it was when the change was made up.
    pub fn changed_since() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "changed-since",
            "Precondition failed",
            "it was changed since the version of if-match: read it again, and decide again",
        )
    }

    /// 422: the idempotency key has come before, with another body.
    pub fn key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "Idempotency key reused",
            "the same idempotency-key came with another body before: send a new one for another request",
        )
    }

    /// 413: the body is larger than this API takes.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Content too large",
            detail,
        )
    }

    /// 415: the body is not JSON.
    pub fn not_json() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported media type",
            "send a JSON body as content-type: application/json",
        )
    }

    /// 429: asked too often to sign in.
    pub fn try_again_in(time: Duration) -> Self {
        let seconds = time.as_secs().max(1);
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests",
                format!("too many tries to sign in, try again in {seconds} s"),
            )
        }
    }

    /// 500: a fault of ours. What it was is in the log only.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error",
            "the sidecar failed, its log says why",
        )
    }

    /// 503: the ledger cannot be read or written at the moment.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Unavailable",
            detail,
        )
    }
}

impl From<LedgerError> for Problem {
    /// What the database said goes to the log, not to the caller.
    fn from(error: LedgerError) -> Self {
        tracing::error!(%error, "the ledger failed");
        Self::unavailable(
            "the ledger is not available: try again; where that lasts, the sidecar's log says why",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

// === impl FieldError ===

impl FieldError {
    /// An error at a field of the body, e.g. `models/0`.
    pub fn at(path: &str, detail: impl Into<String>) -> Self {
        Self {
            pointer: format!("#/{path}"),
            detail: detail.into(),
        }
    }
}
