//! Extractors that refuse with a [`Problem`] which names the field.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_path_to_error::Segment;

use super::problem::{FieldError, Problem};

/// A JSON body of type `T`.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

/// The bytes of a JSON body, within the route's limit.
#[derive(Debug)]
pub struct RawBody(pub Bytes);

/// The query string as `T`.
#[derive(Debug)]
pub struct Params<T>(pub T);

/// The parts of the path that vary, by name, as `T`.
#[derive(Debug)]
pub struct PathParts<T>(pub T);

/// The id in the path.
#[derive(Debug)]
pub struct PathId(pub String);

/// `/…/{id}`
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Id {
    id: String,
}

// === impl JsonBody ===

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        if bytes.trim_ascii_start().starts_with(b"[") {
            // Serde takes an array for a struct, field by field: such a body would pass for one that says nothing.
            parse::<IgnoredAny>(&bytes)?;
            return Err(Problem::invalid(vec![FieldError {
                pointer: "#".to_owned(),
                detail: "expected an object, got an array".to_owned(),
            }]));
        }
        parse(&bytes).map(Self)
    }
}

// === impl RawBody ===

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::not_json());
        }
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(rejection) => match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::too_large("the body is over this API's limit")),
                _ => Err(Problem::malformed("the body ended early: send it again, whole")),
            },
        }
    }
}

// === impl Params ===

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        refuse_nul(parts.uri.query().unwrap_or_default())?;
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::malformed(query_fault(&rejection.body_text()))),
        }
    }
}

// === impl PathParts ===

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParts<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        refuse_nul(parts.uri.path())?;
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::malformed(rejection.body_text())),
        }
    }
}

// === impl PathId ===

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let PathParts(Id { id }) = PathParts::from_request_parts(parts, state).await?;
        Ok(Self(id))
    }
}

/// Parses JSON into `T`. What is no JSON is 400; what is, and is no `T`, is 422 with the field.
///
/// # Errors
/// A [`Problem`] that says where.
pub fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() {
            Problem::invalid(vec![field_fault(pointer, &inner.to_string())])
        } else {
            Problem::malformed(format!("the body is not JSON: {inner}"))
        }
    })?;
    deserializer
        .end()
        .map_err(|error| Problem::malformed(format!("the body goes on after its JSON: {error}")))?;
    Ok(value)
}

/// What is wrong with a field, for somebody who knows neither Rust nor in which line a field was sent. A field that is
/// missing is named, not what it is missing in.
fn field_fault(pointer: String, text: &str) -> FieldError {
    let detail = text.rsplit_once(" at line ").map_or(text, |(detail, _)| detail);
    let missing = detail
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'));
    match missing {
        Some(field) => FieldError {
            pointer: format!("{pointer}/{field}"),
            detail: "required, and missing".to_owned(),
        },
        None => FieldError {
            pointer,
            detail: detail.to_owned(),
        },
    }
}

/// What is wrong with the query, likewise.
fn query_fault(text: &str) -> String {
    let fault = text
        .rsplit_once("query string: ")
        .map_or(text, |(_, fault)| fault);
    let fault = fault
        .replace("invalid digit found in string", "expected a whole number")
        .replace(
            "provided string was not `true` or `false`",
            "expected true or false",
        );
    format!("the query of the address: {fault}")
}

/// A path as a JSON Pointer in a URI fragment: `models[0]` is `#/models/0`.
pub fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut out = "#".to_owned();
    for segment in path {
        out.push('/');
        match segment {
            Segment::Seq { index } => out.push_str(&index.to_string()),
            Segment::Map { key } => out.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => out.push_str(variant),
            Segment::Unknown => out.push('?'),
        }
    }
    out
}

/// Refuses the one character that PostgreSQL cannot even be asked for.
fn refuse_nul(encoded: &str) -> Result<(), Problem> {
    if encoded.contains("%00") {
        return Err(Problem::malformed(
            "the address has the character NUL, which nothing here is called by",
        ));
    }
    Ok(())
}

/// Whether the body is said to be JSON. A body of which nothing is said is taken for it.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let Ok(text) = value.to_str() else { return false };
    let media_type = text.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
        || media_type.eq_ignore_ascii_case("application/merge-patch+json")
}
