//! `/healthz`: the process lives. `/readyz`: it can do its work.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::{Value, json};

use crate::http::problem::Problem;
use crate::state::App;

/// Both routes, open to everyone: they tell nothing.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
}

async fn live() -> Json<Value> {
    Json(json!({"status": "live"}))
}

async fn ready(State(app): State<App>) -> Result<Json<Value>, Problem> {
    if app.is_draining() {
        return Err(Problem::unavailable("shutting down"));
    }
    if app.ledger().is_ready().await? {
        Ok(Json(json!({"status": "ready"})))
    } else {
        Err(Problem::unavailable(
            "the ledger's schema is older than this program: start it anew, or run `tollgate-sidecar migrate`",
        ))
    }
}
