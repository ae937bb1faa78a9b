//! Keys, as gateways ask for them.

use axum::Json;
use axum::extract::State;
use tollgate_core::key::KeyRecord;
use tollgate_core::wire::{KeyChanges, KeyChangesRequest, ResolveKey};

use crate::http::extract::JsonBody;
use crate::http::problem::Problem;
use crate::ledger::keys::StoredKey;
use crate::state::App;

/// `POST /v1/keys/resolve`. Paused, expired and revoked keys are answered too: the gateway tells the client
/// which it is.
pub(super) async fn resolve(
    State(app): State<App>,
    JsonBody(request): JsonBody<ResolveKey>,
) -> Result<Json<KeyRecord>, Problem> {
    let key = app.ledger().key_by_hash(&request.sha256).await?;
    key.and_then(|key| record(&app, key))
        .map(Json)
        .ok_or_else(|| Problem::not_found("no key has this hash"))
}

/// `POST /v1/keys/changes`.
pub(super) async fn changes(
    State(app): State<App>,
    JsonBody(request): JsonBody<KeyChangesRequest>,
) -> Result<Json<KeyChanges>, Problem> {
    let changed = app.ledger().key_changes(request.after).await?;
    let budgets = app.ledger().budget_version().await?;
    Ok(Json(KeyChanges {
        version: u64::try_from(changed.version).unwrap_or(0),
        keys: changed
            .keys
            .into_iter()
            .filter_map(|key| record(&app, key))
            .collect(),
        more: changed.more,
        budgets: Some(budgets),
    }))
}

/// The key as gateways cache it: where it names no moderation policy, with its workspace's.
fn record(app: &App, key: StoredKey) -> Option<KeyRecord> {
    let mut record = key.record()?;
    if record.moderation.is_none() {
        let policy = app.config().moderation.of_workspace(&record.workspace);
        record.moderation = policy.map(str::to_owned);
    }
    Some(record)
}
