//! Limits, as operators see, change and reset them. They reach every gateway within two seconds, beside those of its
//! configuration, which are not seen here.

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::config::Span;
use tollgate_core::limit::{Algorithm, Count, LimitSpec, MatchSpec, Mode, Per};
use tollgate_core::time::UnixMillis;

use super::limit_spec::{LimitPatch, LimitResetRequest, check, check_limit_name};
use crate::access::Permitted;
use crate::http::etag::{ETag, IfMatch, Tagged};
use crate::http::extract::{JsonBody, Params, PathId, PathParts};
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::reply::{Accepted, Created};
use crate::ledger::change::Changed;
use crate::ledger::limits::{NewReset, StoredLimit};
use crate::secret_key::new_id;
use crate::state::App;

/// For how long a reset of a limit is told whose period is not known here: twice the longest there is.
const LONGEST_MS: u64 = 62 * 86_400_000;

/// A limit as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LimitView {
    id: String,
    name: String,
    /// Null for `concurrent`.
    algorithm: Option<Algorithm>,
    count: Count,
    amount: u64,
    /// Null for `concurrent`.
    period: Option<Span>,
    burst: Option<u64>,
    per: Vec<Per>,
    #[serde(rename = "match")]
    applies_to: MatchSpec,
    mode: Mode,
    slot_ttl: Option<Span>,
    max_subjects: u32,
    /// The workspace that it is for, where that is one: its admins may change it.
    workspace: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

/// A page of limits.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LimitPage {
    limits: Vec<LimitView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// `?workspace=&after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitQuery {
    /// Only limits that are for this workspace alone.
    workspace: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `/limits/by-name/{name}`
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct LimitName {
    name: String,
}

/// `POST /admin/v1/limits`.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(spec): JsonBody<LimitSpec>,
) -> Result<Created<LimitView>, Problem> {
    let now: UnixMillis = app.clock().now().into();
    let new = StoredLimit {
        id: new_id("lim", now)?,
        spec,
        created_at: now,
        updated_at: now,
        version: 0,
    };
    permitted.make(new.workspace())?;
    let by = permitted.caller().actor();
    let checked = |others: &[StoredLimit]| check(&new.spec, others);
    let limit = done(app.ledger().create_limit(&new, &by, checked).await?)?;
    tracing::info!(limit_id = %limit.id, name = %limit.spec.name, amount = limit.spec.amount, "limit created");
    Ok(Created::at(format!("{BASE}/limits/{}", limit.id), limit.into()))
}

/// `GET /admin/v1/limits`.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<LimitQuery>,
) -> Result<Json<LimitPage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let workspaces = permitted.list(query.workspace)?;
    let after = query.after.unwrap_or_default();
    let rows = size.rows().saturating_add(1);
    let found = app.ledger().limits(&workspaces, &after, rows).await?;
    let (limits, next) = size.cut(found, |limit| limit.id.clone());
    Ok(Json(LimitPage {
        limits: limits.into_iter().map(LimitView::from).collect(),
        next,
    }))
}

/// `GET /admin/v1/limits/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
) -> Result<Tagged<LimitView>, Problem> {
    known(&app, &permitted, &id).await.map(tagged)
}

/// `PATCH /admin/v1/limits/{id}`. What was counted stays counted, where the period and what refills do.
pub(super) async fn edit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
    JsonBody(patch): JsonBody<LimitPatch>,
) -> Result<Tagged<LimitView>, Problem> {
    let change = |stored: &mut StoredLimit, others: &[StoredLimit]| {
        permitted.object(stored.workspace(), no_such_limit)?;
        if_match.check(&tag_of(stored))?;
        patch.apply(&mut stored.spec);
        permitted.make(stored.workspace())?;
        check(&stored.spec, others)
    };
    let (now, by) = (app.clock().now().into(), permitted.caller().actor());
    let limit = done(app.ledger().change_limit(&id, now, &by, change).await?)?;
    tracing::info!(limit_id = %id, amount = limit.spec.amount, version = limit.version, "limit changed");
    Ok(tagged(limit))
}

/// `DELETE /admin/v1/limits/{id}`.
pub(super) async fn delete(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<NoContent, Problem> {
    let may = |stored: &StoredLimit| {
        permitted.object(stored.workspace(), no_such_limit)?;
        if_match.check(&tag_of(stored))
    };
    let (now, by) = (app.clock().now().into(), permitted.caller().actor());
    let limit = done(app.ledger().delete_limit(&id, now, &by, may).await?)?;
    tracing::info!(limit_id = %id, name = %limit.spec.name, "limit deleted");
    Ok(NoContent)
}

/// `POST /admin/v1/limits/{id}/reset`: gives back what was counted, on every gateway.
pub(super) async fn reset(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    JsonBody(asked): JsonBody<LimitResetRequest>,
) -> Result<Accepted, Problem> {
    let limit = known(&app, &permitted, &id).await?;
    asked.check(Some(&limit.spec))?;
    give_back(&app, &permitted, &limit.spec.name, Some(&limit), &asked).await
}

/// `POST /admin/v1/limits/by-name/{name}/reset`: the same, also of a limit that only gateways' configurations have. A
/// gateway whose limit of this name counts by something else than the subject says does nothing.
pub(super) async fn reset_by_name(
    State(app): State<App>,
    permitted: Permitted,
    PathParts(LimitName { name }): PathParts<LimitName>,
    JsonBody(asked): JsonBody<LimitResetRequest>,
) -> Result<Accepted, Problem> {
    check_limit_name(&name)?;
    let limit = app.ledger().limit_by_name(&name).await?;
    asked.check(limit.as_ref().map(|limit| &limit.spec))?;
    give_back(&app, &permitted, &name, limit.as_ref(), &asked).await
}

async fn give_back(
    app: &App,
    permitted: &Permitted,
    name: &str,
    limit: Option<&StoredLimit>,
    asked: &LimitResetRequest,
) -> Result<Accepted, Problem> {
    let now: UnixMillis = app.clock().now().into();
    let remembered = limit.map_or(LONGEST_MS, |limit| limit.spec.remembered_ms());
    let reset = NewReset {
        limit: name,
        workspace: limit.and_then(StoredLimit::workspace),
        subject: asked.subject.as_ref(),
        expires_at: UnixMillis(now.0.saturating_add(remembered)),
    };
    app.ledger()
        .reset_limit(reset, now, &permitted.caller().actor())
        .await?;
    tracing::info!(limit = name, subject = ?asked.subject, "limit reset");
    Ok(Accepted)
}

async fn known(app: &App, permitted: &Permitted, id: &str) -> Result<StoredLimit, Problem> {
    let limit = app.ledger().limit(id).await?.ok_or_else(no_such_limit)?;
    permitted.object(limit.workspace(), no_such_limit)?;
    Ok(limit)
}

fn done(changed: Changed<StoredLimit, Problem>) -> Result<StoredLimit, Problem> {
    match changed {
        Changed::Done(limit) => Ok(*limit),
        Changed::Missing => Err(no_such_limit()),
        Changed::Refused(problem) => Err(problem),
    }
}

fn tag_of(limit: &StoredLimit) -> ETag {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    ETag::of(number(limit.version), number(limit.updated_at.0))
}

fn tagged(limit: StoredLimit) -> Tagged<LimitView> {
    Tagged {
        tag: tag_of(&limit),
        view: limit.into(),
    }
}

fn no_such_limit() -> Problem {
    Problem::not_found("no limit has this id")
}

// === impl LimitView ===

impl From<StoredLimit> for LimitView {
    fn from(stored: StoredLimit) -> Self {
        let workspace = stored.workspace().map(str::to_owned);
        let spec = stored.spec;
        let default = (spec.count != Count::Concurrent).then_some(Algorithm::TokenBucket);
        Self {
            id: stored.id,
            name: spec.name,
            algorithm: spec.algorithm.or(default),
            count: spec.count,
            amount: spec.amount,
            period: spec.period,
            burst: spec.burst,
            per: spec.per,
            applies_to: spec.applies_to,
            mode: spec.mode,
            slot_ttl: spec.slot_ttl,
            max_subjects: spec.max_subjects,
            workspace,
            created_at: stored.created_at.timestamp(),
            updated_at: stored.updated_at.timestamp(),
            version: stored.version,
        }
    }
}
