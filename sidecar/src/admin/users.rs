//! Users of workspaces, as operators see and change them.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::money::NanoUsd;
use tollgate_core::policy::Paused;

use super::key_spec::{check_name, present, unless_empty};
use super::stats::month;
use super::workspaces::{Status, check_display_name, check_paused};
use crate::access::Permitted;
use crate::http::etag::{ETag, IfMatch, Tagged};
use crate::http::extract::{JsonBody, Params, PathId};
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::reply::Created;
use crate::ledger::change::Changed;
use crate::ledger::users::StoredUser;
use crate::secret_key::new_id;
use crate::state::App;

/// `POST /admin/v1/users`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// Of which workspace.
    #[schemars(length(min = 1, max = 128))]
    workspace: String,
    /// What keys name it by: never changed.
    #[schemars(length(min = 1, max = 128))]
    user: String,
    /// What people call it.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    display_name: Option<String>,
}

/// `PATCH /admin/v1/users/{id}`, a merge patch (RFC 7396): what is absent stays, null clears.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UserPatch {
    /// What people call it.
    #[serde(deserialize_with = "present")]
    #[schemars(length(min = 1, max = 128))]
    display_name: Option<Option<String>>,
    status: Option<Status>,
}

/// A user as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UserView {
    id: String,
    workspace: String,
    user: String,
    display_name: Option<String>,
    status: Status,
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

/// A page of users.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct UserPage {
    users: Vec<UserView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// `?workspace=&after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserQuery {
    workspace: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `POST /admin/v1/users`.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(new): JsonBody<NewUser>,
) -> Result<Created<UserView>, Problem> {
    let mut errors = Vec::new();
    check_name("workspace", &new.workspace, &mut errors);
    check_name("user", &new.user, &mut errors);
    check_display_name(new.display_name.as_deref(), &mut errors);
    unless_empty(errors)?;
    permitted.make(Some(&new.workspace))?;
    let now = app.clock().now();
    let stored = StoredUser {
        id: new_id("usr", now.into())?,
        workspace: new.workspace,
        name: new.user,
        display_name: new.display_name,
        status: Status::Active.as_str().to_owned(),
        first_seen_at: None,
        last_seen_at: None,
        created_at: now.as_millisecond(),
        updated_at: now.as_millisecond(),
        version: 1,
    };
    let by = permitted.caller().actor();
    if !app.ledger().insert_user(&stored, &by).await? {
        return Err(Problem::conflict(
            "the workspace has this user already: made before, or named by a key or an event",
        ));
    }
    let location = format!("{BASE}/users/{}", stored.id);
    Ok(Created::at(location, UserView::new(stored, 0)))
}

/// `GET /admin/v1/users`.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<UserQuery>,
) -> Result<Json<UserPage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let among = permitted.list(query.workspace)?;
    let after = query.after.unwrap_or_default();
    let rows = size.rows().saturating_add(1);
    let found = app.ledger().users(&among, &after, rows).await?;
    let (users, next) = size.cut(found, |user| user.id.clone());
    Ok(Json(UserPage {
        users: with_spend(&app, users).await?,
        next,
    }))
}

/// `GET /admin/v1/users/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
) -> Result<Tagged<UserView>, Problem> {
    let user = app.ledger().user(&id).await?.ok_or_else(no_such_user)?;
    permitted.object(Some(&user.workspace), no_such_user)?;
    tagged(&app, user).await
}

/// `PATCH /admin/v1/users/{id}`.
pub(super) async fn edit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
    JsonBody(patch): JsonBody<UserPatch>,
) -> Result<Tagged<UserView>, Problem> {
    let mut errors = Vec::new();
    check_display_name(
        patch.display_name.as_ref().and_then(Option::as_deref),
        &mut errors,
    );
    unless_empty(errors)?;
    let change = |user: &mut StoredUser| {
        permitted.object(Some(&user.workspace), no_such_user)?;
        if_match.check(&tag_of(user))?;
        if let Some(display_name) = patch.display_name {
            user.display_name = display_name;
        }
        if let Some(status) = patch.status {
            status.as_str().clone_into(&mut user.status);
        }
        Ok(())
    };
    let fits = |paused: &Paused| check_paused(patch.status, paused);
    let now = app.clock().now().into();
    let by = permitted.caller().actor();
    match app.ledger().change_user(&id, now, &by, change, fits).await? {
        Changed::Done(user) => tagged(&app, *user).await,
        Changed::Missing => Err(no_such_user()),
        Changed::Refused(problem) => Err(problem),
    }
}

async fn with_spend(app: &App, users: Vec<StoredUser>) -> Result<Vec<UserView>, Problem> {
    let (since, _) = month(app.clock().now())?;
    let spend = app
        .ledger()
        .spend_of_users(&users, since.as_millisecond())
        .await?;
    let views = users.into_iter().zip(spend);
    Ok(views.map(|(user, spent)| UserView::new(user, spent)).collect())
}

async fn tagged(app: &App, user: StoredUser) -> Result<Tagged<UserView>, Problem> {
    let tag = tag_of(&user);
    let mut views = with_spend(app, vec![user]).await?;
    let view = views.pop().ok_or_else(no_such_user)?;
    Ok(Tagged { tag, view })
}

fn tag_of(user: &StoredUser) -> ETag {
    ETag::of(user.version, user.updated_at)
}

fn no_such_user() -> Problem {
    Problem::not_found("no user has this id")
}

// === impl UserView ===

impl UserView {
    fn new(user: StoredUser, spent: u64) -> Self {
        let time = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Self {
            id: user.id,
            workspace: user.workspace,
            user: user.name,
            display_name: user.display_name,
            status: Status::of(&user.status),
            month_cost_usd: NanoUsd(spent).to_string(),
            first_seen_at: time(user.first_seen_at),
            last_seen_at: time(user.last_seen_at),
            created_at: time(Some(user.created_at)),
            updated_at: time(Some(user.updated_at)),
            version: user.version,
        }
    }
}
