//! Webhooks: who is told of what. What becomes of it is in [`super::deliveries`].

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::types::Json;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::change::Changed;
use super::{Ledger, LedgerError};

const INSERT: &str = "INSERT INTO webhooks (id, url, secret, kinds, status, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const UPDATE: &str = "UPDATE webhooks SET url = $2, kinds = $3, status = $4, updated_at = $5 WHERE id = $1";
/// Changes nothing, and locks the row until the transaction ends.
const TAKE_ONE: &str = "UPDATE webhooks SET status = status WHERE id = $1 RETURNING *";
const DELETE: &str = "DELETE FROM webhooks WHERE id = $1";
const BY_ID: &str = "SELECT * FROM webhooks WHERE id = $1";
const PAGE: &str = "SELECT * FROM webhooks WHERE id > $1 ORDER BY id LIMIT $2";

/// A webhook as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredWebhook {
    /// Stable id, a ULID after `whk_`.
    pub id: String,
    /// Where notifications are posted.
    pub url: String,
    /// What they are signed with, as [`crate::webhook::SigningSecret`] writes it.
    pub secret: String,
    /// Kinds of notifications; empty for all.
    pub kinds: Json<Vec<String>>,
    /// `active` or `paused`. While it is paused it gets no new deliveries, and those that wait go on waiting.
    pub status: String,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    pub updated_at: i64,
}

// === impl Ledger ===

impl Ledger {
    /// Adds a webhook: it is told of what happens from now on.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn insert_webhook(&self, webhook: &StoredWebhook, by: &Actor) -> Result<(), LedgerError> {
        let now = Timestamp::from_millisecond(webhook.created_at).unwrap_or_default();
        // What happened before is not for it.
        self.fan_out_notifications(now).await?;
        transact!(self, conn => {
            sqlx::query(INSERT)
                .bind(&webhook.id)
                .bind(&webhook.url)
                .bind(&webhook.secret)
                .bind(&webhook.kinds)
                .bind(&webhook.status)
                .bind(webhook.created_at)
                .bind(webhook.updated_at)
                .execute(&mut *conn)
                .await?;
            let entry = AuditEntry::change(now.into(), by, "webhook.create", &webhook.id).after(webhook.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(())
    }

    /// The webhook with this id.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn webhook(&self, id: &str) -> Result<Option<StoredWebhook>, LedgerError> {
        Ok(read!(self, conn => sqlx::query_as(BY_ID).bind(id).fetch_optional(conn).await?))
    }

    /// Webhooks in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn webhooks(&self, after: &str, rows: u32) -> Result<Vec<StoredWebhook>, LedgerError> {
        Ok(read!(self, conn => sqlx::query_as(PAGE).bind(after).bind(i64::from(rows)).fetch_all(conn).await?))
    }

    /// Changes a webhook's URL, kinds or status.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn change_webhook<E>(
        &self,
        id: &str,
        now: Timestamp,
        by: &Actor,
        change: impl FnOnce(&mut StoredWebhook) -> Result<(), E>,
    ) -> Result<Changed<StoredWebhook, E>, LedgerError> {
        transact!(self, conn => {
            let found: Option<StoredWebhook> = sqlx::query_as(TAKE_ONE).bind(id).fetch_optional(&mut *conn).await?;
            let Some(old) = found else { return Ok(Changed::Missing) };
            let mut new = old.clone();
            if let Err(refused) = change(&mut new) {
                return Ok(Changed::Refused(refused));
            }
            // Later than before by any clock: it tells the versions apart.
            new.updated_at = now.as_millisecond().max(old.updated_at.saturating_add(1));
            sqlx::query(UPDATE)
                .bind(id)
                .bind(&new.url)
                .bind(&new.kinds)
                .bind(&new.status)
                .bind(new.updated_at)
                .execute(&mut *conn)
                .await?;
            let entry = AuditEntry::change(now.into(), by, "webhook.edit", id);
            let entry = entry.before(old.audited()).after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(new)))
        })
    }

    /// Removes a webhook with its deliveries.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn delete_webhook<E>(
        &self,
        id: &str,
        now: Timestamp,
        by: &Actor,
        may: impl FnOnce(&StoredWebhook) -> Result<(), E>,
    ) -> Result<Changed<StoredWebhook, E>, LedgerError> {
        transact!(self, conn => {
            let found: Option<StoredWebhook> = sqlx::query_as(TAKE_ONE).bind(id).fetch_optional(&mut *conn).await?;
            let Some(old) = found else { return Ok(Changed::Missing) };
            if let Err(refused) = may(&old) {
                return Ok(Changed::Refused(refused));
            }
            sqlx::query(DELETE).bind(id).execute(&mut *conn).await?;
            let entry = AuditEntry::change(now.into(), by, "webhook.delete", id).before(old.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(old)))
        })
    }
}

// === impl StoredWebhook ===

impl StoredWebhook {
    /// As the audit log tells of it: without its secret.
    fn audited(&self) -> Value {
        json!({"url": self.url, "kinds": self.kinds.0, "status": self.status})
    }

    /// Whether it is told of notifications of this kind.
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds.0.is_empty() || self.kinds.0.iter().any(|wanted| wanted == kind)
    }
}
