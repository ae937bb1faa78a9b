//! The API for operators (`/admin/v1`), behind the admin token or a session that was begun with it.

mod audit;
mod budget_spec;
mod budgets;
mod events;
mod key_spec;
mod keys;
mod moderations;
mod webhooks;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::http::auth;
use crate::http::problem::Problem;
use crate::session;
use crate::state::App;

/// All routes of the admin API. The token is asked for before a path is known not to exist.
pub fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{id}", get(keys::show).patch(keys::edit))
        .route("/keys/{id}/pause", post(keys::pause))
        .route("/keys/{id}/resume", post(keys::resume))
        .route("/keys/{id}/revoke", post(keys::revoke))
        .route("/budgets", get(budgets::list).post(budgets::create))
        .route(
            "/budgets/{id}",
            get(budgets::show).patch(budgets::edit).delete(budgets::archive),
        )
        .route("/budgets/{id}/deposits", post(budgets::deposit))
        .route("/audit", get(audit::list))
        .route("/events", get(events::list))
        .route("/moderations", get(moderations::list))
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route(
            "/webhooks/{id}",
            get(webhooks::show).patch(webhooks::edit).delete(webhooks::delete),
        )
        .route("/webhooks/{id}/deliveries", get(webhooks::deliveries))
        .route(
            "/webhooks/{id}/deliveries/{delivery}/retry",
            post(webhooks::retry),
        )
        .fallback(async || Problem::not_found("no such path on the admin API"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(app.config().limits.admin_body_bytes))
        .layer(from_fn_with_state(app.clone(), auth::require_admin))
        .merge(session::routes(app))
}
