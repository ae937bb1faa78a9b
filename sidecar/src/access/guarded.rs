//! Routes that cannot be added without their rule, which they are guarded by and described with.

use aide::axum::ApiRouter;
use aide::axum::routing::ApiMethodRouter;
use aide::generate;
use aide::openapi::{
    Operation, Parameter, ReferenceOr, Response as Described, SecurityRequirement, StatusCode,
};
use aide::transform::TransformPathItem;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::{Permitted, Rule};
use crate::http::openapi::{add_header, problems};
use crate::http::problem::Problem;
use crate::http::{idempotency, replay};
use crate::principal::Caller;
use crate::state::App;

/// Routes of the admin API.
pub struct Guarded {
    app: App,
    routes: ApiRouter<App>,
}

/// What the description says of a route that makes something once.
struct Once {
    parameters: Vec<ReferenceOr<Parameter>>,
    problems: Vec<(Option<StatusCode>, Described)>,
}

// === impl Guarded ===

impl Guarded {
    /// No routes yet.
    pub fn new(app: &App) -> Self {
        Self {
            app: app.clone(),
            routes: ApiRouter::new(),
        }
    }

    /// Adds what a path answers to one method.
    #[must_use]
    pub fn on(self, rule: Rule, path: &str, route: ApiMethodRouter<App>) -> Self {
        let guarded = route.route_layer(from_fn(move |request, next| check(rule, request, next)));
        let routes = self
            .routes
            .api_route_with(path, guarded, |item| describe(rule, item));
        Self { routes, ..self }
    }

    /// Adds what makes something: under an idempotency key it does so once.
    #[must_use]
    pub fn once(self, rule: Rule, path: &str, route: ApiMethodRouter<App>) -> Self {
        let made_once = route.route_layer(from_fn_with_state(self.app.clone(), replay::once));
        let guarded = made_once.route_layer(from_fn(move |request, next| check(rule, request, next)));
        let once = described_once();
        let routes = self.routes.api_route_with(path, guarded, |item| {
            let mut described = describe(rule, item);
            if let Some(operation) = &mut described.inner_mut().post {
                operation.parameters.extend(once.parameters);
                let responses = &mut operation.responses.get_or_insert_default().responses;
                for (status, problem) in once.problems {
                    responses.extend(status.map(|status| (status, ReferenceOr::Item(problem))));
                }
            }
            described
        });
        Self { routes, ..self }
    }

    /// The routes, whose caller is in each request's extensions.
    pub fn routes(self) -> ApiRouter<App> {
        self.routes
    }
}

/// Refuses whom the rule does not allow, and tells the handler what is allowed.
async fn check(rule: Rule, mut request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        return Problem::unauthorized().into_response();
    };
    match Permitted::new(rule, caller) {
        Ok(permitted) => {
            request.extensions_mut().insert(permitted);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn describe(rule: Rule, mut item: TransformPathItem<'_>) -> TransformPathItem<'_> {
    let path = item.inner_mut();
    let operations = [
        &mut path.get,
        &mut path.post,
        &mut path.patch,
        &mut path.put,
        &mut path.delete,
    ];
    for operation in operations.into_iter().flatten() {
        describe_one(rule, operation);
    }
    item
}

/// What a route that makes something once takes and answers beside what its handler says.
fn described_once() -> Once {
    generate::in_context(|ctx| {
        let mut operation = Operation::default();
        add_header(
            ctx,
            &mut operation,
            idempotency::HEADER,
            idempotency::DESCRIPTION,
            false,
        );
        Once {
            parameters: operation.parameters,
            problems: problems(ctx, &[400, 409, 413, 422]),
        }
    })
}

fn describe_one(rule: Rule, operation: &mut Operation) {
    let needs = |scheme: &str, scopes: Vec<String>| -> SecurityRequirement {
        std::iter::once((scheme.to_owned(), scopes)).collect()
    };
    operation.security = vec![
        needs("bearer", vec![rule.scope.as_str().to_owned()]),
        needs("session", Vec::new()),
    ];
    let extensions = &mut operation.extensions;
    extensions.insert("x-tollgate-role".to_owned(), json!(rule.role));
    extensions.insert("x-tollgate-reach".to_owned(), json!(rule.reach.as_str()));
}
