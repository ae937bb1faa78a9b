//! Keys in the ledger. Every change takes the next version in its own transaction: the feed for gateways.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::QueryBuilder;
use sqlx::types::Json;
use tollgate_core::key::{KeyHash, KeyRecord, KeyStatus};
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::change::Changed;
use super::key_status::Status;
use super::moderation_policies::{ModerationRows, PolicyDeleted};
use super::secrets::{RetiredSecret, SecretRows};
use super::seen::{Seen, SeenRows};
use super::{Counter, LAST, Ledger, LedgerError, TAKE, Workspaces};
use crate::moderation::spec::PolicySpec;

/// Keys in one answer to a gateway that asks for changes.
const CHANGES_PAGE: usize = 1000;

const INSERT: &str = "INSERT INTO keys (id, sha256, prefix, name, workspace, user_id, models, expires_at, status, \
    moderation, environment, created_at, updated_at, version) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (sha256) DO NOTHING";
const UPDATE: &str = "UPDATE keys SET name = $2, models = $3, expires_at = $4, status = $5, moderation = $6, \
    updated_at = $7, version = $8, sha256 = $9, prefix = $10 WHERE id = $1";
/// With what gateways must know of its workspace and its user.
const HELD: &str = "SELECT k.*, \
    (SELECT moderation FROM workspaces w WHERE w.workspace = k.workspace) AS workspace_moderation, \
    (EXISTS (SELECT 1 FROM workspaces w WHERE w.workspace = k.workspace AND w.status = 'paused') \
        OR EXISTS (SELECT 1 FROM users u WHERE u.workspace = k.workspace AND u.name = k.user_id AND u.status = 'paused') \
    ) AS is_held";
/// And with what other tables know of its use.
const USED: &str = ", (SELECT time FROM events WHERE key_id = k.id ORDER BY seq DESC LIMIT 1) AS last_used_at, \
    (SELECT MAX(retires_at) FROM retired_secrets WHERE key_id = k.id) AS previous_until";
const FROM: &str = " FROM keys k WHERE ";
const BY_ID: &str = "SELECT * FROM keys WHERE id = $1";

/// A key as the ledger keeps it. The secret itself is nowhere.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct StoredKey {
    /// Stable id, a ULID after `key_`: ids sort by the time of creation.
    pub id: String,
    /// SHA-256 of the secret.
    pub sha256: Vec<u8>,
    /// The secret's first 12 characters, to recognise it by.
    pub prefix: String,
    /// What people call it.
    pub name: String,
    /// What it belongs to.
    pub workspace: String,
    /// The person or service behind it.
    #[sqlx(rename = "user_id")]
    pub user: Option<String>,
    /// Models it may call, as globs; empty means all.
    pub models: Json<Vec<String>>,
    /// Milliseconds since the Unix epoch.
    pub expires_at: Option<i64>,
    /// Whether it may be used.
    #[sqlx(try_from = "String")]
    pub status: Status,
    /// The moderation policy bound to it, by name.
    pub moderation: Option<String>,
    /// `live` or `test`.
    pub environment: String,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    pub updated_at: i64,
    /// Of the last change.
    pub version: i64,
    /// Milliseconds since the Unix epoch: the last event of it, where that was asked for.
    #[sqlx(default)]
    pub last_used_at: Option<i64>,
    /// Milliseconds since the Unix epoch: until when the secret before this one works, or worked, where that was asked
    /// for. A change that replaces the secret sets it.
    #[sqlx(default)]
    pub previous_until: Option<i64>,
    /// Whether its workspace, or its user, is paused, where that was asked for.
    #[sqlx(default)]
    pub is_held: bool,
    /// The moderation policy of its workspace, where that was asked for.
    #[sqlx(default)]
    pub workspace_moderation: Option<String>,
}

/// What adding keys came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// They are there.
    Done,
    /// Nothing happened: the secret of this one is another key's.
    SecretTaken(usize),
    /// Nothing happened: one of them names this policy.
    PolicyDeleted(PolicyDeleted),
}

/// Keys that changed, oldest change first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChangedKeys {
    /// The version to ask after next time.
    pub version: i64,
    /// The keys as they are now.
    pub keys: Vec<StoredKey>,
    /// Their secrets that were replaced, not longer ago than gateways remember them.
    pub retired: Vec<RetiredSecret>,
    /// Whether there is more.
    pub more: bool,
}

// === impl Ledger ===

impl Ledger {
    /// Adds keys, all or none; their versions are chosen here, whatever they say. The policies that they name are
    /// `declared` by the configuration, or made.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn insert_keys(
        &self,
        keys: &[StoredKey],
        declared: &BTreeMap<String, PolicySpec>,
        by: &Actor,
        action: &'static str,
    ) -> Result<Inserted, LedgerError> {
        let count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        let chosen = keys.iter().filter_map(|key| key.moderation.as_deref()).collect();
        transact!(self, conn => {
            let last: i64 = sqlx::query_scalar(TAKE)
                .bind(count)
                .bind(Counter::KeyVersion.name())
                .fetch_one(&mut *conn)
                .await?;
            if let Some(deleted) = ModerationRows::deleted(&mut *conn, &chosen, declared).await? {
                return Ok(Inserted::PolicyDeleted(deleted));
            }
            let mut version = last - count;
            let mut seen = Seen::default();
            let mut entries = Vec::with_capacity(keys.len());
            for (index, key) in keys.iter().enumerate() {
                seen.name(&key.workspace, key.user.as_deref());
                version += 1;
                let inserted = sqlx::query(INSERT)
                    .bind(&key.id)
                    .bind(&key.sha256)
                    .bind(&key.prefix)
                    .bind(&key.name)
                    .bind(&key.workspace)
                    .bind(&key.user)
                    .bind(&key.models)
                    .bind(key.expires_at)
                    .bind(key.status.as_str())
                    .bind(&key.moderation)
                    .bind(&key.environment)
                    .bind(key.created_at)
                    .bind(key.updated_at)
                    .bind(version)
                    .execute(&mut *conn)
                    .await?;
                if inserted.rows_affected() == 0 || SecretRows::is_retired(&mut *conn, &key.sha256).await? {
                    return Ok(Inserted::SecretTaken(index));
                }
                let now = UnixMillis(u64::try_from(key.created_at).unwrap_or(0));
                let entry = AuditEntry::change(now, by, action, &key.id);
                entries.push(entry.of(Some(&key.workspace)).after(key.audited()));
            }
            let now = entries.first().map_or(UnixMillis(0), |entry| entry.time);
            SeenRows::note_seen(&mut *conn, &seen, now).await?;
            AuditRows::add_audit(&mut *conn, &entries).await?;
        });
        Ok(Inserted::Done)
    }

    /// The key with this hash: one indexed read.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn key_by_hash(&self, hash: &KeyHash) -> Result<Option<StoredKey>, LedgerError> {
        Ok(read!(self, conn => {
            let mut select = QueryBuilder::new(HELD);
            select.push(FROM).push("sha256 = ").push_bind(hash.0.as_slice());
            select.build_query_as().fetch_optional(conn).await?
        }))
    }

    /// The key with this id, whole.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn key(&self, id: &str) -> Result<Option<StoredKey>, LedgerError> {
        Ok(read!(self, conn => {
            let mut select = QueryBuilder::new(HELD);
            select.push(USED).push(FROM).push("id = ").push_bind(id);
            select.build_query_as().fetch_optional(conn).await?
        }))
    }

    /// Keys in the order of their ids, after one of them, whole.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn keys(
        &self,
        workspaces: &Workspaces,
        after: &str,
        rows: u32,
    ) -> Result<Vec<StoredKey>, LedgerError> {
        Ok(read!(self, conn => {
            let mut select = QueryBuilder::new(HELD);
            select.push(USED).push(FROM).push("id > ").push_bind(after);
            push_within!(select, workspaces);
            select.push(" ORDER BY id LIMIT ").push_bind(i64::from(rows));
            select.build_query_as().fetch_all(conn).await?
        }))
    }

    /// Changes a key. A change that leaves the key as it was takes no version. A policy that it is given is `declared` by
    /// the configuration, or made.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn change_key<E: From<PolicyDeleted>>(
        &self,
        id: &str,
        now: Timestamp,
        declared: &BTreeMap<String, PolicySpec>,
        by: &Actor,
        action: &'static str,
        change: impl FnOnce(&mut StoredKey) -> Result<(), E>,
    ) -> Result<Changed<StoredKey, E>, LedgerError> {
        transact!(self, conn => {
            // First of all the version: its row is the lock that makes reading and writing the key one step.
            let version: i64 = sqlx::query_scalar(TAKE)
                .bind(1_i64)
                .bind(Counter::KeyVersion.name())
                .fetch_one(&mut *conn)
                .await?;
            let found: Option<StoredKey> = sqlx::query_as(BY_ID).bind(id).fetch_optional(&mut *conn).await?;
            let Some(old) = found else {
                return Ok(Changed::Missing);
            };
            let mut new = old.clone();
            if let Err(refused) = change(&mut new) {
                return Ok(Changed::Refused(refused));
            }
            if new == old {
                return Ok(Changed::Done(Box::new(old)));
            }
            if new.moderation != old.moderation {
                let chosen = new.moderation.as_deref().into_iter().collect();
                if let Some(deleted) = ModerationRows::deleted(&mut *conn, &chosen, declared).await? {
                    return Ok(Changed::Refused(deleted.into()));
                }
            }
            new.version = version;
            new.updated_at = now.as_millisecond();
            sqlx::query(UPDATE)
                .bind(id)
                .bind(&new.name)
                .bind(&new.models)
                .bind(new.expires_at)
                .bind(new.status.as_str())
                .bind(&new.moderation)
                .bind(new.updated_at)
                .bind(new.version)
                .bind(&new.sha256)
                .bind(&new.prefix)
                .execute(&mut *conn)
                .await?;
            if new.sha256 != old.sha256 {
                let until = new.previous_until.unwrap_or(new.updated_at);
                SecretRows::retire(&mut *conn, &old, until, new.updated_at).await?;
            }
            let entry = AuditEntry::change(now.into(), by, action, id)
                .of(Some(&new.workspace))
                .before(old.audited())
                .after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(new)))
        })
    }

    /// Keys that changed after a version, oldest change first; without a version, the current one and no keys.
    ///
    /// A version from the future means that the ledger was restored from an earlier copy: everything has
    /// then changed.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn key_changes(&self, after: Option<u64>) -> Result<ChangedKeys, LedgerError> {
        let last: i64 = read!(self, conn => {
            sqlx::query_scalar(LAST).bind(Counter::KeyVersion.name()).fetch_one(conn).await?
        });
        let Some(after) = after else {
            return Ok(ChangedKeys {
                version: last,
                ..ChangedKeys::default()
            });
        };
        let after = i64::try_from(after)
            .ok()
            .filter(|after| *after <= last)
            .unwrap_or(0);
        let rows = i64::try_from(CHANGES_PAGE).unwrap_or(i64::MAX).saturating_add(1);
        let mut keys: Vec<StoredKey> = read!(self, conn => {
            let mut select = QueryBuilder::new(HELD);
            select.push(FROM).push("version > ").push_bind(after);
            select.push(" ORDER BY version LIMIT ").push_bind(rows);
            select.build_query_as().fetch_all(conn).await?
        });
        let more = keys.len() > CHANGES_PAGE;
        keys.truncate(CHANGES_PAGE);
        let version = keys.last().map_or(after, |key| key.version);
        let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
        let retired = read!(self, conn => SecretRows::retired_of(conn, &ids).await?);
        Ok(ChangedKeys {
            version,
            keys,
            retired,
            more,
        })
    }
}

// === impl StoredKey ===

impl StoredKey {
    /// As the audit log tells of it.
    fn audited(&self) -> Value {
        json!({
            "prefix": self.prefix, "name": self.name, "workspace": self.workspace, "user": self.user,
            "models": self.models.0, "expires_at_ms": self.expires_at, "status": self.status.as_str(),
            "moderation": self.moderation, "environment": self.environment,
        })
    }

    /// The key as gateways cache it by a secret that was replaced.
    pub fn record_of(self, retired: &RetiredSecret) -> Option<KeyRecord> {
        let sha256 = KeyHash(retired.sha256.as_slice().try_into().ok()?);
        let retires_at_ms = Some(UnixMillis(u64::try_from(retired.retires_at).unwrap_or(0)));
        self.record().map(|record| KeyRecord {
            sha256,
            retires_at_ms,
            ..record
        })
    }

    /// The key as gateways cache it. None where its hash is no SHA-256, which no statement here writes.
    pub fn record(self) -> Option<KeyRecord> {
        Some(KeyRecord {
            id: self.id,
            sha256: KeyHash(self.sha256.try_into().ok()?),
            workspace: self.workspace,
            user: self.user,
            models: self.models.0,
            expires_at_ms: self
                .expires_at
                .map(|ms| UnixMillis(u64::try_from(ms).unwrap_or(0))),
            retires_at_ms: None,
            status: match self.status.0 {
                KeyStatus::Active if self.is_held => KeyStatus::Paused,
                status => status,
            },
            moderation: self.moderation.or(self.workspace_moderation),
        })
    }
}
