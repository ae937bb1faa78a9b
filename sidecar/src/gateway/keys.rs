//! Keys, as gateways ask for them.

use axum::Json;
use axum::extract::State;
use tollgate_core::key::{KeyHash, KeyRecord};
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
    let ledger = app.ledger();
    let record = match ledger.key_by_hash(&request.sha256).await? {
        Some(key) => key.record(),
        None => by_retired(&app, &request.sha256).await?,
    };
    record
        .map(|record| Json(with_policy(&app, record)))
        .ok_or_else(|| Problem::not_found("no key has this hash"))
}

/// The key whose secret this was, while that still works.
async fn by_retired(app: &App, hash: &KeyHash) -> Result<Option<KeyRecord>, Problem> {
    let now = app.clock().now().as_millisecond();
    let retired = app.ledger().retired_secret(hash).await?;
    let Some(retired) = retired.filter(|retired| retired.retires_at > now) else {
        return Ok(None);
    };
    let key = app.ledger().key(&retired.key_id).await?;
    Ok(key.and_then(|key| key.record_of(&retired)))
}

/// `POST /v1/keys/changes`.
pub(super) async fn changes(
    State(app): State<App>,
    JsonBody(request): JsonBody<KeyChangesRequest>,
) -> Result<Json<KeyChanges>, Problem> {
    let changed = app.ledger().key_changes(request.after).await?;
    let budgets = app.ledger().budget_version().await?;
    let policy = app.ledger().policy_version().await?;
    let retired = changed.retired.iter().filter_map(|retired| {
        let key = changed.keys.iter().find(|key| key.id == retired.key_id)?;
        key.clone().record_of(retired)
    });
    let retired: Vec<KeyRecord> = retired.collect();
    let current = changed.keys.into_iter().filter_map(StoredKey::record);
    Ok(Json(KeyChanges {
        version: u64::try_from(changed.version).unwrap_or(0),
        keys: current
            .chain(retired)
            .map(|record| with_policy(&app, record))
            .collect(),
        more: changed.more,
        budgets: Some(budgets),
        policy: Some(policy),
    }))
}

/// The key as gateways cache it: where it names no moderation policy, with its workspace's.
fn with_policy(app: &App, mut record: KeyRecord) -> KeyRecord {
    if record.moderation.is_none() {
        let policy = app.config().moderation.of_workspace(&record.workspace);
        record.moderation = policy.map(str::to_owned);
    }
    record
}
