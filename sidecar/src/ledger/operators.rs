//! Operators: who signs in, with which password, and what they may do where.

use serde_json::json;
use sqlx::types::Json;
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::change::Changed;
use super::{Ledger, LedgerError, number};
use crate::principal::Grants;

const INSERT: &str = "INSERT INTO operators (id, name, password_hash, roles, status, created_at, updated_at, version, subject) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
/// Changes nothing, and locks the row until the transaction ends.
const TAKE_ONE: &str = "UPDATE operators SET version = version WHERE id = $1 RETURNING *";
const UPDATE: &str = "UPDATE operators SET password_hash = $2, roles = $3, status = $4, updated_at = $5, version = $6 \
    WHERE id = $1";
const DELETE: &str = "DELETE FROM operators WHERE id = $1";
const BY_ID: &str = "SELECT * FROM operators WHERE id = $1";
const BY_NAME: &str = "SELECT * FROM operators WHERE name = $1";
const BY_SUBJECT: &str = "SELECT * FROM operators WHERE subject = $1";
const PAGE: &str = "SELECT * FROM operators WHERE id > $1 ORDER BY id LIMIT $2";

/// An operator as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredOperator {
    /// Stable id, a ULID after `op_`.
    pub id: String,
    /// Unique, and never changed.
    pub name: String,
    /// Argon2id, in PHC's form; none where there is no sign-in by password.
    pub password_hash: Option<String>,
    /// What they may do where.
    pub roles: Json<Grants>,
    /// `active` or `disabled`.
    pub status: String,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    pub updated_at: i64,
    /// One more with each change.
    pub version: i64,
    /// Whom the provider of single sign-on means, by its name and theirs; none for who signs in by password.
    pub subject: Option<String>,
}

// === impl Ledger ===

impl Ledger {
    /// Adds an operator; false where the name is taken.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn insert_operator(&self, new: &StoredOperator, by: &Actor) -> Result<bool, LedgerError> {
        let now = UnixMillis(u64::try_from(new.created_at).unwrap_or(0));
        transact!(self, conn => {
            let inserted = sqlx::query(INSERT)
                .bind(&new.id)
                .bind(&new.name)
                .bind(&new.password_hash)
                .bind(&new.roles)
                .bind(&new.status)
                .bind(new.created_at)
                .bind(new.updated_at)
                .bind(new.version)
                .bind(&new.subject)
                .execute(&mut *conn)
                .await?;
            if inserted.rows_affected() == 0 {
                return Ok(false);
            }
            let entry = AuditEntry::change(now, by, "operator.create", &new.id).after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(true)
    }

    /// The operator with this id.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn operator(&self, id: &str) -> Result<Option<StoredOperator>, LedgerError> {
        Ok(read!(self, conn => sqlx::query_as(BY_ID).bind(id).fetch_optional(conn).await?))
    }

    /// The operator of this name.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn operator_by_name(&self, name: &str) -> Result<Option<StoredOperator>, LedgerError> {
        Ok(read!(self, conn => sqlx::query_as(BY_NAME).bind(name).fetch_optional(conn).await?))
    }

    /// The operator whom a provider of single sign-on means.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn operator_by_subject(&self, subject: &str) -> Result<Option<StoredOperator>, LedgerError> {
        Ok(read!(self, conn => sqlx::query_as(BY_SUBJECT).bind(subject).fetch_optional(conn).await?))
    }

    /// Operators in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn operators(&self, after: &str, rows: u32) -> Result<Vec<StoredOperator>, LedgerError> {
        let rows = i64::from(rows);
        Ok(read!(self, conn => sqlx::query_as(PAGE).bind(after).bind(rows).fetch_all(conn).await?))
    }

    /// Changes an operator's password, roles or status.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn change_operator<E>(
        &self,
        id: &str,
        now: UnixMillis,
        by: &Actor,
        change: impl FnOnce(&mut StoredOperator) -> Result<(), E>,
    ) -> Result<Changed<StoredOperator, E>, LedgerError> {
        transact!(self, conn => {
            let found: Option<StoredOperator> = sqlx::query_as(TAKE_ONE).bind(id).fetch_optional(&mut *conn).await?;
            let Some(old) = found else {
                return Ok(Changed::Missing);
            };
            let mut new = old.clone();
            if let Err(refused) = change(&mut new) {
                return Ok(Changed::Refused(refused));
            }
            new.updated_at = number(now.0);
            new.version = old.version.saturating_add(1);
            sqlx::query(UPDATE)
                .bind(id)
                .bind(&new.password_hash)
                .bind(&new.roles)
                .bind(&new.status)
                .bind(new.updated_at)
                .bind(new.version)
                .execute(&mut *conn)
                .await?;
            let entry = AuditEntry::change(now, by, "operator.edit", id)
                .before(old.audited())
                .after(new.audited_since(&old));
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(new)))
        })
    }

    /// Deletes an operator, with their tokens; their sessions end.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn delete_operator<E>(
        &self,
        id: &str,
        now: UnixMillis,
        by: &Actor,
        may: impl FnOnce(&StoredOperator) -> Result<(), E>,
    ) -> Result<Changed<StoredOperator, E>, LedgerError> {
        transact!(self, conn => {
            let found: Option<StoredOperator> = sqlx::query_as(TAKE_ONE).bind(id).fetch_optional(&mut *conn).await?;
            let Some(old) = found else {
                return Ok(Changed::Missing);
            };
            if let Err(refused) = may(&old) {
                return Ok(Changed::Refused(refused));
            }
            sqlx::query(DELETE).bind(id).execute(&mut *conn).await?;
            let entry = AuditEntry::change(now, by, "operator.delete", id).before(old.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(old)))
        })
    }
}

// === impl StoredOperator ===

impl StoredOperator {
    /// Whether they may do anything.
    pub fn is_active(&self) -> bool {
        self.status == "active"
    }

    fn audited(&self) -> serde_json::Value {
        json!({
            "name": self.name, "roles": self.roles.0, "status": self.status,
            "has_password": self.password_hash.is_some(),
        })
    }

    fn audited_since(&self, old: &Self) -> serde_json::Value {
        let mut audited = self.audited();
        if self.password_hash != old.password_hash
            && let Some(fields) = audited.as_object_mut()
        {
            fields.insert("password_changed".to_owned(), json!(true));
        }
        audited
    }
}
