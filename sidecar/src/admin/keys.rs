//! Keys, as operators see and change them.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::types::Json as SqlJson;
use tollgate_core::key::KeyStatus;

use super::key_spec::{KeyPatch, NewKey};
use crate::access::Permitted;
use crate::http::extract::{JsonBody, Params, PathId};
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::reply::Created;
use crate::ledger::keys::{Changed, Status, StoredKey};
use crate::secret_key::{NoRandomness, SecretKey, new_key_id};
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
}

/// A new key, with its text: the only time that it is shown.
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
    new.check(&app.config().moderation)?;
    permitted.make(Some(&new.workspace))?;
    let now = app.clock().now();
    let secret = SecretKey::generate(new.environment)?;
    let stored = StoredKey {
        id: new_key_id(now)?,
        sha256: secret.hash().0.to_vec(),
        prefix: secret.prefix().to_owned(),
        name: new.name,
        workspace: new.workspace,
        user: new.user,
        models: SqlJson(new.models.unwrap_or_default()),
        expires_at: new.expires_at.map(Timestamp::as_millisecond),
        status: Status(KeyStatus::Active),
        moderation: new.moderation,
        environment: new.environment.as_str().to_owned(),
        created_at: now.as_millisecond(),
        updated_at: now.as_millisecond(),
        version: 0,
    };
    app.ledger()
        .insert_key(&stored, &permitted.caller().actor())
        .await?;
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
) -> Result<Json<KeyView>, Problem> {
    let key = app.ledger().key(&id).await?.ok_or_else(no_such_key)?;
    permitted.object(Some(&key.workspace), no_such_key)?;
    Ok(Json(key.into()))
}

/// `PATCH /admin/v1/keys/{id}`.
pub(super) async fn edit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    JsonBody(patch): JsonBody<KeyPatch>,
) -> Result<Json<KeyView>, Problem> {
    patch.check(&app.config().moderation)?;
    change(&app, &permitted, &id, "key.edit", |key| {
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
) -> Result<Json<KeyView>, Problem> {
    change(&app, &permitted, &id, "key.pause", |key| {
        set_status(key, KeyStatus::Paused)
    })
    .await
}

/// `POST /admin/v1/keys/{id}/resume`. Resuming an active key is no change.
pub(super) async fn resume(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
) -> Result<Json<KeyView>, Problem> {
    change(&app, &permitted, &id, "key.resume", |key| {
        set_status(key, KeyStatus::Active)
    })
    .await
}

/// `POST /admin/v1/keys/{id}/revoke`. For good.
pub(super) async fn revoke(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
) -> Result<Json<KeyView>, Problem> {
    change(&app, &permitted, &id, "key.revoke", |key| {
        set_status(key, KeyStatus::Revoked)
    })
    .await
}

async fn change(
    app: &App,
    permitted: &Permitted,
    id: &str,
    action: &'static str,
    change: impl FnOnce(&mut StoredKey) -> Result<(), Problem>,
) -> Result<Json<KeyView>, Problem> {
    let change = |key: &mut StoredKey| {
        permitted.object(Some(&key.workspace), no_such_key)?;
        change(key)
    };
    let by = permitted.caller().actor();
    match app
        .ledger()
        .change_key(id, app.clock().now(), &by, action, change)
        .await?
    {
        Changed::Done(key) => {
            tracing::info!(key_id = %key.id, status = key.status.as_str(), version = key.version, "key changed");
            Ok(Json((*key).into()))
        }
        Changed::NoSuchKey => Err(no_such_key()),
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
        }
    }
}

impl From<NoRandomness> for Problem {
    fn from(error: NoRandomness) -> Self {
        tracing::error!(%error, "cannot draw a key");
        Self::internal()
    }
}
