//! Tokens of the admin API, for programs. The secret itself is nowhere.

use serde_json::{Value, json};
use sqlx::QueryBuilder;
use sqlx::types::Json;
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::{Ledger, LedgerError, Workspaces, number};
use crate::access::Scope;
use crate::principal::Role;

/// How exactly it is known when a token was used last, in milliseconds: no write for each request.
const USED_EVERY_MS: i64 = 60_000;

const INSERT: &str = "INSERT INTO api_tokens (id, sha256, prefix, name, workspace, role, scopes, operator_id, \
    expires_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const BY_ID: &str = "SELECT * FROM api_tokens WHERE id = $1";
const BY_HASH: &str = "SELECT * FROM api_tokens WHERE sha256 = $1";
const REVOKE: &str = "UPDATE api_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
const USED: &str = "UPDATE api_tokens SET last_used_at = $2 \
    WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2 - $3)";

/// A token as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct StoredToken {
    /// Stable id, a ULID after `tok_`.
    pub id: String,
    /// SHA-256 of the secret.
    pub sha256: Vec<u8>,
    /// The secret's first characters, to recognise it by.
    pub prefix: String,
    /// What people call it.
    pub name: String,
    /// Where it may do something; none for everywhere.
    pub workspace: Option<String>,
    /// What it may do there.
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// What it may do at all; none for whatever the role may.
    pub scopes: Option<Json<Vec<Scope>>>,
    /// Who made it, and can no more than they; none for the admin token.
    pub operator_id: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub expires_at: Option<i64>,
    /// Milliseconds since the Unix epoch, to the minute.
    pub last_used_at: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub revoked_at: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
}

/// A role that a newer program wrote.
#[derive(Debug, thiserror::Error)]
#[error("unknown role {0:?}")]
pub struct UnknownRole(String);

// === impl Ledger ===

impl Ledger {
    /// Adds a token.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn insert_token(&self, new: &StoredToken, by: &Actor) -> Result<(), LedgerError> {
        let now = UnixMillis(u64::try_from(new.created_at).unwrap_or(0));
        transact!(self, conn => {
            sqlx::query(INSERT)
                .bind(&new.id)
                .bind(&new.sha256)
                .bind(&new.prefix)
                .bind(&new.name)
                .bind(&new.workspace)
                .bind(new.role.as_str())
                .bind(&new.scopes)
                .bind(&new.operator_id)
                .bind(new.expires_at)
                .bind(new.created_at)
                .execute(&mut *conn)
                .await?;
            let entry = AuditEntry::change(now, by, "token.create", &new.id)
                .of(new.workspace.as_deref())
                .after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(())
    }

    /// The token with this id.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn token(&self, id: &str) -> Result<Option<StoredToken>, LedgerError> {
        Ok(read!(self, conn => sqlx::query_as(BY_ID).bind(id).fetch_optional(conn).await?))
    }

    /// The token with this hash.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn token_by_hash(&self, sha256: &[u8; 32]) -> Result<Option<StoredToken>, LedgerError> {
        Ok(read!(self, conn => sqlx::query_as(BY_HASH).bind(sha256.as_slice()).fetch_optional(conn).await?))
    }

    /// Tokens in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn tokens(
        &self,
        workspaces: &Workspaces,
        after: &str,
        rows: u32,
    ) -> Result<Vec<StoredToken>, LedgerError> {
        Ok(read!(self, conn => {
            let mut select = QueryBuilder::new("SELECT * FROM api_tokens WHERE id > ");
            select.push_bind(after);
            push_within!(select, workspaces);
            select.push(" ORDER BY id LIMIT ").push_bind(i64::from(rows));
            select.build_query_as().fetch_all(conn).await?
        }))
    }

    /// Revokes a token, for good; false where it was before.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn revoke_token(
        &self,
        token: &StoredToken,
        now: UnixMillis,
        by: &Actor,
    ) -> Result<bool, LedgerError> {
        transact!(self, conn => {
            let revoked = sqlx::query(REVOKE).bind(&token.id).bind(number(now.0)).execute(&mut *conn).await?;
            if revoked.rows_affected() == 0 {
                return Ok(false);
            }
            let entry = AuditEntry::change(now, by, "token.revoke", &token.id)
                .of(token.workspace.as_deref())
                .before(token.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(true)
    }

    /// Notes that a token was used, to the minute.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn use_token(&self, token: &StoredToken, now: UnixMillis) -> Result<(), LedgerError> {
        let now = number(now.0);
        if token.last_used_at.is_some_and(|last| last > now - USED_EVERY_MS) {
            return Ok(());
        }
        transact!(self, conn => {
            sqlx::query(USED).bind(&token.id).bind(now).bind(USED_EVERY_MS).execute(&mut *conn).await?;
        });
        Ok(())
    }
}

// === impl StoredToken ===

impl StoredToken {
    /// Whether it may still be used.
    pub fn is_good(&self, now: UnixMillis) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > number(now.0))
    }

    fn audited(&self) -> Value {
        json!({
            "name": self.name, "prefix": self.prefix, "workspace": self.workspace, "role": self.role,
            "scopes": self.scopes.as_ref().map(|scopes| &scopes.0), "expires_at_ms": self.expires_at,
        })
    }
}

// === impl Role ===

impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(text: String) -> Result<Self, UnknownRole> {
        [Self::Viewer, Self::Member, Self::Admin, Self::Owner]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownRole(text))
    }
}
