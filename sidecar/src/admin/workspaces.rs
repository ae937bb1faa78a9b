//! Workspaces, as operators see and change them.

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::money::NanoUsd;
use tollgate_core::policy::Paused;

use super::key_spec::{check_name, check_policy, present, unless_empty};
use super::stats::month;
use crate::access::Permitted;
use crate::http::etag::{ETag, IfMatch, Tagged};
use crate::http::extract::{JsonBody, Params, PathId};
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::{FieldError, Problem};
use crate::http::reply::Created;
use crate::ledger::workspaces::{Changed, Inserted, StoredWorkspace};
use crate::principal::EVERYWHERE;
use crate::state::App;

/// Whether a workspace, or a user, may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Active,
    /// All their requests are refused with `key_paused`, by key or by JWT, until they are active again.
    Paused,
}

/// `POST /admin/v1/workspaces`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWorkspace {
    /// What keys name it by: never changed.
    #[schemars(length(min = 1, max = 128))]
    id: String,
    /// What people call it.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    display_name: Option<String>,
    /// The moderation policy of its keys that name none themselves; absent for the one of the sidecar's configuration.
    #[serde(default)]
    moderation: Option<String>,
}

/// `PATCH /admin/v1/workspaces/{id}`, a merge patch (RFC 7396): what is absent stays, null clears.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WorkspacePatch {
    /// What people call it.
    #[serde(deserialize_with = "present")]
    #[schemars(length(min = 1, max = 128))]
    display_name: Option<Option<String>>,
    /// The moderation policy of its keys that name none themselves; null for the one of the sidecar's configuration.
    #[serde(deserialize_with = "present")]
    moderation: Option<Option<String>>,
    status: Option<Status>,
}

/// A workspace as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WorkspaceView {
    id: String,
    display_name: Option<String>,
    status: Status,
    /// Null for `declared_moderation`.
    moderation: Option<String>,
    /// The moderation policy that the sidecar's configuration gives it.
    declared_moderation: Option<String>,
    /// Of this month in UTC, in dollars.
    month_cost_usd: String,
    /// Of its first event.
    first_seen_at: Option<Timestamp>,
    /// Of its last event.
    last_seen_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    version: i64,
}

/// A page of workspaces.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WorkspacePage {
    workspaces: Vec<WorkspaceView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// `?workspace=&after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkspaceQuery {
    workspace: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `POST /admin/v1/workspaces`.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(new): JsonBody<NewWorkspace>,
) -> Result<Created<WorkspaceView>, Problem> {
    let mut errors = Vec::new();
    check_name("id", &new.id, &mut errors);
    if new.id == EVERYWHERE {
        errors.push(FieldError::at("id", "stands for every workspace, choose another"));
    }
    check_display_name(new.display_name.as_deref(), &mut errors);
    check_policy(
        "",
        new.moderation.as_deref(),
        &app.policy_names().await?,
        &mut errors,
    );
    unless_empty(errors)?;
    let now = app.clock().now().as_millisecond();
    let stored = StoredWorkspace {
        workspace: new.id,
        display_name: new.display_name,
        status: Status::Active.as_str().to_owned(),
        moderation: new.moderation,
        first_seen_at: None,
        last_seen_at: None,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let by = permitted.caller().actor();
    let declared = app.config().moderation.specs();
    match app.ledger().insert_workspace(&stored, declared, &by).await? {
        Inserted::Done => {}
        Inserted::Taken => {
            return Err(Problem::conflict(
                "a workspace of this id is there already: made before, or named by a key, a budget or an event",
            ));
        }
        Inserted::PolicyDeleted(deleted) => return Err(deleted.into()),
    }
    let location = format!(
        "{BASE}/workspaces/{}",
        utf8_percent_encode(&stored.workspace, NON_ALPHANUMERIC)
    );
    Ok(Created::at(location, view(&app, stored, 0)))
}

/// `GET /admin/v1/workspaces`.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<WorkspaceQuery>,
) -> Result<Json<WorkspacePage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let among = permitted.list(query.workspace)?;
    let after = query.after.unwrap_or_default();
    let rows = size.rows().saturating_add(1);
    let found = app.ledger().workspaces(&among, &after, rows).await?;
    let (workspaces, next) = size.cut(found, |one| one.workspace.clone());
    Ok(Json(WorkspacePage {
        workspaces: with_spend(&app, workspaces).await?,
        next,
    }))
}

/// `GET /admin/v1/workspaces/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
) -> Result<Tagged<WorkspaceView>, Problem> {
    permitted.object(Some(&id), no_such_workspace)?;
    let workspace = app.ledger().workspace(&id).await?;
    tagged(&app, workspace.ok_or_else(no_such_workspace)?).await
}

/// `PATCH /admin/v1/workspaces/{id}`.
pub(super) async fn edit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
    JsonBody(patch): JsonBody<WorkspacePatch>,
) -> Result<Tagged<WorkspaceView>, Problem> {
    let mut errors = Vec::new();
    check_display_name(
        patch.display_name.as_ref().and_then(Option::as_deref),
        &mut errors,
    );
    let policy = patch.moderation.as_ref().and_then(Option::as_deref);
    check_policy("", policy, &app.policy_names().await?, &mut errors);
    unless_empty(errors)?;
    permitted.object(Some(&id), no_such_workspace)?;
    let change = |workspace: &mut StoredWorkspace| {
        if_match.check(&tag_of(workspace))?;
        if let Some(display_name) = patch.display_name {
            workspace.display_name = display_name;
        }
        if let Some(moderation) = patch.moderation {
            workspace.moderation = moderation;
        }
        if let Some(status) = patch.status {
            status.as_str().clone_into(&mut workspace.status);
        }
        Ok(())
    };
    let fits = |paused: &Paused| check_paused(patch.status, paused);
    let now = app.clock().now().into();
    let by = permitted.caller().actor();
    let declared = app.config().moderation.specs();
    let changed = app
        .ledger()
        .change_workspace(&id, now, declared, &by, change, fits)
        .await?;
    let workspace = done(changed)?;
    tracing::info!(workspace = %workspace.workspace, status = %workspace.status, "workspace changed");
    tagged(&app, workspace).await
}

/// `DELETE /admin/v1/workspaces/{id}`, with its users.
pub(super) async fn delete(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<NoContent, Problem> {
    let now = app.clock().now().into();
    let may = |workspace: &StoredWorkspace| if_match.check(&tag_of(workspace));
    let by = permitted.caller().actor();
    done(app.ledger().delete_workspace(&id, now, &by, may).await?)?;
    Ok(NoContent)
}

fn done(changed: Changed<Problem>) -> Result<StoredWorkspace, Problem> {
    match changed {
        Changed::Done(workspace) => Ok(*workspace),
        Changed::NoSuchWorkspace => Err(no_such_workspace()),
        Changed::InUse(what) => Err(Problem::conflict(format!(
            "the workspace has {what}: only one that has neither keys, events nor budgets can be deleted; pause it"
        ))),
        Changed::Refused(problem) => Err(problem),
    }
}

/// Notes it among the errors where a display name cannot be one.
pub(super) fn check_display_name(name: Option<&str>, errors: &mut Vec<FieldError>) {
    if let Some(name) = name {
        check_name("display_name", name, errors);
    }
}

/// Checks that gateways can be told of all who are paused, where a change pauses one.
///
/// # Errors
/// 409: they are too many.
pub(super) fn check_paused(status: Option<Status>, paused: &Paused) -> Result<(), Problem> {
    if status != Some(Status::Paused) || paused.fits() {
        return Ok(());
    }
    Err(Problem::conflict(
        "so many workspaces and users are paused that gateways cannot be told of one more: pause a whole workspace, or \
        resume those that need it no more",
    ))
}

async fn with_spend(app: &App, workspaces: Vec<StoredWorkspace>) -> Result<Vec<WorkspaceView>, Problem> {
    let (since, _) = month(app.clock().now())?;
    let names: Vec<&str> = workspaces.iter().map(|one| one.workspace.as_str()).collect();
    let spend = app
        .ledger()
        .spend_of_workspaces(&names, since.as_millisecond())
        .await?;
    let views = workspaces.into_iter().zip(spend);
    Ok(views.map(|(one, spent)| view(app, one, spent)).collect())
}

async fn tagged(app: &App, workspace: StoredWorkspace) -> Result<Tagged<WorkspaceView>, Problem> {
    let tag = tag_of(&workspace);
    let mut views = with_spend(app, vec![workspace]).await?;
    let view = views.pop().ok_or_else(no_such_workspace)?;
    Ok(Tagged { tag, view })
}

fn tag_of(workspace: &StoredWorkspace) -> ETag {
    ETag::of(workspace.version, workspace.updated_at)
}

fn view(app: &App, workspace: StoredWorkspace, spent: u64) -> WorkspaceView {
    let time = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let declared = app.config().moderation.of_workspace(&workspace.workspace);
    WorkspaceView {
        declared_moderation: declared.map(str::to_owned),
        id: workspace.workspace,
        display_name: workspace.display_name,
        status: Status::of(&workspace.status),
        moderation: workspace.moderation,
        month_cost_usd: NanoUsd(spent).to_string(),
        first_seen_at: time(workspace.first_seen_at),
        last_seen_at: time(workspace.last_seen_at),
        created_at: time(Some(workspace.created_at)),
        updated_at: time(Some(workspace.updated_at)),
        version: workspace.version,
    }
}

fn no_such_workspace() -> Problem {
    Problem::not_found("no workspace has this id")
}

// === impl Status ===

impl Status {
    /// As the ledger spells it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
        }
    }

    /// What the ledger says.
    pub(super) fn of(text: &str) -> Self {
        if text == Self::Active.as_str() {
            Self::Active
        } else {
            Self::Paused
        }
    }
}
