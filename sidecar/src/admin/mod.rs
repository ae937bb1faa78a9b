//! The API for operators (`/admin/v1`), behind a token or a session, and a rule for each route.

mod audit;
mod budget_spec;
mod budgets;
mod conversations;
mod events;
mod exports;
mod key_import;
mod key_spec;
mod keys;
mod limit_spec;
mod limits;
mod moderation_policies;
mod moderations;
mod operators;
mod prices;
mod raises;
mod routes;
mod stats;
mod tokens;
mod users;
mod webhooks;
mod workspaces;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use crate::http::problem::Problem;
use crate::http::{auth, openapi};
use crate::session;
use crate::state::App;

/// All routes of the admin API. The token is asked for before a path is known not to exist.
pub fn routes(app: &App) -> Router<App> {
    openapi::begin();
    let (guarded, open) = openapi::publish(routes::guarded(app).routes(), session::routes());
    guarded
        .fallback(async || Problem::not_found("no such path on the admin API"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(app.clone(), auth::require_admin))
        .merge(open.method_not_allowed_fallback(async || Problem::method_not_allowed()))
        .layer(DefaultBodyLimit::max(app.config().limits.admin_body_bytes))
}
