//! Which version of a thing an answer shows, and which one a change is meant for (RFC 9110, section 13).

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Described, StatusCode};
use aide::operation::OperationOutput;
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::{MAX_HEADER_CHARS, add_header, json_response, problems};
use super::problem::{FieldError, Problem};

/// The version of a thing: another one after each change of what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

/// 200: a thing as JSON, and its version.
#[derive(Debug)]
pub struct Tagged<T> {
    /// Its version.
    pub tag: ETag,
    /// The thing.
    pub view: T,
}

/// For which versions a change is meant; all, where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IfMatch(Option<String>);

// === impl ETag ===

impl ETag {
    /// That of a thing by the numbers that change with it.
    pub fn of(version: i64, updated_at: i64) -> Self {
        Self(format!("\"{version:x}-{updated_at:x}\""))
    }
}

// === impl Tagged ===

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.view).into_response();
        if let Ok(tag) = HeaderValue::try_from(self.tag.0) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

impl<T: JsonSchema> OperationOutput for Tagged<T> {
    type Inner = T;

    fn inferred_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<StatusCode>, Described)> {
        vec![(Some(StatusCode::Code(200)), json_response::<T>(ctx, "OK"))]
    }
}

// === impl IfMatch ===

impl IfMatch {
    /// Whether the change is meant for a thing of this version.
    ///
    /// # Errors
    /// 412 where it is not: somebody has changed it since.
    pub fn check(&self, tag: &ETag) -> Result<(), Problem> {
        let Some(wanted) = &self.0 else { return Ok(()) };
        let is_wanted = wanted
            .split(',')
            .map(str::trim)
            .any(|one| one == "*" || one == tag.0);
        if is_wanted {
            Ok(())
        } else {
            Err(Problem::changed_since())
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let lines: Result<Vec<&str>, _> = parts
            .headers
            .get_all(header::IF_MATCH)
            .iter()
            .map(HeaderValue::to_str)
            .collect();
        // What cannot be read is no tag of ours, and fits nothing.
        let lines = lines.unwrap_or_else(|_| vec!["unreadable"]);
        if lines.is_empty() {
            return Ok(Self(None));
        }
        let wanted = lines.join(",");
        if !(1..=MAX_HEADER_CHARS).contains(&wanted.len()) {
            return Err(Problem::invalid(vec![FieldError {
                pointer: "if-match".to_owned(),
                detail: format!("expected 1 to {MAX_HEADER_CHARS} characters"),
            }]));
        }
        Ok(Self(Some(wanted)))
    }
}

impl OperationInput for IfMatch {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let description = "The etag of the version that the change is meant for.";
        add_header(ctx, operation, header::IF_MATCH.as_str(), description, false);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<StatusCode>, Described)> {
        problems(ctx, &[412, 422])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_for_the_version_that_it_names() {
        let tag = ETag::of(17, 1);
        let is_for = |text: Option<&str>| IfMatch(text.map(str::to_owned)).check(&tag).is_ok();
        for good in [None, Some("*"), Some("\"11-1\""), Some("\"x\", \"11-1\"")] {
            assert!(is_for(good), "{good:?}");
        }
        for bad in ["\"11-2\"", "11-1", "W/\"11-1\"", "\"11-1"] {
            assert!(!is_for(Some(bad)), "{bad}");
        }
    }
}
