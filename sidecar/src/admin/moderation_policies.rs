//! Moderation policies, as operators see and change them. Those of the configuration are shown, and changed there.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::config::Fault;

use super::key_spec::{check_name, unless_empty};
use crate::access::Permitted;
use crate::http::etag::{ETag, IfMatch, Tagged};
use crate::http::extract::{JsonBody, Params, PathId};
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::{FieldError, Problem};
use crate::http::reply::Created;
use crate::ledger::moderation_policies::{Changed, PolicyDeleted, StoredPolicy};
use crate::moderation::Policy;
use crate::moderation::spec::PolicySpec;
use crate::state::App;

/// `POST /admin/v1/moderation/policies`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPolicy {
    /// What keys and workspaces choose it by: never changed.
    #[schemars(length(min = 1, max = 128))]
    id: String,
    policy: PolicySpec,
}

/// `PATCH /admin/v1/moderation/policies/{id}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyPatch {
    /// In place of the one before, all of it.
    policy: PolicySpec,
}

/// Where a policy is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Source {
    /// The sidecar's configuration: it is changed there.
    Configuration,
    /// This API.
    Api,
}

/// A policy as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PolicyView {
    id: String,
    source: Source,
    policy: PolicySpec,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    /// Of all policies, when it was last changed; null for one of the configuration.
    version: Option<i64>,
}

/// A page of policies.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PolicyPage {
    policies: Vec<PolicyView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// `?after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyQuery {
    after: Option<String>,
    limit: Option<u32>,
}

/// `POST /admin/v1/moderation/policies`.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(new): JsonBody<NewPolicy>,
) -> Result<Created<PolicyView>, Problem> {
    let mut errors = Vec::new();
    check_name("id", &new.id, &mut errors);
    unless_empty(errors)?;
    let spec = checked(new.policy).await?;
    if app.config().moderation.policy(&new.id).is_some() {
        return Err(taken());
    }
    let now = app.clock().now();
    let stored = StoredPolicy {
        name: new.id,
        spec,
        created_at: now.as_millisecond(),
        updated_at: now.as_millisecond(),
        version: 0,
    };
    let by = permitted.caller().actor();
    if !app
        .ledger()
        .insert_moderation_policy(&stored, now.into(), &by)
        .await?
    {
        return Err(taken());
    }
    app.made_policies().refresh(app.ledger()).await?;
    let location = format!(
        "{BASE}/moderation/policies/{}",
        utf8_percent_encode(&stored.name, NON_ALPHANUMERIC)
    );
    Ok(Created::at(location, find(&app, &stored.name).await?.0))
}

/// `GET /admin/v1/moderation/policies`.
pub(super) async fn list(
    State(app): State<App>,
    Params(query): Params<PolicyQuery>,
) -> Result<Json<PolicyPage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let after = query.after.unwrap_or_default();
    let wanted = usize::try_from(size.rows()).unwrap_or(usize::MAX);
    let mut views = BTreeMap::new();
    let (_, stored) = app.ledger().moderation_policies().await?;
    for policy in stored {
        views.insert(policy.name.clone(), view(policy)?.0);
    }
    // Of two of one name that of the configuration counts.
    for (name, spec) in app.config().moderation.specs() {
        views.insert(name.clone(), declared(name, spec));
    }
    let found = views.into_iter().filter(|(name, _)| *name > after);
    let found: Vec<PolicyView> = found
        .map(|(_, view)| view)
        .take(wanted.saturating_add(1))
        .collect();
    let (policies, next) = size.cut(found, |policy| policy.id.clone());
    Ok(Json(PolicyPage { policies, next }))
}

/// `GET /admin/v1/moderation/policies/{id}`.
pub(super) async fn show(State(app): State<App>, PathId(id): PathId) -> Result<Tagged<PolicyView>, Problem> {
    let (view, tag) = find(&app, &id).await?;
    Ok(Tagged { tag, view })
}

/// `PATCH /admin/v1/moderation/policies/{id}`.
pub(super) async fn edit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
    JsonBody(patch): JsonBody<PolicyPatch>,
) -> Result<Tagged<PolicyView>, Problem> {
    refuse_declared(&app, &id)?;
    let spec = checked(patch.policy).await?;
    let change = |policy: &mut StoredPolicy| {
        if_match.check(&tag_of(policy))?;
        policy.spec = spec;
        Ok(())
    };
    let now = app.clock().now().into();
    let by = permitted.caller().actor();
    let policy = done(
        app.ledger()
            .change_moderation_policy(&id, now, &by, change)
            .await?,
    )?;
    app.made_policies().refresh(app.ledger()).await?;
    let (view, tag) = view(policy)?;
    Ok(Tagged { tag, view })
}

/// `DELETE /admin/v1/moderation/policies/{id}`.
pub(super) async fn delete(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<NoContent, Problem> {
    refuse_declared(&app, &id)?;
    let may = |policy: &StoredPolicy| if_match.check(&tag_of(policy));
    let now = app.clock().now().into();
    let by = permitted.caller().actor();
    done(app.ledger().delete_moderation_policy(&id, now, &by, may).await?)?;
    app.made_policies().refresh(app.ledger()).await?;
    Ok(NoContent)
}

/// The policy as the ledger keeps it, where it holds: by the code that the configuration goes through.
async fn checked(spec: PolicySpec) -> Result<String, Problem> {
    let (spec, faults) = tokio::task::spawn_blocking(move || {
        let mut faults = Vec::new();
        Policy::compile(&spec, "policy", &mut faults);
        (spec, faults)
    })
    .await
    .map_err(|error| {
        tracing::error!(%error, "a moderation policy could not be checked");
        Problem::internal()
    })?;
    unless_empty(faults.iter().map(field_error).collect())?;
    serde_json::to_string(&spec).map_err(|error| {
        tracing::error!(%error, "a moderation policy cannot be written");
        Problem::internal()
    })
}

/// `policy.rules[0].name` is `#/policy/rules/0/name`.
fn field_error(fault: &Fault) -> FieldError {
    let path = fault.path.replace(['.', '['], "/").replace(']', "");
    FieldError::at(&path, fault.message.clone())
}

fn refuse_declared(app: &App, name: &str) -> Result<(), Problem> {
    match app.config().moderation.policy(name) {
        Some(_) => Err(Problem::conflict(
            "the policy is of the sidecar's configuration: change it there",
        )),
        None => Ok(()),
    }
}

fn done(changed: Changed<Problem>) -> Result<StoredPolicy, Problem> {
    match changed {
        Changed::Done(policy) => Ok(*policy),
        Changed::NoSuchPolicy => Err(no_such_policy()),
        Changed::InUse { keys, workspaces } => Err(Problem::conflict(format!(
            "{keys} keys and {workspaces} workspaces have this policy: give them another one first"
        ))),
        Changed::Refused(problem) => Err(problem),
    }
}

async fn find(app: &App, name: &str) -> Result<(PolicyView, ETag), Problem> {
    if let Some(spec) = app.config().moderation.specs().get(name) {
        return Ok((declared(name, spec), ETag::of(0, 0)));
    }
    let (_, stored) = app.ledger().moderation_policies().await?;
    let found = stored.into_iter().find(|policy| policy.name == name);
    view(found.ok_or_else(no_such_policy)?)
}

fn view(policy: StoredPolicy) -> Result<(PolicyView, ETag), Problem> {
    let tag = tag_of(&policy);
    let spec = serde_json::from_str(&policy.spec).map_err(|error| {
        tracing::error!(%error, policy = %policy.name, "a moderation policy cannot be read");
        Problem::internal()
    })?;
    let view = PolicyView {
        id: policy.name,
        source: Source::Api,
        policy: spec,
        created_at: Timestamp::from_millisecond(policy.created_at).ok(),
        updated_at: Timestamp::from_millisecond(policy.updated_at).ok(),
        version: Some(policy.version),
    };
    Ok((view, tag))
}

fn declared(name: &str, spec: &PolicySpec) -> PolicyView {
    PolicyView {
        id: name.to_owned(),
        source: Source::Configuration,
        policy: spec.clone(),
        created_at: None,
        updated_at: None,
        version: None,
    }
}

fn tag_of(policy: &StoredPolicy) -> ETag {
    ETag::of(policy.version, policy.updated_at)
}

fn taken() -> Problem {
    Problem::conflict("a policy of this id is there already: change that one, or take another id")
}

fn no_such_policy() -> Problem {
    Problem::not_found("no moderation policy has this id")
}

// === impl Problem ===

impl From<PolicyDeleted> for Problem {
    fn from(deleted: PolicyDeleted) -> Self {
        Self::conflict(deleted.to_string())
    }
}
