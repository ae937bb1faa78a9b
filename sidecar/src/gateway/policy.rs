//! The policy, as gateways ask for it.

use axum::Json;
use axum::extract::State;
use tollgate_core::policy::Policy;

use crate::http::problem::Problem;
use crate::state::App;

/// `POST /v1/policy`.
pub(super) async fn show(State(app): State<App>) -> Result<Json<Policy>, Problem> {
    let now = app.clock().now().into();
    Ok(Json(app.ledger().policy(now).await?))
}
