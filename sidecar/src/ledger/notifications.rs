//! What somebody is to be told of: thresholds that are reached, money that a dead gateway left in flight.
//!
//! A notification is written in the transaction in which the thing happened: it is there exactly if that is. Its
//! `dedupe_key` says what it is about, and the same thing is told once, with any number of sidecars. Whoever
//! delivers them reads `SELECT … FROM notifications WHERE seq > … ORDER BY seq`: numbers become visible in their
//! order (see [`Counter`]). To add one, make a [`Notification`] and give it to
//! [`NotificationRows::add_notifications`] in the transaction.

use std::collections::HashSet;

use serde_json::{Value, json};
use sqlx::QueryBuilder;
use sqlx::types::Json;
use tollgate_core::budget::ledger::{Account, Reclaimed};
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::budgets::StoredBudget;
use super::{Counter, LIST, TAKE, number};
use crate::secret_key::{NoRandomness, new_id};

/// Kinds of notifications that there are.
pub const KINDS: [&str; 2] = [THRESHOLD, RECLAIMED];
const THRESHOLD: &str = "budget.threshold";
const RECLAIMED: &str = "lease.reclaimed";

const INSERT: &str = "INSERT INTO notifications (seq, id, kind, dedupe_key, created_at, body) ";

/// Something that somebody is to be told of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Notification {
    /// Stable id, a ULID after `ntf_`.
    id: String,
    /// `budget.threshold` or `lease.reclaimed`.
    kind: &'static str,
    /// The same thing has the same key.
    dedupe_key: String,
    created_at: UnixMillis,
    /// What the receiver reads. Amounts are decimal strings, times RFC 3339.
    body: Value,
}

on_engines! {
    /// Statements on `notifications`.
    pub(super) trait NotificationRows {
        /// Adds those of which nobody was told before.
        async fn add_notifications(conn, notifications: &[Notification]) -> () {
            if notifications.is_empty() {
                return Ok(());
            }
            let count = i64::try_from(notifications.len()).unwrap_or(i64::MAX);
            let last: i64 = sqlx::query_scalar(TAKE)
                .bind(count)
                .bind(Counter::Notification.name())
                .fetch_one(&mut *conn)
                .await?;
            let mut seq = last - count;
            let mut new: HashSet<String> = HashSet::new();
            for notifications in notifications.chunks(LIST) {
                let mut insert = QueryBuilder::new(INSERT);
                insert.push_values(notifications, |mut row, notification| {
                    seq += 1;
                    row.push_bind(seq)
                        .push_bind(&notification.id)
                        .push_bind(notification.kind)
                        .push_bind(&notification.dedupe_key)
                        .push_bind(number(notification.created_at.0))
                        .push_bind(Json(&notification.body));
                });
                insert.push(" ON CONFLICT (dedupe_key) DO NOTHING RETURNING id");
                let ids: Vec<String> =
                    insert.build_query_scalar().persistent(false).fetch_all(&mut *conn).await?;
                new.extend(ids);
            }
            let new = notifications.iter().filter(|notification| new.contains(&notification.id));
            let audited: Vec<AuditEntry> = new.filter_map(Notification::audit_entry).collect();
            AuditRows::add_audit(conn, &audited).await
        }
    }
}

// === impl Notification ===

impl Notification {
    /// A threshold of a budget is reached. `round` tells apart the times that it was, where deposits came between.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub(super) fn threshold(
        budget: &StoredBudget,
        account: &Account,
        round: u64,
        percent: u8,
        now: UnixMillis,
    ) -> Result<Self, NoRandomness> {
        let unit = budget.budget.unit;
        let show = |amount| unit.show_amount(amount);
        let body = json!({
            "budget": about(budget),
            "percent": percent,
            "amount": show(account.amount),
            "spent": show(account.spent),
            "remaining": show(account.amount.saturating_sub(account.spent)),
            "period_start": account.window.end.map(|_| account.window.start.timestamp()),
            "period_end": account.window.end.map(UnixMillis::timestamp),
        });
        let again = if round == 0 {
            String::new()
        } else {
            format!(":{round}")
        };
        Ok(Self {
            id: new_id("ntf", now)?,
            kind: THRESHOLD,
            dedupe_key: format!("{}:{}:{percent}{again}", budget.id, account.window.start.0),
            created_at: now,
            body,
        })
    }

    /// What the audit log says of it: that a budget is spent.
    fn audit_entry(&self) -> Option<AuditEntry> {
        let percent = self.body.get("percent").and_then(Value::as_u64)?;
        let about = self.body.get("budget")?;
        (percent >= 100).then(|| AuditEntry {
            time: self.created_at,
            actor: Actor::tollgate(),
            action: "budget.spent",
            target: about
                .get("id")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            workspace: about
                .pointer("/subject/workspace")
                .and_then(Value::as_str)
                .map(str::to_owned),
            detail: self.body.clone(),
        })
    }

    /// A lease ran out, and its gateway was not heard again: what it had reserved is in no event.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub(super) fn reclaimed(
        budget: &StoredBudget,
        gateway_id: &str,
        reclaimed: &Reclaimed,
        now: UnixMillis,
    ) -> Result<Self, NoRandomness> {
        let show = |amount| budget.budget.unit.show_amount(amount);
        let body = json!({
            "budget": about(budget),
            "gateway_id": gateway_id,
            "instance": reclaimed.instance,
            "lease_id": reclaimed.lease_id,
            "amount": show(reclaimed.amount),
            "unaccounted": show(reclaimed.unaccounted),
        });
        Ok(Self {
            id: new_id("ntf", now)?,
            kind: RECLAIMED,
            dedupe_key: format!("lease:{}", reclaimed.lease_id.0),
            created_at: now,
            body,
        })
    }
}

fn about(budget: &StoredBudget) -> Value {
    json!({
        "id": budget.id,
        "name": budget.budget.name,
        "subject": budget.budget.subject,
        "unit": budget.budget.unit,
        "period": budget.budget.period,
    })
}
