//! Deleting what was said: by hand, or when its time is over.
//!
//! That something was deleted by hand is remembered, for what comes late of it.

use serde_json::json;
use sqlx::QueryBuilder;
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::conversations::{BY_ID, StoredConversation};
use super::{Counter, Ledger, LedgerError, TAKE, amount, number};
use crate::conversation::all_of;

/// Texts that are deleted in one transaction.
const FORGET_ROWS: i64 = 500;
/// So long it is remembered that something was deleted: longer than any gateway keeps a text for a sidecar.
const REMEMBERED_MS: u64 = 30 * 86_400_000;

const DELETE: &str = "DELETE FROM conversations WHERE id = $1";
const OF_USER: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(exchanges), 0) AS BIGINT) FROM conversations \
    WHERE workspace = $1 AND user_id = $2";
const DELETE_OF_USER: &str = "DELETE FROM conversations WHERE workspace = $1 AND user_id = $2";
const REMEMBER: &str = "INSERT INTO conversation_deletions (id, deleted_at) VALUES ($1, $2) \
    ON CONFLICT (id) DO UPDATE SET deleted_at = excluded.deleted_at";
const OLD: &str = "SELECT event_id, conversation_id FROM conversation_exchanges \
    WHERE expires_at <= $1 OR stored_at <= $2 LIMIT $3";
const RECOUNT: &str = "UPDATE conversations SET \
    exchanges = (SELECT COUNT(*) FROM conversation_exchanges WHERE conversation_id = $1), \
    first_at = COALESCE((SELECT MIN(time) FROM conversation_exchanges WHERE conversation_id = $1), first_at) \
    WHERE id = $1";
const DELETE_EMPTY: &str = "DELETE FROM conversations WHERE id = $1 AND exchanges = 0";
const FORGET_DELETIONS: &str = "DELETE FROM conversation_deletions WHERE deleted_at <= $1";

/// How much was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Conversations.
    pub conversations: u64,
    /// Exchanges in them.
    pub exchanges: u64,
}

#[derive(sqlx::FromRow)]
struct OldRow {
    event_id: String,
    conversation_id: String,
}

// === impl Ledger ===

impl Ledger {
    /// Deletes a conversation with all that was said in it; none where there is no such conversation.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails. `E` where somebody may not delete it.
    pub async fn delete_conversation<E>(
        &self,
        id: &str,
        now: UnixMillis,
        by: &Actor,
        may: impl FnOnce(&StoredConversation) -> Result<(), E>,
    ) -> Result<Option<Result<(), E>>, LedgerError> {
        transact!(self, conn => {
            sqlx::query(TAKE).bind(0_i64).bind(Counter::Conversation.name()).execute(&mut *conn).await?;
            let found: Option<StoredConversation> =
                sqlx::query_as(BY_ID).bind(id).fetch_optional(&mut *conn).await?;
            let Some(conversation) = found else {
                return Ok(None);
            };
            if let Err(refused) = may(&conversation) {
                return Ok(Some(Err(refused)));
            }
            sqlx::query(DELETE).bind(id).execute(&mut *conn).await?;
            sqlx::query(REMEMBER).bind(id).bind(number(now.0)).execute(&mut *conn).await?;
            let exchanges = usize::try_from(conversation.exchanges).unwrap_or(0);
            let entry = conversation.audited(now, by, "conversation.delete", exchanges);
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Some(Ok(())))
        })
    }

    /// Deletes all that a user of a workspace has said, and has been answered.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn delete_texts_of_user(
        &self,
        workspace: &str,
        user: &str,
        now: UnixMillis,
        by: &Actor,
    ) -> Result<Deleted, LedgerError> {
        let deleted = transact!(self, conn => {
            sqlx::query(TAKE).bind(0_i64).bind(Counter::Conversation.name()).execute(&mut *conn).await?;
            let (conversations, exchanges): (i64, i64) =
                sqlx::query_as(OF_USER).bind(workspace).bind(user).fetch_one(&mut *conn).await?;
            sqlx::query(DELETE_OF_USER).bind(workspace).bind(user).execute(&mut *conn).await?;
            sqlx::query(REMEMBER)
                .bind(all_of(workspace, user))
                .bind(number(now.0))
                .execute(&mut *conn)
                .await?;
            let entry = AuditEntry::change(now, by, "conversation.delete_user", user)
                .of(Some(workspace))
                .before(json!({"conversations": conversations, "exchanges": exchanges}));
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Deleted {
                conversations: amount(conversations),
                exchanges: amount(exchanges),
            }
        });
        Ok(deleted)
    }

    /// Deletes the texts whose time is over: as was promised when they were stored, or, where that is shorter, as is
    /// configured now. Says of how many exchanges.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn forget_old_texts(
        &self,
        retention_ms: Option<u64>,
        now: UnixMillis,
    ) -> Result<u64, LedgerError> {
        let stored_by = retention_ms.map_or(-1, |retention| number(now.0.saturating_sub(retention)));
        let mut forgotten = 0;
        loop {
            let old: Vec<OldRow> = transact!(self, conn => {
                sqlx::query(TAKE).bind(0_i64).bind(Counter::Conversation.name()).execute(&mut *conn).await?;
                let old: Vec<OldRow> = sqlx::query_as(OLD)
                    .bind(number(now.0))
                    .bind(stored_by)
                    .bind(FORGET_ROWS)
                    .fetch_all(&mut *conn)
                    .await?;
                if !old.is_empty() {
                    let mut delete = QueryBuilder::new("DELETE FROM conversation_exchanges WHERE event_id IN ");
                    push_in!(delete, old.iter().map(|row| row.event_id.as_str()));
                    delete.build().persistent(false).execute(&mut *conn).await?;
                }
                let mut ids: Vec<&str> = old.iter().map(|row| row.conversation_id.as_str()).collect();
                ids.sort_unstable();
                ids.dedup();
                for id in ids {
                    sqlx::query(RECOUNT).bind(id).execute(&mut *conn).await?;
                    sqlx::query(DELETE_EMPTY).bind(id).execute(&mut *conn).await?;
                }
                sqlx::query(FORGET_DELETIONS)
                    .bind(number(now.0.saturating_sub(REMEMBERED_MS)))
                    .execute(&mut *conn)
                    .await?;
                old
            });
            forgotten += old.len() as u64;
            if i64::try_from(old.len()).unwrap_or(i64::MAX) < FORGET_ROWS {
                return Ok(forgotten);
            }
        }
    }
}
