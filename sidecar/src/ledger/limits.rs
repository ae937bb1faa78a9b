//! Limits as operators make, read, change, delete and reset them. Gateways are told of them by the policy
//! ([`super::policy`]).

use serde_json::{Value, json};
use sqlx::QueryBuilder;
use tollgate_core::limit::{LimitSpec, LimitSubject};
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::change::Changed;
use super::policy::PolicyRows;
use super::{Ledger, LedgerError, Workspaces, amount, millis, number};

/// Resets that gateways are told of at a time. The oldest make way: by then whoever they were for has long begun to
/// count anew.
const MAX_RESETS: i64 = 256;

const INSERT: &str = "INSERT INTO limits (id, name, workspace, spec, created_at, updated_at, version) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const UPDATE: &str =
    "UPDATE limits SET workspace = $2, spec = $3, updated_at = $4, version = $5 WHERE id = $1";
const DELETE: &str = "DELETE FROM limits WHERE id = $1";
const BY_ID: &str = "SELECT * FROM limits WHERE id = $1";
const BY_NAME: &str = "SELECT * FROM limits WHERE name = $1";
const NEWEST_RESET: &str = "SELECT COALESCE(MAX(generation), 0) FROM limit_resets";
const INSERT_RESET: &str =
    "INSERT INTO limit_resets (generation, limit_name, subject, expires_at) VALUES ($1, $2, $3, $4)";
/// Those that are over, or that the new one stands for.
const FORGET_RESETS: &str =
    "DELETE FROM limit_resets WHERE expires_at <= $1 OR (limit_name = $2 AND ($3 = '' OR subject = $3))";
const KEEP_RESETS: &str = "DELETE FROM limit_resets WHERE generation NOT IN \
    (SELECT generation FROM limit_resets ORDER BY generation DESC LIMIT $1)";

/// A limit as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLimit {
    /// Stable id, a ULID after `lim_`.
    pub id: String,
    /// What it is.
    pub spec: LimitSpec,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
    /// The version of the policy at its last change.
    pub version: u64,
}

/// A row of `limits`.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct LimitRow {
    id: String,
    spec: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

/// A reset that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct NewReset<'a> {
    /// The limit's name; a gateway's configuration may have it where this ledger has not.
    pub limit: &'a str,
    /// Whose it is, for the audit log.
    pub workspace: Option<&'a str>,
    /// Whose counts are given back; everybody's, where nobody is named.
    pub subject: Option<&'a LimitSubject>,
    /// From when on nothing that was counted before can matter.
    pub expires_at: UnixMillis,
}

on_engines! {
    /// Statements on limits.
    trait LimitRows {
        async fn page_of_limits(conn, workspaces: &Workspaces, after: &str, rows: u32) -> Vec<LimitRow> {
            let mut select = QueryBuilder::new("SELECT * FROM limits WHERE id > ");
            select.push_bind(after);
            push_within!(select, workspaces);
            select.push(" ORDER BY id LIMIT ").push_bind(i64::from(rows));
            Ok(select.build_query_as().fetch_all(conn).await?)
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Adds a limit; its version is chosen here. `check` is asked with all limits that there were.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn create_limit<E>(
        &self,
        new: &StoredLimit,
        by: &Actor,
        check: impl Fn(&[StoredLimit]) -> Result<(), E>,
    ) -> Result<Changed<StoredLimit, E>, LedgerError> {
        let mut new = new.clone();
        transact!(self, conn => {
            new.version = PolicyRows::take_policy_version(&mut *conn).await?;
            if let Err(refused) = check(&limits(PolicyRows::all_limits(&mut *conn).await?)?) {
                return Ok(Changed::Refused(refused));
            }
            sqlx::query(INSERT)
                .bind(&new.id)
                .bind(&new.spec.name)
                .bind(new.workspace())
                .bind(new.written().to_string())
                .bind(number(new.created_at.0))
                .bind(number(new.updated_at.0))
                .bind(number(new.version))
                .execute(&mut *conn)
                .await?;
            let entry = AuditEntry::change(new.created_at, by, "limit.create", &new.id)
                .of(new.workspace())
                .after(new.written());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(Changed::Done(Box::new(new)))
    }

    /// The limit with this id.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn limit(&self, id: &str) -> Result<Option<StoredLimit>, LedgerError> {
        let row: Option<LimitRow> =
            read!(self, conn => sqlx::query_as(BY_ID).bind(id).fetch_optional(conn).await?);
        row.map(StoredLimit::try_from).transpose()
    }

    /// The limit with this name.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn limit_by_name(&self, name: &str) -> Result<Option<StoredLimit>, LedgerError> {
        let row: Option<LimitRow> =
            read!(self, conn => sqlx::query_as(BY_NAME).bind(name).fetch_optional(conn).await?);
        row.map(StoredLimit::try_from).transpose()
    }

    /// Limits in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn limits(
        &self,
        workspaces: &Workspaces,
        after: &str,
        rows: u32,
    ) -> Result<Vec<StoredLimit>, LedgerError> {
        limits(read!(self, conn => LimitRows::page_of_limits(&mut *conn, workspaces, after, rows).await?))
    }

    /// Changes what a limit is, all but its name. `change` is given it, and all limits beside it. A change that
    /// leaves it as it was takes no version.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn change_limit<E>(
        &self,
        id: &str,
        now: UnixMillis,
        by: &Actor,
        change: impl Fn(&mut StoredLimit, &[StoredLimit]) -> Result<(), E>,
    ) -> Result<Changed<StoredLimit, E>, LedgerError> {
        transact!(self, conn => {
            let version = PolicyRows::take_policy_version(&mut *conn).await?;
            let mut others = limits(PolicyRows::all_limits(&mut *conn).await?)?;
            let Some(at) = others.iter().position(|limit| limit.id == id) else {
                return Ok(Changed::Missing);
            };
            let old = others.remove(at);
            let mut new = old.clone();
            if let Err(refused) = change(&mut new, &others) {
                return Ok(Changed::Refused(refused));
            }
            if new.spec == old.spec {
                // Early, so that the version is not taken.
                return Ok(Changed::Done(Box::new(old)));
            }
            new.version = version;
            new.updated_at = now;
            sqlx::query(UPDATE)
                .bind(id)
                .bind(new.workspace())
                .bind(new.written().to_string())
                .bind(number(now.0))
                .bind(number(version))
                .execute(&mut *conn)
                .await?;
            let entry = AuditEntry::change(now, by, "limit.edit", id)
                .of(old.workspace())
                .before(old.written())
                .after(new.written());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(new)))
        })
    }

    /// Deletes a limit, where `may` says so.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn delete_limit<E>(
        &self,
        id: &str,
        now: UnixMillis,
        by: &Actor,
        may: impl Fn(&StoredLimit) -> Result<(), E>,
    ) -> Result<Changed<StoredLimit, E>, LedgerError> {
        transact!(self, conn => {
            PolicyRows::take_policy_version(&mut *conn).await?;
            let found: Option<LimitRow> = sqlx::query_as(BY_ID).bind(id).fetch_optional(&mut *conn).await?;
            let Some(found) = found else { return Ok(Changed::Missing) };
            let old = StoredLimit::try_from(found)?;
            if let Err(refused) = may(&old) {
                return Ok(Changed::Refused(refused));
            }
            sqlx::query(DELETE).bind(id).execute(&mut *conn).await?;
            let entry = AuditEntry::change(now, by, "limit.delete", id)
                .of(old.workspace())
                .before(old.written());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(old)))
        })
    }

    /// Has all gateways give back what a limit has counted.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn reset_limit(
        &self,
        new: NewReset<'_>,
        now: UnixMillis,
        by: &Actor,
    ) -> Result<(), LedgerError> {
        let subject = new.subject.map(|subject| json!(subject));
        let text = subject.as_ref().map(Value::to_string).unwrap_or_default();
        transact!(self, conn => {
            PolicyRows::take_policy_version(&mut *conn).await?;
            let newest: i64 = sqlx::query_scalar(NEWEST_RESET).fetch_one(&mut *conn).await?;
            // By the clock, so that a ledger which was restored is not behind what gateways have seen.
            let generation = number(now.0).max(newest.saturating_add(1));
            sqlx::query(FORGET_RESETS)
                .bind(number(now.0))
                .bind(new.limit)
                .bind(&text)
                .execute(&mut *conn)
                .await?;
            sqlx::query(INSERT_RESET)
                .bind(generation)
                .bind(new.limit)
                .bind(&text)
                .bind(number(new.expires_at.0))
                .execute(&mut *conn)
                .await?;
            sqlx::query(KEEP_RESETS).bind(MAX_RESETS).execute(&mut *conn).await?;
            let entry = AuditEntry::change(now, by, "limit.reset", new.limit)
                .of(new.workspace)
                .after(json!({"subject": subject}));
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(())
    }
}

fn limits(rows: Vec<LimitRow>) -> Result<Vec<StoredLimit>, LedgerError> {
    rows.into_iter().map(StoredLimit::try_from).collect()
}

// === impl StoredLimit ===

impl StoredLimit {
    /// Whose it is: of the workspace that it is for, where that is one; else of nobody.
    pub fn workspace(&self) -> Option<&str> {
        match self.spec.applies_to.workspaces.as_slice() {
            [workspace] => Some(workspace),
            _ => None,
        }
    }

    /// As the ledger keeps it and the audit log tells of it.
    fn written(&self) -> Value {
        json!(self.spec)
    }
}

impl TryFrom<LimitRow> for StoredLimit {
    type Error = LedgerError;

    fn try_from(row: LimitRow) -> Result<Self, LedgerError> {
        let spec = serde_json::from_str(&row.spec).map_err(|_| LedgerError::Foreign {
            table: "limits",
            id: row.id.clone(),
            column: "spec",
        })?;
        Ok(Self {
            id: row.id,
            spec,
            created_at: millis(row.created_at),
            updated_at: millis(row.updated_at),
            version: amount(row.version),
        })
    }
}
