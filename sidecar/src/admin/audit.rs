//! The audit log, as operators read it.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Permitted;
use crate::http::extract::Params;
use crate::http::page::{Cursor, PageSize, part};
use crate::http::problem::Problem;
use crate::ledger::audit::StoredEntry;
use crate::state::App;

/// An entry as operators see it.
#[derive(Debug, Serialize, JsonSchema)]
struct EntryView {
    seq: i64,
    time: Option<Timestamp>,
    actor: String,
    action: String,
    target: String,
    workspace: Option<String>,
    detail: Value,
    address: Option<String>,
    user_agent: Option<String>,
    /// SHA-256 over the entry before and this one, in hexadecimal.
    hash: String,
}

/// A page of entries.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AuditPage {
    entries: Vec<EntryView>,
    /// Always there: asking again after it gives what has come since.
    next: String,
    /// With `newest=true`: what to send as `before` for the page before this one; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

/// `?workspace=&after=&newest=&before=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    workspace: Option<String>,
    after: Option<String>,
    newest: Option<bool>,
    before: Option<String>,
    limit: Option<u32>,
}

/// `GET /admin/v1/audit`.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditPage>, Problem> {
    let part = part(query.newest, query.after.as_deref(), query.before.as_deref())?;
    let rows = PageSize::parse(query.limit)?.rows();
    let workspaces = permitted.list(query.workspace)?;
    let page = app.ledger().audit_log(&workspaces, part, rows).await?;
    Ok(Json(AuditPage {
        entries: page.rows.into_iter().map(EntryView::from).collect(),
        next: Cursor(page.next).to_text(),
        previous: page.previous.map(|position| Cursor(position).to_text()),
    }))
}

// === impl EntryView ===

impl From<StoredEntry> for EntryView {
    fn from(entry: StoredEntry) -> Self {
        Self {
            seq: entry.seq,
            time: Timestamp::from_millisecond(entry.time).ok(),
            actor: entry.actor,
            action: entry.action,
            target: entry.target,
            workspace: entry.workspace,
            detail: serde_json::from_str(&entry.detail).unwrap_or_default(),
            address: entry.address,
            user_agent: entry.user_agent,
            hash: hex::encode(entry.hash),
        }
    }
}
