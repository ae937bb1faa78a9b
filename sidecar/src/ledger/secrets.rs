//! Secrets of keys that were replaced: each works until its grace is over. Then gateways refuse it by what they know of
//! it, and nobody need tell them that it is over.

use sqlx::QueryBuilder;
use tollgate_core::key::KeyHash;

use super::keys::StoredKey;
use super::{Ledger, LedgerError};

/// For so long gateways may remember a secret (`key_cache.keep`, and a margin), in milliseconds.
const REMEMBERED_MS: i64 = 7 * 86_400_000;

/// None that was replaced before outlives the one that is replaced now.
const SHORTEN: &str = "UPDATE retired_secrets SET retires_at = $2 WHERE key_id = $1 AND retires_at > $2";
const FORGET: &str = "DELETE FROM retired_secrets WHERE key_id = $1 AND retires_at < $2";
const INSERT: &str =
    "INSERT INTO retired_secrets (sha256, key_id, prefix, retires_at) VALUES ($1, $2, $3, $4)";
const BY_HASH: &str = "SELECT * FROM retired_secrets WHERE sha256 = $1";

/// A secret that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RetiredSecret {
    /// SHA-256 of it.
    pub sha256: Vec<u8>,
    /// Of which key.
    pub key_id: String,
    /// Its first 12 characters.
    pub prefix: String,
    /// From when on it is unknown: milliseconds since the Unix epoch.
    pub retires_at: i64,
}

on_engines! {
    /// Statements on `retired_secrets`.
    pub(super) trait SecretRows {
        /// Has the secret of a key, as it was, work until then.
        async fn retire(conn, old: &StoredKey, retires_at: i64, now: i64) -> () {
            sqlx::query(SHORTEN).bind(&old.id).bind(retires_at).execute(&mut *conn).await?;
            let forgotten = now.saturating_sub(REMEMBERED_MS);
            sqlx::query(FORGET).bind(&old.id).bind(forgotten).execute(&mut *conn).await?;
            sqlx::query(INSERT)
                .bind(&old.sha256)
                .bind(&old.id)
                .bind(&old.prefix)
                .bind(retires_at)
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn is_retired(conn, sha256: &[u8]) -> bool {
            let found: Option<RetiredSecret> = sqlx::query_as(BY_HASH).bind(sha256).fetch_optional(conn).await?;
            Ok(found.is_some())
        }

        async fn retired_of(conn, keys: &[&str]) -> Vec<RetiredSecret> {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let mut select = QueryBuilder::new("SELECT * FROM retired_secrets WHERE key_id IN ");
            push_in!(select, keys.iter().copied());
            Ok(select.build_query_as().fetch_all(conn).await?)
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// The secret with this hash, where it was replaced.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn retired_secret(&self, hash: &KeyHash) -> Result<Option<RetiredSecret>, LedgerError> {
        Ok(read!(self, conn => sqlx::query_as(BY_HASH).bind(hash.0.as_slice()).fetch_optional(conn).await?))
    }
}
