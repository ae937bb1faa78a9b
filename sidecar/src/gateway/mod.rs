//! The API for gateways (`/v1`): the contract of `tollgate_core::wire`.

mod bounds;
mod conversations;
mod events;
mod intake;
mod keys;
mod leases;
mod moderations;
mod policy;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::post;

use crate::http::auth;
use crate::http::problem::Problem;
use crate::otel::callout;
use crate::state::App;

/// All routes of the gateway API, behind the gateways' tokens.
pub fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/keys/resolve", post(keys::resolve))
        .route("/keys/changes", post(keys::changes))
        .route("/events", post(events::accept))
        .route("/leases", post(leases::lease))
        .route("/leases/report", post(leases::report))
        .route("/policy", post(policy::show))
        .route("/moderations", post(moderations::judge))
        .route("/conversations", post(conversations::keep))
        .fallback(async || Problem::not_found("no such path on the gateway API"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(app.config().limits.gateway_body_bytes))
        .layer(from_fn_with_state(app.clone(), callout::trace))
        .layer(from_fn_with_state(app.clone(), auth::require_gateway))
}
