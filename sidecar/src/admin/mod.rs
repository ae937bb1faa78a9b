//! The API for operators (`/admin/v1`), behind the admin token or a session that was begun with it.

mod audit;
mod budget_spec;
mod budgets;
mod events;
mod exports;
mod key_spec;
mod keys;
mod moderations;
mod stats;
mod webhooks;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use crate::http::openapi::{about, also};
use crate::http::problem::Problem;
use crate::http::{auth, openapi};
use crate::session;
use crate::state::App;

/// All routes of the admin API. The token is asked for before a path is known not to exist.
pub fn routes(app: &App) -> Router<App> {
    openapi::begin();
    let guarded = ApiRouter::new()
        .merge(key_routes())
        .merge(budget_routes())
        .merge(log_routes())
        .merge(stats_routes())
        .merge(webhook_routes());
    let (guarded, open) = openapi::publish(guarded, session::routes());
    guarded
        .fallback(async || Problem::not_found("no such path on the admin API"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(app.clone(), auth::require_admin))
        .merge(open.method_not_allowed_fallback(async || Problem::method_not_allowed()))
        .layer(DefaultBodyLimit::max(app.config().limits.admin_body_bytes))
}

fn key_routes() -> ApiRouter<App> {
    let about = |id, summary| about("keys", id, summary);
    ApiRouter::new()
        .api_route(
            "/keys",
            get_with(keys::list, about("listKeys", "List keys")).post_with(
                keys::create,
                about("createKey", "Create a key, which is shown this once"),
            ),
        )
        .api_route(
            "/keys/{id}",
            get_with(keys::show, about("getKey", "Show a key")).patch_with(keys::edit, |operation| {
                also::<409>(about(
                    "editKey",
                    "Change a key: what is absent stays, null clears",
                )(operation))
            }),
        )
        .api_route(
            "/keys/{id}/pause",
            post_with(keys::pause, |operation| {
                also::<409>(about("pauseKey", "Pause a key until it is resumed")(operation))
            }),
        )
        .api_route(
            "/keys/{id}/resume",
            post_with(keys::resume, |operation| {
                also::<409>(about("resumeKey", "Resume a paused key")(operation))
            }),
        )
        .api_route(
            "/keys/{id}/revoke",
            post_with(keys::revoke, about("revokeKey", "Revoke a key, for good")),
        )
}

fn budget_routes() -> ApiRouter<App> {
    let about = |id, summary| about("budgets", id, summary);
    ApiRouter::new()
        .api_route(
            "/budgets",
            get_with(budgets::list, about("listBudgets", "List budgets")).post_with(
                budgets::create,
                |operation| {
                    also::<409>(about("createBudget", "Create a budget, or a template of budgets")(operation))
                },
            ),
        )
        .api_route(
            "/budgets/{id}",
            get_with(budgets::show, about("getBudget", "Show a budget"))
                .patch_with(budgets::edit, |operation| {
                    also::<409>(about("editBudget", "Change a budget: what is absent stays")(
                        operation,
                    ))
                })
                .delete_with(
                    budgets::archive,
                    about("archiveBudget", "Archive a budget, for good"),
                ),
        )
        .api_route(
            "/budgets/{id}/deposits",
            post_with(budgets::deposit, |operation| {
                also::<409>(about("deposit", "Add to a prepaid balance")(operation))
            }),
        )
}

fn log_routes() -> ApiRouter<App> {
    let about = |id, summary| about("logs", id, summary);
    ApiRouter::new()
        .api_route(
            "/audit",
            get_with(audit::list, about("listAuditEntries", "Read the audit log")),
        )
        .api_route(
            "/events",
            get_with(events::list, about("listEvents", "Read events")),
        )
        .api_route(
            "/moderations",
            get_with(
                moderations::list,
                about("listModerations", "Read moderation's verdicts"),
            ),
        )
}

fn stats_routes() -> ApiRouter<App> {
    let about = |id, summary| about("stats", id, summary);
    ApiRouter::new()
        .api_route(
            "/stats",
            get_with(stats::show, about("getStats", "Read statistics")),
        )
        .api_route(
            "/stats/projection",
            get_with(
                stats::projection,
                about("getProjection", "Say where the month leads"),
            ),
        )
        .api_route(
            "/exports/stats.csv",
            get_with(exports::stats, about("exportStats", "Download statistics as CSV")),
        )
        .api_route(
            "/exports/events.csv",
            get_with(exports::events, about("exportEvents", "Download events as CSV")),
        )
        .api_route(
            "/exports/focus.csv",
            get_with(
                exports::focus,
                about("exportFocus", "Download costs in FOCUS 1.2"),
            ),
        )
}

fn webhook_routes() -> ApiRouter<App> {
    let about = |id, summary| about("webhooks", id, summary);
    ApiRouter::new()
        .api_route(
            "/webhooks",
            get_with(webhooks::list, about("listWebhooks", "List webhooks")).post_with(
                webhooks::create,
                about(
                    "createWebhook",
                    "Create a webhook, whose secret is shown this once",
                ),
            ),
        )
        .api_route(
            "/webhooks/{id}",
            get_with(webhooks::show, about("getWebhook", "Show a webhook"))
                .patch_with(
                    webhooks::edit,
                    about("editWebhook", "Change a webhook: what is absent stays"),
                )
                .delete_with(
                    webhooks::delete,
                    about("deleteWebhook", "Delete a webhook with its deliveries"),
                ),
        )
        .api_route(
            "/webhooks/{id}/deliveries",
            get_with(
                webhooks::deliveries,
                about("listDeliveries", "List a webhook's deliveries and dead letters"),
            ),
        )
        .api_route(
            "/webhooks/{id}/deliveries/{delivery}/retry",
            post_with(
                webhooks::retry,
                about("retryDelivery", "Send a dead letter again"),
            ),
        )
}
