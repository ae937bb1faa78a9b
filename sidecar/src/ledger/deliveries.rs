//! Deliveries of notifications to webhooks.
//!
//! A notification becomes a delivery for every webhook that is active at that moment and wants its kind: the
//! counter `webhook_fan_out` is the last notification for which this is done, and its row the lock. A delivery is
//! made by whichever sidecar claims it first.

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::types::Json;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::webhooks::StoredWebhook;
use super::{Counter, LAST, Ledger, LedgerError};
use crate::secret_key::new_id;

/// Notifications that are turned into deliveries in one transaction.
const FAN_OUT: i64 = 200;

const ACTIVE: &str = "SELECT * FROM webhooks WHERE status = 'active'";
/// Writes nothing, and locks the counter's row until the transaction ends.
const FANNED_OUT: &str = "UPDATE counters SET value = value WHERE name = $1 RETURNING value";
const SET_FANNED_OUT: &str = "UPDATE counters SET value = $2 WHERE name = $1";
const NEW_NOTIFICATIONS: &str =
    "SELECT seq, id, kind FROM notifications WHERE seq > $1 ORDER BY seq LIMIT $2";
const INSERT_DELIVERY: &str = "INSERT INTO webhook_deliveries (id, webhook_id, notification_id, state, attempts, \
    next_attempt_at, claimed_until, created_at, updated_at) VALUES ($1, $2, $3, 'pending', 0, $4, 0, $4, $4) \
    ON CONFLICT DO NOTHING";
const DUE: &str = "SELECT d.id, d.webhook_id, d.notification_id, d.attempts, w.url, w.secret, n.kind, \
    n.created_at AS notified_at, n.body FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id \
    JOIN notifications n ON n.id = d.notification_id \
    WHERE d.state = 'pending' AND d.next_attempt_at <= $1 AND d.claimed_until <= $1 AND w.status = 'active' \
    ORDER BY d.next_attempt_at LIMIT $2";
const CLAIM: &str = "UPDATE webhook_deliveries SET claimed_until = $2 \
    WHERE id = $1 AND state = 'pending' AND attempts = $3 AND claimed_until <= $4";
const END: &str = "UPDATE webhook_deliveries SET state = $2, attempts = attempts + 1, next_attempt_at = $3, \
    claimed_until = 0, last_status = $4, last_error = $5, updated_at = $6 WHERE id = $1 AND attempts = $7";
const DELIVERIES: &str = "SELECT d.*, n.kind FROM webhook_deliveries d JOIN notifications n ON n.id = d.notification_id \
    WHERE d.webhook_id = $1 AND ($2 = '' OR d.state = $2) AND d.id > $3 ORDER BY d.id LIMIT $4";
const AGAIN: &str = "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_attempt_at = $3, \
    claimed_until = 0, updated_at = $3 WHERE id = $1 AND webhook_id = $2 AND state = 'dead'";

/// A delivery that this sidecar has claimed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DueDelivery {
    /// Stable id, a ULID after `whd_`.
    pub id: String,
    /// To which webhook.
    pub webhook_id: String,
    /// Of which notification.
    pub notification_id: String,
    /// Attempts that were made.
    #[sqlx(try_from = "i64")]
    pub attempts: u32,
    /// Where to.
    pub url: String,
    /// What it is signed with.
    pub secret: String,
    /// The notification's kind.
    pub kind: String,
    /// When it happened: milliseconds since the Unix epoch.
    pub notified_at: i64,
    /// What it says.
    pub body: Json<Value>,
}

/// A delivery as operators see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredDelivery {
    /// Stable id.
    pub id: String,
    /// Of which notification.
    pub notification_id: String,
    /// The notification's kind.
    pub kind: String,
    /// `pending`, `delivered` or `dead`.
    pub state: String,
    /// Attempts that were made.
    pub attempts: i64,
    /// When the next one is, where it is pending.
    pub next_attempt_at: i64,
    /// HTTP status of the last one, where there was an answer.
    pub last_status: Option<i64>,
    /// What went wrong the last time.
    pub last_error: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    pub updated_at: i64,
}

/// What becomes of a delivery after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Delivered {
        /// What the receiver answered.
        status: i64,
    },
    /// It is tried again.
    Retry {
        /// What the receiver answered, if it did.
        status: Option<i64>,
        /// What went wrong.
        error: String,
        /// When.
        at: Timestamp,
    },
    /// It is given up.
    Dead {
        /// What the receiver answered, if it did.
        status: Option<i64>,
        /// What went wrong.
        error: String,
    },
}

#[derive(Debug, sqlx::FromRow)]
struct New {
    seq: i64,
    id: String,
    kind: String,
}

// === impl Ledger ===

impl Ledger {
    /// Makes the deliveries of notifications that have none yet.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn fan_out_notifications(&self, now: Timestamp) -> Result<(), LedgerError> {
        while self.fan_out_some(now).await? {}
        Ok(())
    }

    /// Whether there may be more.
    async fn fan_out_some(&self, now: Timestamp) -> Result<bool, LedgerError> {
        // Most of the time there is nothing to do, and nothing to lock for it.
        let (last, done): (i64, i64) = read!(self, conn => {
            let last = sqlx::query_scalar(LAST).bind(Counter::Notification.name()).fetch_one(&mut *conn).await?;
            let done = sqlx::query_scalar(LAST).bind(Counter::WebhookFanOut.name()).fetch_one(&mut *conn).await?;
            (last, done)
        });
        if last <= done {
            return Ok(false);
        }
        transact!(self, conn => {
            let done: i64 = sqlx::query_scalar(FANNED_OUT)
                .bind(Counter::WebhookFanOut.name())
                .fetch_one(&mut *conn)
                .await?;
            let new: Vec<New> = sqlx::query_as(NEW_NOTIFICATIONS)
                .bind(done)
                .bind(FAN_OUT)
                .fetch_all(&mut *conn)
                .await?;
            let webhooks: Vec<StoredWebhook> = sqlx::query_as(ACTIVE).fetch_all(&mut *conn).await?;
            for notification in &new {
                for webhook in webhooks.iter().filter(|webhook| webhook.wants(&notification.kind)) {
                    sqlx::query(INSERT_DELIVERY)
                        .bind(new_id("whd", now.into())?)
                        .bind(&webhook.id)
                        .bind(&notification.id)
                        .bind(now.as_millisecond())
                        .execute(&mut *conn)
                        .await?;
                }
            }
            // A number that was taken for a notification which had been told before has no row.
            let is_full = new.len() as i64 == FAN_OUT;
            let newest = new.last().map_or(done, |newest| newest.seq);
            let position = if is_full { newest } else { newest.max(last) };
            sqlx::query(SET_FANNED_OUT)
                .bind(Counter::WebhookFanOut.name())
                .bind(position)
                .execute(&mut *conn)
                .await?;
            Ok(is_full)
        })
    }

    /// Deliveries that are due, claimed until a moment: no other sidecar makes them until then.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn claim_deliveries(
        &self,
        most: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<DueDelivery>, LedgerError> {
        let due: Vec<DueDelivery> = read!(self, conn => {
            sqlx::query_as(DUE).bind(now.as_millisecond()).bind(i64::from(most)).fetch_all(conn).await?
        });
        let mut claimed = Vec::with_capacity(due.len());
        for delivery in due {
            let rows = transact!(self, conn => {
                sqlx::query(CLAIM)
                    .bind(&delivery.id)
                    .bind(until.as_millisecond())
                    .bind(i64::from(delivery.attempts))
                    .bind(now.as_millisecond())
                    .execute(&mut *conn)
                    .await?
                    .rows_affected()
            });
            if rows > 0 {
                claimed.push(delivery);
            }
        }
        Ok(claimed)
    }

    /// Writes down what came of an attempt.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn end_attempt(
        &self,
        delivery: &DueDelivery,
        verdict: &Verdict,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let (state, at, status, error) = match verdict {
            Verdict::Delivered { status } => ("delivered", now, Some(*status), None),
            Verdict::Retry { status, error, at } => ("pending", *at, *status, Some(error)),
            Verdict::Dead { status, error } => ("dead", now, *status, Some(error)),
        };
        transact!(self, conn => {
            sqlx::query(END)
                .bind(&delivery.id)
                .bind(state)
                .bind(at.as_millisecond())
                .bind(status)
                .bind(error)
                .bind(now.as_millisecond())
                .bind(i64::from(delivery.attempts))
                .execute(&mut *conn)
                .await?;
        });
        Ok(())
    }

    /// Deliveries of a webhook, of one state or of all, in the order in which they were made.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn deliveries(
        &self,
        webhook_id: &str,
        state: Option<&str>,
        after: &str,
        rows: u32,
    ) -> Result<Vec<StoredDelivery>, LedgerError> {
        Ok(read!(self, conn => {
            sqlx::query_as(DELIVERIES)
                .bind(webhook_id)
                .bind(state.unwrap_or_default())
                .bind(after)
                .bind(i64::from(rows))
                .fetch_all(conn)
                .await?
        }))
    }

    /// Makes a dead letter a delivery again, with all its attempts; false where there is no such dead letter.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn deliver_again(
        &self,
        webhook_id: &str,
        delivery_id: &str,
        now: Timestamp,
        by: &Actor,
    ) -> Result<bool, LedgerError> {
        transact!(self, conn => {
            let again = sqlx::query(AGAIN)
                .bind(delivery_id)
                .bind(webhook_id)
                .bind(now.as_millisecond())
                .execute(&mut *conn)
                .await?;
            if again.rows_affected() == 0 {
                return Ok(false);
            }
            let entry = AuditEntry::change(now.into(), by, "delivery.retry", delivery_id)
                .before(json!({"webhook_id": webhook_id}));
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(true)
    }
}
