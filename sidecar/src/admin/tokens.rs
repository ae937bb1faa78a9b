//! Tokens of the admin API, as operators see them, make them and revoke them.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::types::Json as SqlJson;

use super::key_spec::{check_name, unless_empty};
use crate::access::{Permitted, Scope};
use crate::http::extract::{JsonBody, Params, PathId};
use crate::http::openapi::BASE;
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::reply::Created;
use crate::ledger::api_tokens::StoredToken;
use crate::principal::{Grants, Role};
use crate::secret_key::{SecretKey, new_id};
use crate::state::App;

/// `POST /admin/v1/tokens`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// What people call it.
    #[schemars(length(min = 1, max = 128))]
    name: String,
    /// Where it may do something; absent or null for everywhere.
    #[serde(default)]
    workspace: Option<String>,
    /// What it may do there: no more than who makes it, now and later.
    role: Role,
    /// What it may do at all; absent or null for whatever the role may.
    #[serde(default)]
    scopes: Option<Vec<Scope>>,
    /// RFC 3339; absent for never.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// A token as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TokenView {
    id: String,
    prefix: String,
    name: String,
    workspace: Option<String>,
    role: Role,
    scopes: Option<Vec<Scope>>,
    /// The operator who made it; null for the admin token.
    operator_id: Option<String>,
    expires_at: Option<Timestamp>,
    /// To the minute.
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
}

/// A new token, with its text: the only time that it is shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CreatedToken {
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// A page of tokens.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TokenPage {
    tokens: Vec<TokenView>,
    /// Where to go on; null where there is no more.
    next: Option<String>,
}

/// `?workspace=&after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenQuery {
    workspace: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `POST /admin/v1/tokens`.
pub(super) async fn create(
    State(app): State<App>,
    permitted: Permitted,
    JsonBody(new): JsonBody<NewToken>,
) -> Result<Created<CreatedToken>, Problem> {
    let mut errors = Vec::new();
    check_name("name", &new.name, &mut errors);
    if let Some(workspace) = &new.workspace {
        check_name("workspace", workspace, &mut errors);
    }
    unless_empty(errors)?;
    permitted.make(new.workspace.as_deref())?;
    permitted.give(&Grants::one(new.workspace.as_deref(), new.role))?;
    let caller = permitted.caller();
    let wanted = new
        .scopes
        .or_else(|| caller.scopes.as_ref().map(|own| own.iter().copied().collect()));
    if let (Some(own), Some(wanted)) = (&caller.scopes, &wanted)
        && wanted.iter().any(|scope| !own.contains(scope))
    {
        return Err(Problem::forbidden(
            "a token gives no scope that it has not itself: ask with the admin_token, or as an operator",
        ));
    }
    let now = app.clock().now();
    let secret = SecretKey::of_admin_api()?;
    let stored = StoredToken {
        id: new_id("tok", now.into())?,
        sha256: secret.hash().0.to_vec(),
        prefix: secret.prefix().to_owned(),
        name: new.name,
        workspace: new.workspace,
        role: new.role,
        scopes: wanted.map(SqlJson),
        operator_id: caller.operator_id().map(str::to_owned),
        expires_at: new.expires_at.map(Timestamp::as_millisecond),
        last_used_at: None,
        revoked_at: None,
        created_at: now.as_millisecond(),
    };
    app.ledger().insert_token(&stored, &caller.actor()).await?;
    let location = format!("{BASE}/tokens/{}", stored.id);
    let created = CreatedToken {
        token: secret.text().to_owned(),
        view: stored.into(),
    };
    Ok(Created::at(location, created).secret())
}

/// `GET /admin/v1/tokens`.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<TokenQuery>,
) -> Result<Json<TokenPage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let workspaces = permitted.list(query.workspace)?;
    let after = query.after.unwrap_or_default();
    let rows = size.rows().saturating_add(1);
    let found = app.ledger().tokens(&workspaces, &after, rows).await?;
    let (tokens, next) = size.cut(found, |token| token.id.clone());
    Ok(Json(TokenPage {
        tokens: tokens.into_iter().map(TokenView::from).collect(),
        next,
    }))
}

/// `GET /admin/v1/tokens/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
) -> Result<Json<TokenView>, Problem> {
    Ok(Json(find(&app, &permitted, &id).await?.into()))
}

/// `POST /admin/v1/tokens/{id}/revoke`, for good. Revoking a revoked token is no change.
pub(super) async fn revoke(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
) -> Result<Json<TokenView>, Problem> {
    let token = find(&app, &permitted, &id).await?;
    let by = permitted.caller().actor();
    app.ledger()
        .revoke_token(&token, app.clock().now().into(), &by)
        .await?;
    Ok(Json(find(&app, &permitted, &id).await?.into()))
}

async fn find(app: &App, permitted: &Permitted, id: &str) -> Result<StoredToken, Problem> {
    let missing = || Problem::not_found("no token has this id");
    let token = app.ledger().token(id).await?.ok_or_else(missing)?;
    permitted.object(token.workspace.as_deref(), missing)?;
    Ok(token)
}

// === impl TokenView ===

impl From<StoredToken> for TokenView {
    fn from(token: StoredToken) -> Self {
        let time = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Self {
            id: token.id,
            prefix: token.prefix,
            name: token.name,
            workspace: token.workspace,
            role: token.role,
            scopes: token.scopes.map(|scopes| scopes.0),
            operator_id: token.operator_id,
            expires_at: time(token.expires_at),
            last_used_at: time(token.last_used_at),
            revoked_at: time(token.revoked_at),
            created_at: time(Some(token.created_at)),
        }
    }
}
