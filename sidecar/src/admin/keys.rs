//! Keys, as operators see and change them.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::types::Json as SqlJson;
use tollgate_core::key::KeyStatus;

use super::key_import::KeyImport;
use super::key_spec::{KeyPatch, NewKey, Rotation};
use crate::access::Permitted;
use crate::http::etag::{ETag, IfMatch, Tagged};
use crate::http::extract::{JsonBody, Params, PathId};
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::reply::{Created, Unstored};
use crate::ledger::change::Changed;
use crate::ledger::key_status::Status;
use crate::ledger::keys::{Inserted, StoredKey};
use crate::secret_key::{Environment, NoRandomness, SecretKey};
use crate::state::App;

/// A key as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct KeyView {
    id: String,
    prefix: String,
    name: String,
    workspace: String,
    user: Option<String>,
    models: Vec<String>,
    status: KeyStatus,
    expires_at: Option<Timestamp>,
    moderation: Option<String>,
    environment: String,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    /// Of the last request with it, as its event has it.
    last_used_at: Option<Timestamp>,
    /// Until when the secret before the last rotation works, or worked.
    previous_until: Option<Timestamp>,
}

/// A key with a new secret: the only time that it is shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CreatedKey {
    key: String,
    #[serde(flatten)]
    view: KeyView,
}

/// A page of keys.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct KeyPage {
    keys: Vec<KeyView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// Keys that were imported.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Imported {
    keys: Vec<KeyView>,
}

/// `?workspace=&after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyQuery {
    workspace: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `POST /admin/v1/keys`.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(new): JsonBody<NewKey>,
) -> Result<Created<CreatedKey>, Problem> {
    new.check(&app.policy_names().await?)?;
    permitted.make(Some(&new.workspace))?;
    let now = app.clock().now();
    let secret = SecretKey::generate(new.environment)?;
    let stored = new.stored(secret.hash().0.to_vec(), secret.prefix().to_owned(), now)?;
    let by = permitted.caller().actor();
    let declared = app.config().moderation.specs();
    let inserted = app
        .ledger()
        .insert_keys(std::slice::from_ref(&stored), declared, &by, "key.create")
        .await?;
    match inserted {
        Inserted::Done => {}
        Inserted::SecretTaken(_) => {
            tracing::error!("the secret that was drawn is there already: the randomness is none");
            return Err(Problem::internal());
        }
        Inserted::PolicyDeleted(deleted) => return Err(deleted.into()),
    }
    tracing::info!(key_id = %stored.id, workspace = %stored.workspace, "key created");
    let location = format!("{BASE}/keys/{}", stored.id);
    let created = CreatedKey {
        key: secret.text().to_owned(),
        view: stored.into(),
    };
    Ok(Created::at(location, created).secret())
}

/// `GET /admin/v1/keys`.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<KeyQuery>,
) -> Result<Json<KeyPage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let workspaces = permitted.list(query.workspace)?;
    let after = query.after.unwrap_or_default();
    let rows = size.rows().saturating_add(1);
    let found = app.ledger().keys(&workspaces, &after, rows).await?;
    let (keys, next) = size.cut(found, |key| key.id.clone());
    Ok(Json(KeyPage {
        keys: keys.into_iter().map(KeyView::from).collect(),
        next,
    }))
}

/// `GET /admin/v1/keys/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
) -> Result<Tagged<KeyView>, Problem> {
    let key = app.ledger().key(&id).await?.ok_or_else(no_such_key)?;
    permitted.object(Some(&key.workspace), no_such_key)?;
    Ok(tagged(key))
}

/// `PATCH /admin/v1/keys/{id}`.
pub(super) async fn edit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
    JsonBody(patch): JsonBody<KeyPatch>,
) -> Result<Tagged<KeyView>, Problem> {
    patch.check(&app.policy_names().await?)?;
    change(&app, &permitted, &if_match, &id, "key.edit", |key| {
        if key.status.0 == KeyStatus::Revoked {
            return Err(revoked());
        }
        if let Some(name) = patch.name {
            key.name = name;
        }
        if let Some(models) = patch.models {
            key.models = SqlJson(models.unwrap_or_default());
        }
        if let Some(expires_at) = patch.expires_at {
            key.expires_at = expires_at.map(Timestamp::as_millisecond);
        }
        if let Some(moderation) = patch.moderation {
            key.moderation = moderation;
        }
        Ok(())
    })
    .await
}

/// `POST /admin/v1/keys/{id}/pause`. Pausing a paused key is no change.
pub(super) async fn pause(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<Tagged<KeyView>, Problem> {
    change(&app, &permitted, &if_match, &id, "key.pause", |key| {
        set_status(key, KeyStatus::Paused)
    })
    .await
}

/// `POST /admin/v1/keys/{id}/resume`. Resuming an active key is no change.
pub(super) async fn resume(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<Tagged<KeyView>, Problem> {
    change(&app, &permitted, &if_match, &id, "key.resume", |key| {
        set_status(key, KeyStatus::Active)
    })
    .await
}

/// `POST /admin/v1/keys/{id}/revoke`. For good.
pub(super) async fn revoke(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<Tagged<KeyView>, Problem> {
    change(&app, &permitted, &if_match, &id, "key.revoke", |key| {
        set_status(key, KeyStatus::Revoked)
    })
    .await
}

/// `POST /admin/v1/keys/{id}/rotate`: another secret for the same key. The one before works for a while.
pub(super) async fn rotate(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
    JsonBody(rotation): JsonBody<Rotation>,
) -> Result<Unstored<CreatedKey>, Problem> {
    rotation.check()?;
    let live = SecretKey::generate(Environment::Live)?;
    let test = SecretKey::generate(Environment::Test)?;
    let until = rotation.end(app.clock().now());
    let Tagged { view, .. } = change(&app, &permitted, &if_match, &id, "key.rotate", |key| {
        if key.status.0 == KeyStatus::Revoked {
            return Err(revoked());
        }
        let secret = if key.environment == Environment::Test.as_str() {
            &test
        } else {
            &live
        };
        key.sha256 = secret.hash().0.to_vec();
        secret.prefix().clone_into(&mut key.prefix);
        key.previous_until = Some(until);
        Ok(())
    })
    .await?;
    let secret = if view.environment == Environment::Test.as_str() {
        test
    } else {
        live
    };
    Ok(Unstored(CreatedKey {
        key: secret.text().to_owned(),
        view,
    }))
}

/// `POST /admin/v1/keys/import`: keys whose secrets are known elsewhere, by their hashes. All or none.
pub(super) async fn import(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(batch): JsonBody<KeyImport>,
) -> Result<Created<Imported>, Problem> {
    batch.check(&app.policy_names().await?)?;
    for key in &batch.keys {
        permitted.make(Some(&key.workspace))?;
    }
    let now = app.clock().now();
    let stored: Result<Vec<StoredKey>, Problem> = batch.keys.into_iter().map(|key| key.stored(now)).collect();
    let stored = stored?;
    let by = permitted.caller().actor();
    let declared = app.config().moderation.specs();
    match app
        .ledger()
        .insert_keys(&stored, declared, &by, "key.import")
        .await?
    {
        Inserted::Done => {
            tracing::info!(keys = stored.len(), "keys imported");
            Ok(Created::new(Imported {
                keys: stored.into_iter().map(KeyView::from).collect(),
            }))
        }
        Inserted::SecretTaken(index) => Err(Problem::conflict(format!(
            "#/keys/{index}/sha256: a key with this secret is there already; nothing was imported"
        ))),
        Inserted::PolicyDeleted(deleted) => Err(deleted.into()),
    }
}

async fn change(
    app: &App,
    permitted: &Permitted,
    if_match: &IfMatch,
    id: &str,
    action: &'static str,
    change: impl FnOnce(&mut StoredKey) -> Result<(), Problem>,
) -> Result<Tagged<KeyView>, Problem> {
    let change = |key: &mut StoredKey| {
        permitted.object(Some(&key.workspace), no_such_key)?;
        if_match.check(&tag_of(key))?;
        change(key)
    };
    let by = permitted.caller().actor();
    let declared = app.config().moderation.specs();
    match app
        .ledger()
        .change_key(id, app.clock().now(), declared, &by, action, change)
        .await?
    {
        Changed::Done(key) => {
            tracing::info!(key_id = %key.id, status = key.status.as_str(), version = key.version, "key changed");
            let key = app.ledger().key(id).await?.ok_or_else(no_such_key)?;
            Ok(tagged(key))
        }
        Changed::Missing => Err(no_such_key()),
        Changed::Refused(problem) => Err(problem),
    }
}

fn set_status(key: &mut StoredKey, status: KeyStatus) -> Result<(), Problem> {
    if key.status.0 == KeyStatus::Revoked && status != KeyStatus::Revoked {
        return Err(revoked());
    }
    key.status = Status(status);
    Ok(())
}

fn tag_of(key: &StoredKey) -> ETag {
    ETag::of(key.version, key.updated_at)
}

fn tagged(key: StoredKey) -> Tagged<KeyView> {
    Tagged {
        tag: tag_of(&key),
        view: key.into(),
    }
}

fn revoked() -> Problem {
    Problem::conflict("the key is revoked, for good: create another")
}

fn no_such_key() -> Problem {
    Problem::not_found("no key has this id")
}

// === impl KeyView ===

impl From<StoredKey> for KeyView {
    fn from(key: StoredKey) -> Self {
        let time = |ms| Timestamp::from_millisecond(ms).ok();
        Self {
            id: key.id,
            prefix: key.prefix,
            name: key.name,
            workspace: key.workspace,
            user: key.user,
            models: key.models.0,
            status: key.status.0,
            expires_at: key.expires_at.and_then(time),
            moderation: key.moderation,
            environment: key.environment,
            created_at: time(key.created_at),
            updated_at: time(key.updated_at),
            last_used_at: key.last_used_at.and_then(time),
            previous_until: key.previous_until.and_then(time),
        }
    }
}

impl From<NoRandomness> for Problem {
    fn from(error: NoRandomness) -> Self {
        tracing::error!(%error, "cannot draw a key");
        Self::internal()
    }
}
