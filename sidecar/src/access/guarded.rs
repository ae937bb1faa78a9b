//! Routes that cannot be added without their rule, which they are guarded by and described with.

use aide::axum::ApiRouter;
use aide::axum::routing::ApiMethodRouter;
use aide::openapi::{Operation, SecurityRequirement};
use aide::transform::TransformPathItem;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::{Permitted, Rule};
use crate::http::problem::Problem;
use crate::principal::Caller;
use crate::state::App;

/// Routes of the admin API.
pub struct Guarded(ApiRouter<App>);

// === impl Guarded ===

impl Guarded {
    /// No routes yet.
    pub fn new() -> Self {
        Self(ApiRouter::new())
    }

    /// Adds what a path answers to one method.
    #[must_use]
    pub fn on(self, rule: Rule, path: &str, route: ApiMethodRouter<App>) -> Self {
        let guarded = route.route_layer(from_fn(move |request, next| check(rule, request, next)));
        Self(self.0.api_route_with(path, guarded, |item| describe(rule, item)))
    }

    /// The routes, whose caller is in each request's extensions.
    pub fn routes(self) -> ApiRouter<App> {
        self.0
    }
}

impl Default for Guarded {
    fn default() -> Self {
        Self::new()
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
