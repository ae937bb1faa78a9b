//! Moderation's verdicts, as operators read them.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::wire::ModerationAction;

use crate::access::Permitted;
use crate::http::extract::Params;
use crate::http::page::{Cursor, PageSize, part};
use crate::http::problem::Problem;
use crate::ledger::verdicts::{StoredVerdict, VerdictFilter};
use crate::state::App;

/// `?after=&newest=&before=&limit=&workspace=&action=&request_id=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerdictQuery {
    after: Option<String>,
    newest: Option<bool>,
    before: Option<String>,
    limit: Option<u32>,
    workspace: Option<String>,
    action: Option<ModerationAction>,
    request_id: Option<String>,
}

/// A page of verdicts in the order in which they were given.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VerdictPage {
    moderations: Vec<StoredVerdict>,
    /// Always there: asking again after it gives what has come since.
    next: String,
    /// With `newest=true`: what to send as `before` for the page before this one; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

/// `GET /admin/v1/moderations`.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<VerdictQuery>,
) -> Result<Json<VerdictPage>, Problem> {
    let part = part(query.newest, query.after.as_deref(), query.before.as_deref())?;
    let rows = PageSize::parse(query.limit)?.rows();
    let filter = VerdictFilter {
        workspaces: &permitted.list(query.workspace)?,
        action: query.action.map(ModerationAction::as_str),
        request_id: query.request_id.as_deref(),
    };
    let page = app.ledger().verdicts(filter, part, rows).await?;
    Ok(Json(VerdictPage {
        moderations: page.rows,
        next: Cursor(page.next).to_text(),
        previous: page.previous.map(|position| Cursor(position).to_text()),
    }))
}
