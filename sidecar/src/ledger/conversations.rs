//! What was said in exchanges, where policy keeps it. It comes here redacted.
//!
//! Whoever writes here, or deletes ([`super::conversation_deletions`]), takes the counter's row first, so that a deletion
//! and what comes late of what it deletes stand in one line: what was deleted does not come back.

use serde_json::json;
use sqlx::QueryBuilder;
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::{Counter, Ledger, LedgerError, TAKE, Workspaces, number};
use crate::conversation::{all_of, id_of};

const IS_THERE: &str = "SELECT COUNT(*) FROM conversation_exchanges WHERE event_id = $1";
const DELETED: &str = "SELECT COUNT(*) FROM conversation_deletions WHERE id IN ($1, $2) AND deleted_at >= $3";
const ADD: &str = "INSERT INTO conversations (id, seq, workspace, user_id, name, first_at, last_at, exchanges) \
    VALUES ($1, $2, $3, $4, $5, $6, $6, 1) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, \
    first_at = CASE WHEN excluded.first_at < conversations.first_at THEN excluded.first_at \
        ELSE conversations.first_at END, \
    last_at = CASE WHEN excluded.last_at > conversations.last_at THEN excluded.last_at \
        ELSE conversations.last_at END, \
    exchanges = conversations.exchanges + 1";
const ADD_EXCHANGE: &str = "INSERT INTO conversation_exchanges (event_id, conversation_id, seq, request_id, time, \
    stored_at, expires_at, session, key_id, model, status, error_code, prompt, prompt_cut, answer) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
pub(super) const BY_ID: &str = "SELECT * FROM conversations WHERE id = $1";
/// In the order in which they began: they come from several workers.
const EXCHANGES: &str = "SELECT * FROM conversation_exchanges WHERE conversation_id = $1 AND (time, seq) > \
    (COALESCE((SELECT time FROM conversation_exchanges WHERE conversation_id = $1 AND seq = $2), -1), $2) \
    ORDER BY time, seq LIMIT $3";

/// An exchange that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExchange {
    /// Of its event.
    pub event_id: String,
    /// Of the exchange.
    pub request_id: String,
    /// What the client calls the conversation.
    pub name: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// How long it is kept.
    pub retention_ms: u64,
    /// Whose key it was.
    pub workspace: String,
    /// Who said it.
    pub user: Option<String>,
    /// In which session.
    pub session: Option<String>,
    /// With which key.
    pub key_id: Option<String>,
    /// To which model.
    pub model: Option<String>,
    /// HTTP status.
    pub status: i64,
    /// What cut it short.
    pub error_code: Option<String>,
    /// JSON: a list of parts.
    pub prompt: String,
    /// Whether the prompt's beginning is left out.
    pub prompt_cut: bool,
    /// JSON: a list of parts.
    pub answer: String,
}

/// A conversation, without what was said in it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredConversation {
    /// Stable.
    pub id: String,
    /// Grows with each exchange: the latest conversation has the largest.
    pub seq: i64,
    /// Whose it is.
    pub workspace: String,
    /// Who led it.
    pub user_id: Option<String>,
    /// What they call it.
    pub name: Option<String>,
    /// When its first exchange began, of those that are kept.
    pub first_at: i64,
    /// When its last one did.
    pub last_at: i64,
    /// How many are kept.
    pub exchanges: i64,
}

/// What was said in one exchange.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredExchange {
    /// Of its event.
    pub event_id: String,
    /// Order of arrival.
    pub seq: i64,
    /// Of the exchange.
    pub request_id: String,
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// When it will be deleted at the latest.
    pub expires_at: i64,
    /// In which session.
    pub session: Option<String>,
    /// With which key.
    pub key_id: Option<String>,
    /// To which model.
    pub model: Option<String>,
    /// HTTP status.
    pub status: i64,
    /// What cut it short.
    pub error_code: Option<String>,
    /// JSON: a list of parts.
    pub prompt: String,
    /// Whether the prompt's beginning is left out.
    pub prompt_cut: bool,
    /// JSON: a list of parts.
    pub answer: String,
}

/// Which conversations a page shows.
#[derive(Debug, Clone, Copy)]
pub struct ConversationFilter<'a> {
    /// Only of these.
    pub workspaces: &'a Workspaces,
    /// Only of this user.
    pub user: Option<&'a str>,
    /// Only what clients call so.
    pub name: Option<&'a str>,
}

// === impl Ledger ===

impl Ledger {
    /// Keeps what was said, in one transaction; says of how many exchanges. What is there already, and what was deleted
    /// before it came, is left out.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails: nothing of it is then kept.
    pub async fn add_texts(&self, exchanges: &[NewExchange], now: UnixMillis) -> Result<u64, LedgerError> {
        if exchanges.is_empty() {
            return Ok(0);
        }
        let count = i64::try_from(exchanges.len()).unwrap_or(i64::MAX);
        let stored = transact!(self, conn => {
            let last: i64 = sqlx::query_scalar(TAKE)
                .bind(count)
                .bind(Counter::Conversation.name())
                .fetch_one(&mut *conn)
                .await?;
            let (mut seq, mut stored) = (last - count, 0);
            for new in exchanges {
                seq += 1;
                let user = new.user.as_deref();
                let id = id_of(&new.workspace, user, new.name.as_deref().unwrap_or(&new.event_id));
                let of_user = user.map(|user| all_of(&new.workspace, user));
                let there: i64 = sqlx::query_scalar(IS_THERE).bind(&new.event_id).fetch_one(&mut *conn).await?;
                let deleted: i64 = sqlx::query_scalar(DELETED)
                    .bind(&id)
                    .bind(of_user.as_deref().unwrap_or(&id))
                    .bind(new.time)
                    .fetch_one(&mut *conn)
                    .await?;
                if there > 0 || deleted > 0 {
                    continue;
                }
                sqlx::query(ADD)
                    .bind(&id)
                    .bind(seq)
                    .bind(&new.workspace)
                    .bind(&new.user)
                    .bind(&new.name)
                    .bind(new.time)
                    .execute(&mut *conn)
                    .await?;
                sqlx::query(ADD_EXCHANGE)
                    .bind(&new.event_id)
                    .bind(&id)
                    .bind(seq)
                    .bind(&new.request_id)
                    .bind(new.time)
                    .bind(number(now.0))
                    .bind(number(now.0.saturating_add(new.retention_ms)))
                    .bind(&new.session)
                    .bind(&new.key_id)
                    .bind(&new.model)
                    .bind(new.status)
                    .bind(&new.error_code)
                    .bind(&new.prompt)
                    .bind(new.prompt_cut)
                    .bind(&new.answer)
                    .execute(&mut *conn)
                    .await?;
                stored += 1;
            }
            stored
        });
        Ok(stored)
    }

    /// Conversations, the latest first, those before a position.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn conversations(
        &self,
        filter: ConversationFilter<'_>,
        before: i64,
        rows: u32,
    ) -> Result<Vec<StoredConversation>, LedgerError> {
        let found = read!(self, conn => {
            let mut select = QueryBuilder::new("SELECT * FROM conversations WHERE seq < ");
            select.push_bind(before);
            push_within!(select, filter.workspaces);
            if let Some(user) = filter.user {
                select.push(" AND user_id = ").push_bind(user);
            }
            if let Some(name) = filter.name {
                select.push(" AND name = ").push_bind(name);
            }
            select.push(" ORDER BY seq DESC LIMIT ").push_bind(i64::from(rows));
            select.build_query_as().fetch_all(conn).await?
        });
        Ok(found)
    }

    /// Reads what was said in a conversation after one of its exchanges, for somebody, which the audit log keeps; none where there
    /// is no such conversation.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails: it is then not read. `E` where they may not read it.
    pub async fn read_conversation<E>(
        &self,
        id: &str,
        (after, rows): (i64, u32),
        now: UnixMillis,
        by: &Actor,
        may: impl FnOnce(&StoredConversation) -> Result<(), E>,
    ) -> Result<Option<Result<(StoredConversation, Vec<StoredExchange>), E>>, LedgerError> {
        transact!(self, conn => {
            let found: Option<StoredConversation> =
                sqlx::query_as(BY_ID).bind(id).fetch_optional(&mut *conn).await?;
            let Some(conversation) = found else {
                return Ok(None);
            };
            if let Err(refused) = may(&conversation) {
                return Ok(Some(Err(refused)));
            }
            let exchanges: Vec<StoredExchange> = sqlx::query_as(EXCHANGES)
                .bind(id)
                .bind(after)
                .bind(i64::from(rows))
                .fetch_all(&mut *conn)
                .await?;
            let entry = conversation.audited(now, by, "conversation.read", exchanges.len());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Some(Ok((conversation, exchanges))))
        })
    }
}

// === impl StoredConversation ===

impl StoredConversation {
    /// What the audit log keeps of it: nothing of what was said.
    pub(super) fn audited(
        &self,
        now: UnixMillis,
        by: &Actor,
        action: &'static str,
        exchanges: usize,
    ) -> AuditEntry {
        AuditEntry::change(now, by, action, &self.id)
            .of(Some(&self.workspace))
            .before(json!({"user": self.user_id, "name": self.name, "exchanges": exchanges}))
    }
}
