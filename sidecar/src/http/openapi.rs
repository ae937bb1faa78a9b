//! The admin API's own description (OpenAPI 3.1): what a route takes and answers is read off its handler's types.

use aide::OperationInput;
use aide::axum::ApiRouter;
use aide::generate::{self, GenContext};
use aide::openapi::{
    ApiKeyLocation, HeaderStyle, Info, License, MediaType, OpenApi, Operation, Parameter, ParameterData,
    ParameterSchemaOrContent, ReferenceOr, RequestBody, Response, SchemaObject, SecurityScheme, Server,
    StatusCode,
};
use aide::operation::{OperationOutput, ParamLocation, add_parameters, parameters_from_schema, set_body};
use aide::transform::{TransformOpenApi, TransformOperation};
use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, json_schema};

use super::extract::{JsonBody, Params, PathId, PathParts};
use super::problem::{MEDIA_TYPE, Problem};
use crate::session::CSRF_HEADER;
use crate::state::App;

/// Where the admin API is.
pub const BASE: &str = "/admin/v1";
/// Where its description is, under [`BASE`].
const DOCUMENT: &str = "/openapi.json";
/// Longest value of a header that a route is told something in, in characters.
pub const MAX_HEADER_CHARS: usize = 255;
/// What any route may answer, whatever it does: who asks, how long it took, and how we are.
const ALWAYS: [u16; 5] = [401, 403, 408, 500, 503];

/// Has the descriptions of handlers on this thread written in the words of OpenAPI 3.1, which are JSON Schema's of
/// 2020-12. Before the first route.
pub fn begin() {
    generate::reset_context();
    generate::in_context(|ctx| {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        ctx.schema = settings.into_generator();
    });
}

/// Ends the description of an API: the routes that are guarded, and those that are open, which serve it. Both were
/// made on this thread since [`begin`].
pub fn publish(guarded: ApiRouter<App>, open: ApiRouter<App>) -> (Router<App>, Router<App>) {
    let mut document = OpenApi {
        info: Info {
            title: "Tollgate admin API".to_owned(),
            summary: Some(
                "Keys, budgets, limits, events, webhooks and the audit log of a Tollgate sidecar".to_owned(),
            ),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            license: Some(License {
                name: "Apache-2.0".to_owned(),
                identifier: Some("Apache-2.0".to_owned()),
                ..License::default()
            }),
            ..Info::default()
        },
        servers: vec![Server {
            url: BASE.to_owned(),
            ..Server::default()
        }],
        ..OpenApi::default()
    };
    let guarded = guarded.finish_api_with(&mut document, security);
    let open = open.finish_api(&mut document);
    // Written once: nothing in it can change.
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    let text = Bytes::from(text);
    (guarded, open.route(DOCUMENT, get(async move || serve(text))))
}

/// What an operation is called, and what it does in a few words.
pub fn about<'a>(
    tag: &'a str,
    id: &'a str,
    summary: &'a str,
) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> + use<'a> {
    move |operation| operation.tag(tag).id(id).summary(summary)
}

/// The same of an operation that may also answer that the thing's state does not allow it.
pub fn about_or_conflict<'a>(
    tag: &'a str,
    id: &'a str,
    summary: &'a str,
) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> + use<'a> {
    move |operation| also::<409>(about(tag, id, summary)(operation))
}

/// Nobody need say who asks.
pub fn open(mut operation: TransformOperation<'_>) -> TransformOperation<'_> {
    let described = operation.inner_mut();
    described.security = vec![Default::default()];
    let is_open = serde_json::Value::Bool(true);
    described.extensions.insert("x-tollgate-open".to_owned(), is_open);
    operation
}

/// A problem that this operation may answer beside those that its types tell of.
pub fn also<const STATUS: u16>(mut operation: TransformOperation<'_>) -> TransformOperation<'_> {
    generate::in_context(|ctx| {
        let responses = operation.inner_mut().responses.get_or_insert_default();
        for (status, response) in problems(ctx, &[STATUS]) {
            let status = status.unwrap_or(StatusCode::Code(STATUS));
            responses.responses.insert(status, ReferenceOr::Item(response));
        }
    });
    operation
}

/// An answer of JSON.
pub fn json_response<T: JsonSchema>(ctx: &mut GenContext, description: &str) -> Response {
    let schema = ctx.schema.subschema_for::<T>();
    response(description, "application/json", schema)
}

fn response(description: &str, media_type: &str, schema: Schema) -> Response {
    Response {
        description: description.to_owned(),
        content: std::iter::once((media_type.to_owned(), media(schema))).collect(),
        ..Response::default()
    }
}

/// Answers that are problems.
pub fn problems(ctx: &mut GenContext, statuses: &[u16]) -> Vec<(Option<StatusCode>, Response)> {
    let schema = ctx.schema.subschema_for::<Problem>();
    let described = |status: &u16| {
        let title = axum::http::StatusCode::from_u16(*status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default();
        (
            Some(StatusCode::Code(*status)),
            response(title, MEDIA_TYPE, schema.clone()),
        )
    };
    statuses.iter().map(described).collect()
}

/// Adds a header that an operation reads.
pub fn add_header(
    ctx: &mut GenContext,
    operation: &mut Operation,
    name: &str,
    description: &str,
    is_required: bool,
) {
    let schema = SchemaObject {
        json_schema: json_schema!({"type": "string", "minLength": 1, "maxLength": MAX_HEADER_CHARS}),
        external_docs: None,
        example: None,
    };
    let parameter_data = ParameterData {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: is_required,
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

fn media(json_schema: Schema) -> MediaType {
    MediaType {
        schema: Some(SchemaObject {
            json_schema,
            external_docs: None,
            example: None,
        }),
        ..MediaType::default()
    }
}

fn security(api: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    let bearer = SecurityScheme::Http {
        scheme: "bearer".to_owned(),
        bearer_format: None,
        description: Some(
            "The admin token of the sidecar's configuration, or a token of POST /tokens.".to_owned(),
        ),
        extensions: Default::default(),
    };
    let session = SecurityScheme::ApiKey {
        location: ApiKeyLocation::Cookie,
        name: crate::session::COOKIE.to_owned(),
        description: Some(format!(
            "What signing in sets, for the sidecar's own page: every change needs the header {CSRF_HEADER} too."
        )),
        extensions: Default::default(),
    };
    api.security_scheme("bearer", bearer)
        .security_scheme("session", session)
        .security_requirement("bearer")
        .security_requirement("session")
}

fn serve(text: Bytes) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text)
}

// === impl JsonBody ===

impl<T: JsonSchema> OperationInput for JsonBody<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        let body = RequestBody {
            content: std::iter::once(("application/json".to_owned(), media(schema))).collect(),
            required: true,
            ..RequestBody::default()
        };
        set_body(ctx, operation, body);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<StatusCode>, Response)> {
        problems(ctx, &[400, 413, 415, 422])
    }
}

// === impl Params ===

impl<T: JsonSchema> OperationInput for Params<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = T::json_schema(&mut ctx.schema);
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Query);
        add_parameters(ctx, operation, parameters);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<StatusCode>, Response)> {
        problems(ctx, &[400, 422])
    }
}

// === impl PathParts ===

impl<T: JsonSchema> OperationInput for PathParts<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = T::json_schema(&mut ctx.schema);
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Path);
        add_parameters(ctx, operation, parameters);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<StatusCode>, Response)> {
        problems(ctx, &[400, 404])
    }
}

// === impl PathId ===

impl OperationInput for PathId {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        PathParts::<super::extract::Id>::operation_input(ctx, operation);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<StatusCode>, Response)> {
        PathParts::<super::extract::Id>::inferred_early_responses(ctx, operation)
    }
}

// === impl Problem ===

impl OperationOutput for Problem {
    type Inner = Self;

    fn inferred_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<StatusCode>, Response)> {
        problems(ctx, &ALWAYS)
    }
}
