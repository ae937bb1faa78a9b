//! Operators, as operators see and change them.

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::types::Json as SqlJson;

use super::key_spec::{check_name, unless_empty};
use crate::access::Permitted;
use crate::http::etag::{ETag, IfMatch, Tagged};
use crate::http::extract::{JsonBody, Params, PathId};
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::{FieldError, Problem};
use crate::http::reply::Created;
use crate::ledger::change::Changed;
use crate::ledger::operators::StoredOperator;
use crate::password;
use crate::principal::Grants;
use crate::secret_key::new_id;
use crate::state::App;

const MAX_ROLES: usize = 100;

/// `POST /admin/v1/operators`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOperator {
    /// What they sign in by: unique, and never changed.
    #[schemars(length(min = 1, max = 128))]
    name: String,
    /// 12 to 256 characters. Without one there is no sign-in by password.
    #[serde(default)]
    #[schemars(length(min = 12, max = 256))]
    password: Option<String>,
    /// A role for each workspace by name, and for all of them with `*`.
    roles: Grants,
}

/// `PATCH /admin/v1/operators/{id}`: what is absent stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OperatorPatch {
    /// A new one ends their sessions.
    #[schemars(length(min = 12, max = 256))]
    password: Option<String>,
    roles: Option<Grants>,
    status: Option<OperatorStatus>,
}

/// Whether an operator may do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OperatorStatus {
    Active,
    /// Their sessions and tokens hold no more, until they are active again.
    Disabled,
}

/// An operator as operators see them.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OperatorView {
    id: String,
    name: String,
    has_password: bool,
    roles: Grants,
    status: OperatorStatus,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    version: i64,
}

/// A page of operators.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OperatorPage {
    operators: Vec<OperatorView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// `?after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OperatorQuery {
    after: Option<String>,
    limit: Option<u32>,
}

/// `POST /admin/v1/operators`.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(new): JsonBody<NewOperator>,
) -> Result<Created<OperatorView>, Problem> {
    check(Some(&new.name), new.password.as_deref(), Some(&new.roles))?;
    permitted.give(&new.roles)?;
    let password_hash = match new.password {
        Some(password) => Some(password::hash(password).await?),
        None => None,
    };
    let now = app.clock().now();
    let stored = StoredOperator {
        id: new_id("op", now.into())?,
        name: new.name,
        password_hash,
        roles: SqlJson(new.roles),
        status: OperatorStatus::Active.as_str().to_owned(),
        created_at: now.as_millisecond(),
        updated_at: now.as_millisecond(),
        version: 1,
        subject: None,
    };
    if !app
        .ledger()
        .insert_operator(&stored, &permitted.caller().actor())
        .await?
    {
        return Err(Problem::conflict(
            "an operator of this name is there already: change that one, or take another name",
        ));
    }
    let location = format!("{BASE}/operators/{}", stored.id);
    Ok(Created::at(location, stored.into()))
}

/// `GET /admin/v1/operators`.
pub(super) async fn list(
    State(app): State<App>,
    Params(query): Params<OperatorQuery>,
) -> Result<Json<OperatorPage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let after = query.after.unwrap_or_default();
    let found = app
        .ledger()
        .operators(&after, size.rows().saturating_add(1))
        .await?;
    let (operators, next) = size.cut(found, |operator| operator.id.clone());
    Ok(Json(OperatorPage {
        operators: operators.into_iter().map(OperatorView::from).collect(),
        next,
    }))
}

/// `GET /admin/v1/operators/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    PathId(id): PathId,
) -> Result<Tagged<OperatorView>, Problem> {
    let operator = app.ledger().operator(&id).await?;
    operator.map(tagged).ok_or_else(no_such_operator)
}

/// `PATCH /admin/v1/operators/{id}`.
pub(super) async fn edit(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
    JsonBody(patch): JsonBody<OperatorPatch>,
) -> Result<Tagged<OperatorView>, Problem> {
    check(None, patch.password.as_deref(), patch.roles.as_ref())?;
    if let Some(roles) = &patch.roles {
        permitted.give(roles)?;
    }
    let password_hash = match patch.password {
        Some(password) => Some(password::hash(password).await?),
        None => None,
    };
    let change = |operator: &mut StoredOperator| {
        permitted.give(&operator.roles)?;
        if_match.check(&tag_of(operator))?;
        if let Some(roles) = patch.roles {
            operator.roles = SqlJson(roles);
        }
        if let Some(status) = patch.status {
            status.as_str().clone_into(&mut operator.status);
        }
        if password_hash.is_some() {
            operator.password_hash = password_hash;
        }
        Ok(())
    };
    let now = app.clock().now().into();
    let by = permitted.caller().actor();
    let operator = done(app.ledger().change_operator(&id, now, &by, change).await?)?;
    Ok(tagged(operator))
}

/// `DELETE /admin/v1/operators/{id}`, with their tokens.
pub(super) async fn delete(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    if_match: IfMatch,
) -> Result<NoContent, Problem> {
    let now = app.clock().now().into();
    let may = |operator: &StoredOperator| {
        permitted.give(&operator.roles)?;
        if_match.check(&tag_of(operator))
    };
    let by = permitted.caller().actor();
    done(app.ledger().delete_operator(&id, now, &by, may).await?)?;
    Ok(NoContent)
}

fn done(changed: Changed<StoredOperator, Problem>) -> Result<StoredOperator, Problem> {
    match changed {
        Changed::Done(operator) => Ok(*operator),
        Changed::Missing => Err(no_such_operator()),
        Changed::Refused(problem) => Err(problem),
    }
}

/// # Errors
/// A [`Problem`] with every field that is wrong.
fn check(name: Option<&str>, password: Option<&str>, roles: Option<&Grants>) -> Result<(), Problem> {
    let mut errors = Vec::new();
    if let Some(name) = name {
        check_name("name", name, &mut errors);
    }
    if let Some(password) = password {
        password::check_new("password", password, &mut errors);
    }
    let roles = roles.into_iter().flat_map(Grants::iter);
    for (index, (workspace, _)) in roles.enumerate() {
        if index >= MAX_ROLES {
            errors.push(FieldError::at("roles", format!("expected at most {MAX_ROLES}")));
            break;
        }
        check_name("roles", workspace, &mut errors);
    }
    unless_empty(errors)
}

fn tag_of(operator: &StoredOperator) -> ETag {
    ETag::of(operator.version, operator.updated_at)
}

fn tagged(operator: StoredOperator) -> Tagged<OperatorView> {
    Tagged {
        tag: tag_of(&operator),
        view: operator.into(),
    }
}

fn no_such_operator() -> Problem {
    Problem::not_found("no operator has this id")
}

// === impl OperatorStatus ===

impl OperatorStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

// === impl OperatorView ===

impl From<StoredOperator> for OperatorView {
    fn from(operator: StoredOperator) -> Self {
        let status = if operator.is_active() {
            OperatorStatus::Active
        } else {
            OperatorStatus::Disabled
        };
        Self {
            id: operator.id,
            name: operator.name,
            has_password: operator.password_hash.is_some(),
            roles: operator.roles.0,
            status,
            created_at: Timestamp::from_millisecond(operator.created_at).ok(),
            updated_at: Timestamp::from_millisecond(operator.updated_at).ok(),
            version: operator.version,
        }
    }
}
