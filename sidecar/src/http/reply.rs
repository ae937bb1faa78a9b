//! Answers that are more than JSON with status 200.

use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Described, StatusCode as Code};
use aide::operation::OperationOutput;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::json_response;

/// What tells every cache between here and the caller to keep nothing.
pub const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// 201: what was made, as JSON.
#[derive(Debug)]
pub struct Created<T> {
    view: T,
    location: Option<String>,
    is_secret: bool,
}

/// 202: it will be done.
#[derive(Debug, Clone, Copy)]
pub struct Accepted;

/// 200: JSON that no cache may keep.
#[derive(Debug)]
pub struct Unstored<T>(pub T);

// === impl Created ===

impl<T> Created<T> {
    /// What was made, which has no path of its own.
    pub fn new(view: T) -> Self {
        Self {
            view,
            location: None,
            is_secret: false,
        }
    }

    /// What was made, and its path.
    pub fn at(location: String, view: T) -> Self {
        Self {
            location: Some(location),
            ..Self::new(view)
        }
    }

    /// The answer holds a secret, and is to be kept nowhere.
    pub fn secret(self) -> Self {
        Self {
            is_secret: true,
            ..self
        }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self.view)).into_response();
        let headers = response.headers_mut();
        if let Some(location) = self.location.and_then(|path| HeaderValue::try_from(path).ok()) {
            headers.insert(header::LOCATION, location);
        }
        if self.is_secret {
            headers.insert(header::CACHE_CONTROL, NO_STORE);
        }
        response
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn inferred_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<Code>, Described)> {
        vec![(Some(Code::Code(201)), json_response::<T>(ctx, "Created"))]
    }
}

// === impl Accepted ===

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

impl OperationOutput for Accepted {
    type Inner = ();

    fn inferred_responses(
        _ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<Code>, Described)> {
        let described = Described {
            description: "Accepted".to_owned(),
            ..Described::default()
        };
        vec![(Some(Code::Code(202)), described)]
    }
}

// === impl Unstored ===

impl<T: Serialize> IntoResponse for Unstored<T> {
    fn into_response(self) -> Response {
        ([(header::CACHE_CONTROL, NO_STORE)], Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Unstored<T> {
    type Inner = T;

    fn inferred_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<Code>, Described)> {
        vec![(Some(Code::Code(200)), json_response::<T>(ctx, "OK"))]
    }
}
