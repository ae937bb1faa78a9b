//! What was said in exchanges, as operators read and delete it. Every reading is audited.

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_core::wire::TextPart;

use crate::access::Permitted;
use crate::http::extract::{Params, PathId};
use crate::http::page::{Cursor, PageSize};
use crate::http::problem::Problem;
use crate::http::reply::Unstored;
use crate::ledger::conversations::{ConversationFilter, StoredConversation, StoredExchange};
use crate::state::App;

/// Exchanges on a page, whose texts may be long; unless less is asked for.
const MAX_EXCHANGES: u32 = 50;

const DAY_MS: u64 = 86_400_000;

/// `?workspace=&user=&name=&after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConversationQuery {
    workspace: Option<String>,
    user: Option<String>,
    /// What clients call it.
    name: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `?after=&limit=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TextQuery {
    after: Option<String>,
    /// At most 50 exchanges are shown at a time.
    limit: Option<u32>,
}

/// `?workspace=&user=`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserQuery {
    workspace: String,
    user: String,
}

/// A conversation, without what was said in it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConversationView {
    id: String,
    workspace: String,
    user: Option<String>,
    /// What the client calls it; null for an exchange that is a conversation of its own.
    name: Option<String>,
    /// When its first exchange began, of those that are kept.
    first_at: Option<Timestamp>,
    /// When its last one did.
    last_at: Option<Timestamp>,
    /// How many are kept.
    exchanges: i64,
}

/// A page of conversations, the latest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConversationPage {
    conversations: Vec<ConversationView>,
    /// What to send as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// After how many days texts are deleted; null where this sidecar keeps none any more.
    retention_days: Option<u64>,
}

/// What was said in one exchange.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ExchangeView {
    event_id: String,
    request_id: String,
    time: Option<Timestamp>,
    /// When it is deleted at the latest.
    expires_at: Option<Timestamp>,
    session: Option<String>,
    key_id: Option<String>,
    model: Option<String>,
    status: i64,
    error_code: Option<String>,
    /// As the provider got it, redacted.
    prompt: Vec<TextPart>,
    /// Whether the prompt's beginning is left out, for want of room.
    prompt_cut: bool,
    /// As the client got it, redacted.
    answer: Vec<TextPart>,
}

/// A conversation and a page of what was said in it, in the order in which its exchanges began.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConversationText {
    conversation: ConversationView,
    exchanges: Vec<ExchangeView>,
    /// What to send as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// How much was deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeletedView {
    conversations: u64,
    exchanges: u64,
}

/// `GET /admin/v1/conversations`.
pub(super) async fn list(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<ConversationQuery>,
) -> Result<Json<ConversationPage>, Problem> {
    let size = PageSize::parse(query.limit)?;
    let before = match query.after.as_deref().filter(|text| !text.is_empty()) {
        Some(after) => Cursor::parse(Some(after))?.0,
        None => i64::MAX,
    };
    let filter = ConversationFilter {
        workspaces: &permitted.list(query.workspace)?,
        user: query.user.as_deref(),
        name: query.name.as_deref(),
    };
    let rows = size.rows().saturating_add(1);
    let found = app.ledger().conversations(filter, before, rows).await?;
    let (conversations, next) = size.cut(found, |conversation| Cursor(conversation.seq).to_text());
    Ok(Json(ConversationPage {
        conversations: conversations.into_iter().map(ConversationView::from).collect(),
        next,
        retention_days: app
            .config()
            .conversations
            .as_ref()
            .map(|kept| kept.retention_ms / DAY_MS),
    }))
}

/// `GET /admin/v1/conversations/{id}`. Who reads what is said is in the audit log.
pub(super) async fn show(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
    Params(query): Params<TextQuery>,
) -> Result<Unstored<ConversationText>, Problem> {
    let size = PageSize::parse(Some(query.limit.unwrap_or(MAX_EXCHANGES).min(MAX_EXCHANGES)))?;
    let after = Cursor::parse(query.after.as_deref())?.0;
    let (now, by) = (app.clock().now().into(), permitted.caller().actor());
    let rows = size.rows().saturating_add(1);
    let read = app
        .ledger()
        .read_conversation(&id, (after, rows), now, &by, |found| may(&permitted, found))
        .await?;
    let (conversation, exchanges) = read.ok_or_else(no_such_conversation)??;
    let (exchanges, next) = size.cut(exchanges, |exchange| Cursor(exchange.seq).to_text());
    Ok(Unstored(ConversationText {
        conversation: conversation.into(),
        exchanges: exchanges.into_iter().map(ExchangeView::from).collect(),
        next,
    }))
}

/// `DELETE /admin/v1/conversations/{id}`, with all that was said in it.
pub(super) async fn delete(
    State(app): State<App>,
    permitted: Permitted,
    PathId(id): PathId,
) -> Result<NoContent, Problem> {
    let (now, by) = (app.clock().now().into(), permitted.caller().actor());
    let deleted = app
        .ledger()
        .delete_conversation(&id, now, &by, |found| may(&permitted, found))
        .await?;
    deleted.ok_or_else(no_such_conversation)??;
    Ok(NoContent)
}

/// `DELETE /admin/v1/conversations?workspace=&user=`: all that a user has said.
pub(super) async fn delete_of_user(
    State(app): State<App>,
    permitted: Permitted,
    Params(query): Params<UserQuery>,
) -> Result<Json<DeletedView>, Problem> {
    permitted.make(Some(&query.workspace))?;
    let (now, by) = (app.clock().now().into(), permitted.caller().actor());
    let deleted = app
        .ledger()
        .delete_texts_of_user(&query.workspace, &query.user, now, &by)
        .await?;
    Ok(Json(DeletedView {
        conversations: deleted.conversations,
        exchanges: deleted.exchanges,
    }))
}

fn may(permitted: &Permitted, conversation: &StoredConversation) -> Result<(), Problem> {
    permitted.object(Some(&conversation.workspace), no_such_conversation)
}

fn no_such_conversation() -> Problem {
    Problem::not_found("no conversation has this id")
}

/// Texts as they were stored; a row that holds none has none.
fn parts(json: &str) -> Vec<TextPart> {
    serde_json::from_str(json).unwrap_or_default()
}

// === impl ConversationView ===

impl From<StoredConversation> for ConversationView {
    fn from(conversation: StoredConversation) -> Self {
        Self {
            id: conversation.id,
            workspace: conversation.workspace,
            user: conversation.user_id,
            name: conversation.name,
            first_at: Timestamp::from_millisecond(conversation.first_at).ok(),
            last_at: Timestamp::from_millisecond(conversation.last_at).ok(),
            exchanges: conversation.exchanges,
        }
    }
}

// === impl ExchangeView ===

impl From<StoredExchange> for ExchangeView {
    fn from(exchange: StoredExchange) -> Self {
        Self {
            prompt: parts(&exchange.prompt),
            answer: parts(&exchange.answer),
            event_id: exchange.event_id,
            request_id: exchange.request_id,
            time: Timestamp::from_millisecond(exchange.time).ok(),
            expires_at: Timestamp::from_millisecond(exchange.expires_at).ok(),
            session: exchange.session,
            key_id: exchange.key_id,
            model: exchange.model,
            status: exchange.status,
            error_code: exchange.error_code,
            prompt_cut: exchange.prompt_cut,
        }
    }
}
