//! Events, as operators read them.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Permitted;
use crate::http::extract::Params;
use crate::http::page::{Cursor, PageSize, part};
use crate::http::problem::Problem;
use crate::ledger::events::{EventFilter, StoredEvent};
use crate::state::App;

/// `?after=&newest=&before=&limit=&workspace=&key=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    after: Option<String>,
    newest: Option<bool>,
    before: Option<String>,
    limit: Option<u32>,
    workspace: Option<String>,
    key: Option<String>,
}

/// A page of events in insertion order.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EventPage {
    events: Vec<StoredEvent>,
    /// Always there: asking again after it gives what has come since.
    next: String,
    /// With `newest=true`: what to send as `before` for the page before this one; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

/// `GET /admin/v1/events`.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<EventQuery>,
) -> Result<Json<EventPage>, Problem> {
    let part = part(query.newest, query.after.as_deref(), query.before.as_deref())?;
    let rows = PageSize::parse(query.limit)?.rows();
    let filter = EventFilter {
        workspaces: &permitted.list(query.workspace)?,
        key: query.key.as_deref(),
    };
    let page = app.ledger().events(filter, part, rows).await?;
    Ok(Json(EventPage {
        events: page.rows,
        next: Cursor(page.next).to_text(),
        previous: page.previous.map(|position| Cursor(position).to_text()),
    }))
}
