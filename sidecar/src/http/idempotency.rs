//! The header that makes a request which is tried again the same request.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{
    HeaderStyle, Operation, Parameter, ParameterData, ParameterSchemaOrContent, SchemaObject,
};
use aide::operation::add_parameters;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use schemars::json_schema;

use super::problem::Problem;

const HEADER: &str = "idempotency-key";
const MAX_CHARS: usize = 255;

/// What the caller calls its request: new for each, and the same when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

// === impl IdempotencyKey ===

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Problem::malformed(
                "send one idempotency-key header, new for each request and the same when it is tried again",
            ));
        };
        let text = value.to_str().ok().map(str::trim);
        text.filter(|key| (1..=MAX_CHARS).contains(&key.len()))
            .map(|key| Self(key.to_owned()))
            .ok_or_else(|| {
                Problem::malformed(format!(
                    "idempotency-key: expected 1 to {MAX_CHARS} ASCII characters"
                ))
            })
    }
}

impl OperationInput for IdempotencyKey {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = SchemaObject {
            json_schema: json_schema!({"type": "string", "minLength": 1, "maxLength": MAX_CHARS}),
            external_docs: None,
            example: None,
        };
        let parameter_data = ParameterData {
            name: HEADER.to_owned(),
            description: Some("New for each request, and the same when it is tried again.".to_owned()),
            required: true,
            deprecated: None,
            format: ParameterSchemaOrContent::Schema(schema),
            example: None,
            examples: Default::default(),
            explode: None,
            extensions: Default::default(),
        };
        let header = Parameter::Header {
            parameter_data,
            style: HeaderStyle::Simple,
        };
        add_parameters(ctx, operation, [header]);
    }
}
