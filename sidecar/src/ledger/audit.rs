//! The audit log: who did what, when, from where. Append-only, and each row's hash covers the row before it: a row
//! that is changed, removed or put in between breaks the chain there.
//!
//! An entry is written in the transaction of what it tells of: it is there exactly if that happened. The counter's
//! row is the lock that keeps entries in one line.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::QueryBuilder;
use tollgate_core::time::UnixMillis;

use super::log::{LogPage, Part};
use super::{Counter, LAST, Ledger, LedgerError, TAKE, Workspaces, number};

/// Rows that are verified at a time.
const VERIFY_ROWS: i64 = 1_000;

const INSERT: &str = "INSERT INTO audit_log (seq, time, actor, action, target, workspace, detail, address, \
    user_agent, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const HASH_OF: &str = "SELECT hash FROM audit_log WHERE seq = $1";
const AFTER: &str = "SELECT * FROM audit_log WHERE seq > $1 ORDER BY seq LIMIT $2";

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `admin_token`, `gateway:…` or `tollgate` itself.
    pub name: String,
    /// Where from.
    pub address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub time: UnixMillis,
    /// By whom.
    pub actor: Actor,
    /// What, e.g. `key.revoke`.
    pub action: &'static str,
    /// To what: its id.
    pub target: String,
    /// Whose that is.
    pub workspace: Option<String>,
    /// What more is to be said: `before` and `after` of a change. No secrets.
    pub detail: Value,
}

/// An entry as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredEntry {
    /// 1, 2, 3, … without a gap.
    pub seq: i64,
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// By whom.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// Whose that is.
    pub workspace: Option<String>,
    /// JSON, as it was hashed.
    pub detail: String,
    /// Where from.
    pub address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// SHA-256 over the row before and this one.
    pub hash: Vec<u8>,
}

/// What came of verifying the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// Every row is as it was written.
    Whole {
        /// How many there are.
        rows: i64,
        /// The last row's hash: kept elsewhere, it also proves that nothing was cut off the end.
        head: [u8; 32],
    },
    /// The chain breaks.
    Broken {
        /// The first row that is not as it was written, or that is missing.
        seq: i64,
        /// What is wrong with it.
        reason: &'static str,
    },
}

on_engines! {
    /// Statements on `audit_log`.
    pub(super) trait AuditRows {
        /// Adds entries, in this order.
        async fn add_audit(conn, entries: &[AuditEntry]) -> () {
            if entries.is_empty() {
                return Ok(());
            }
            let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
            let last: i64 = sqlx::query_scalar(TAKE)
                .bind(count)
                .bind(Counter::Audit.name())
                .fetch_one(&mut *conn)
                .await?;
            let mut seq = last - count;
            let before: Option<Vec<u8>> = sqlx::query_scalar(HASH_OF).bind(seq).fetch_optional(&mut *conn).await?;
            let mut previous = before.unwrap_or_else(|| vec![0; 32]);
            for entry in entries {
                seq += 1;
                let mut row = StoredEntry::new(seq, entry);
                row.hash = row.hash_after(&previous).to_vec();
                sqlx::query(INSERT)
                    .bind(row.seq)
                    .bind(row.time)
                    .bind(&row.actor)
                    .bind(&row.action)
                    .bind(&row.target)
                    .bind(&row.workspace)
                    .bind(&row.detail)
                    .bind(&row.address)
                    .bind(&row.user_agent)
                    .bind(&row.hash)
                    .execute(&mut *conn)
                    .await?;
                previous = row.hash;
            }
            Ok(())
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Adds an entry that tells of no change.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn add_entry(&self, entry: AuditEntry) -> Result<(), LedgerError> {
        transact!(self, conn => AuditRows::add_audit(&mut *conn, &[entry]).await?);
        Ok(())
    }

    /// A part of the log, in the order in which it was written.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn audit_log(
        &self,
        workspaces: &Workspaces,
        part: Part,
        rows: u32,
    ) -> Result<LogPage<StoredEntry>, LedgerError> {
        let head: i64 =
            read!(self, conn => sqlx::query_scalar(LAST).bind(Counter::Audit.name()).fetch_one(conn).await?);
        let found: Vec<StoredEntry> = read!(self, conn => {
            let mut select = QueryBuilder::new("SELECT * FROM audit_log WHERE seq > ");
            select.push_bind(part.after()).push(" AND seq <= ").push_bind(part.up_to(head));
            push_within!(select, workspaces);
            select.push(part.order()).push_bind(i64::from(rows));
            select.build_query_as().fetch_all(conn).await?
        });
        Ok(LogPage::new(found, part, head, rows, |entry| entry.seq))
    }

    /// Goes through the whole chain.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn verify_audit(&self) -> Result<Verified, LedgerError> {
        let last: i64 =
            read!(self, conn => sqlx::query_scalar(LAST).bind(Counter::Audit.name()).fetch_one(conn).await?);
        let (mut seq, mut head) = (0, [0; 32]);
        loop {
            let rows: Vec<StoredEntry> = read!(self, conn => {
                sqlx::query_as(AFTER).bind(seq).bind(VERIFY_ROWS).fetch_all(conn).await?
            });
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let broken = |seq, reason| Ok(Verified::Broken { seq, reason });
                if row.seq != seq + 1 {
                    return broken(seq + 1, "the row is missing");
                }
                let expected = row.hash_after(&head);
                if row.hash != expected {
                    return broken(row.seq, "the row, or the one before it, is not as it was written");
                }
                (seq, head) = (row.seq, expected);
            }
        }
        if seq < last {
            return Ok(Verified::Broken {
                seq: seq + 1,
                reason: "the row is missing at the end",
            });
        }
        Ok(Verified::Whole { rows: seq, head })
    }
}

// === impl AuditEntry ===

impl AuditEntry {
    /// A change by somebody, of which nothing more is said yet.
    pub fn change(time: UnixMillis, by: &Actor, action: &'static str, target: &str) -> Self {
        Self {
            time,
            actor: by.clone(),
            action,
            target: target.to_owned(),
            workspace: None,
            detail: Value::Object(Default::default()),
        }
    }

    /// Whose the thing is.
    #[must_use]
    pub fn of(self, workspace: Option<&str>) -> Self {
        Self {
            workspace: workspace.map(str::to_owned),
            ..self
        }
    }

    /// As it was.
    #[must_use]
    pub fn before(self, value: Value) -> Self {
        self.with("before", value)
    }

    /// As it is now.
    #[must_use]
    pub fn after(self, value: Value) -> Self {
        self.with("after", value)
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        if let Some(fields) = self.detail.as_object_mut() {
            fields.insert(field.to_owned(), value);
        }
        self
    }
}

// === impl Actor ===

impl Actor {
    /// The sidecar itself.
    pub fn tollgate() -> Self {
        Self {
            name: "tollgate".to_owned(),
            address: None,
            user_agent: None,
        }
    }
}

// === impl StoredEntry ===

impl StoredEntry {
    fn new(seq: i64, entry: &AuditEntry) -> Self {
        Self {
            seq,
            time: number(entry.time.0),
            actor: entry.actor.name.clone(),
            action: entry.action.to_owned(),
            target: entry.target.clone(),
            workspace: entry.workspace.clone(),
            detail: entry.detail.to_string(),
            address: entry.actor.address.clone(),
            user_agent: entry.actor.user_agent.clone(),
            hash: Vec::new(),
        }
    }

    /// SHA-256 over the hash before and every field, each behind its length, so that no two rows read the same.
    fn hash_after(&self, previous: &[u8]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(previous);
        let mut field = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                hasher.update((bytes.len() as u64).to_be_bytes());
                hasher.update(bytes);
            }
            // No text is as long as this.
            None => hasher.update(u64::MAX.to_be_bytes()),
        };
        field(Some(&self.seq.to_be_bytes()));
        field(Some(&self.time.to_be_bytes()));
        field(Some(self.actor.as_bytes()));
        field(Some(self.action.as_bytes()));
        field(Some(self.target.as_bytes()));
        field(self.workspace.as_deref().map(str::as_bytes));
        field(Some(self.detail.as_bytes()));
        field(self.address.as_deref().map(str::as_bytes));
        field(self.user_agent.as_deref().map(str::as_bytes));
        hasher.finalize().into()
    }
}
