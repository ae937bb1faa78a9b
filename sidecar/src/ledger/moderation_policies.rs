//! Moderation policies that operators made. Every change takes the next version of all of them, by which sidecars know
//! that those which they have compiled are old.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::feed::FeedRows;
use super::{Counter, LAST, Ledger, LedgerError, TAKE, number};
use crate::moderation::spec::PolicySpec;

const INSERT: &str = "INSERT INTO moderation_policies (name, spec, created_at, updated_at, version) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
const UPDATE: &str =
    "UPDATE moderation_policies SET spec = $2, updated_at = $3, version = $4 WHERE name = $1";
const DELETE: &str = "DELETE FROM moderation_policies WHERE name = $1";
const BY_NAME: &str = "SELECT * FROM moderation_policies WHERE name = $1";
const ALL: &str = "SELECT * FROM moderation_policies ORDER BY name";
const KEYS: &str = "SELECT COUNT(*) FROM keys WHERE moderation = $1 AND status <> 'revoked'";
const WORKSPACES: &str = "SELECT COUNT(*) FROM workspaces WHERE moderation = $1";

/// A policy as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredPolicy {
    /// Unique, and never changed: keys and workspaces choose it by it.
    pub name: String,
    /// JSON of a [`PolicySpec`].
    pub spec: String,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    pub updated_at: i64,
    /// Of all policies, at its last change.
    pub version: i64,
}

/// What a change to a policy came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed<E> {
    /// The policy as it is now, or was when it was deleted.
    Done(Box<StoredPolicy>),
    /// There is no such policy.
    NoSuchPolicy,
    /// It cannot be deleted, because so many have it.
    InUse {
        /// Keys that are not revoked.
        keys: i64,
        /// Workspaces.
        workspaces: i64,
    },
    /// The change was refused, and nothing happened.
    Refused(E),
}

/// A policy that a key, or a workspace, is given was deleted meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the moderation policy {0:?} was deleted meanwhile: choose another")]
pub struct PolicyDeleted(pub String);

on_engines! {
    /// Statements on moderation policies.
    pub(super) trait ModerationRows {
        /// The next version of all policies. Its row is the lock that makes a change one step.
        async fn take_version(conn) -> i64 {
            let version: i64 = sqlx::query_scalar(TAKE)
                .bind(1_i64)
                .bind(Counter::ModerationVersion.name())
                .fetch_one(conn)
                .await?;
            Ok(version)
        }

        async fn find(conn, name: &str) -> Option<StoredPolicy> {
            Ok(sqlx::query_as(BY_NAME).bind(name).fetch_optional(conn).await?)
        }

        /// One of these policies that is neither among those of the configuration nor among those that were made. The
        /// transaction has begun with [`FeedRows::lock`], under which policies are deleted: the others stay until it ends.
        async fn deleted(conn, chosen: &BTreeSet<&str>, declared: &BTreeMap<String, PolicySpec>) -> Option<PolicyDeleted> {
            for name in chosen {
                if !declared.contains_key(*name) && Self::find(&mut *conn, name).await?.is_none() {
                    return Ok(Some(PolicyDeleted((*name).to_owned())));
                }
            }
            Ok(None)
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// The version of all policies; 0 where none was ever made.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn moderation_version(&self) -> Result<i64, LedgerError> {
        Ok(read!(self, conn => {
            sqlx::query_scalar(LAST).bind(Counter::ModerationVersion.name()).fetch_one(conn).await?
        }))
    }

    /// All policies, by name, and their version of that moment.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn moderation_policies(&self) -> Result<(i64, Vec<StoredPolicy>), LedgerError> {
        snapshot!(self, conn => {
            let version: i64 =
                sqlx::query_scalar(LAST).bind(Counter::ModerationVersion.name()).fetch_one(&mut *conn).await?;
            let all: Vec<StoredPolicy> = sqlx::query_as(ALL).fetch_all(&mut *conn).await?;
            Ok((version, all))
        })
    }

    /// Adds a policy, whose version is chosen here; false where the name is taken.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn insert_moderation_policy(
        &self,
        new: &StoredPolicy,
        now: UnixMillis,
        by: &Actor,
    ) -> Result<bool, LedgerError> {
        transact!(self, conn => {
            let version = ModerationRows::take_version(&mut *conn).await?;
            let inserted = sqlx::query(INSERT)
                .bind(&new.name)
                .bind(&new.spec)
                .bind(new.created_at)
                .bind(new.updated_at)
                .bind(version)
                .execute(&mut *conn)
                .await?;
            if inserted.rows_affected() == 0 {
                return Ok(false);
            }
            let entry = AuditEntry::change(now, by, "moderation_policy.create", &new.name).after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(true)
    }

    /// Changes a policy. A change that leaves it as it was takes no version.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn change_moderation_policy<E>(
        &self,
        name: &str,
        now: UnixMillis,
        by: &Actor,
        change: impl FnOnce(&mut StoredPolicy) -> Result<(), E>,
    ) -> Result<Changed<E>, LedgerError> {
        transact!(self, conn => {
            let version = ModerationRows::take_version(&mut *conn).await?;
            let Some(old) = ModerationRows::find(&mut *conn, name).await? else {
                return Ok(Changed::NoSuchPolicy);
            };
            let mut new = old.clone();
            if let Err(refused) = change(&mut new) {
                return Ok(Changed::Refused(refused));
            }
            if new == old {
                return Ok(Changed::Done(Box::new(old)));
            }
            new.updated_at = number(now.0);
            new.version = version;
            sqlx::query(UPDATE)
                .bind(name)
                .bind(&new.spec)
                .bind(new.updated_at)
                .bind(new.version)
                .execute(&mut *conn)
                .await?;
            let entry = AuditEntry::change(now, by, "moderation_policy.edit", name)
                .before(old.audited())
                .after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(new)))
        })
    }

    /// Deletes a policy that no key and no workspace has.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn delete_moderation_policy<E>(
        &self,
        name: &str,
        now: UnixMillis,
        by: &Actor,
        may: impl FnOnce(&StoredPolicy) -> Result<(), E>,
    ) -> Result<Changed<E>, LedgerError> {
        transact!(self, conn => {
            // Keys and workspaces are given policies under this lock.
            FeedRows::lock(&mut *conn).await?;
            ModerationRows::take_version(&mut *conn).await?;
            let Some(old) = ModerationRows::find(&mut *conn, name).await? else {
                return Ok(Changed::NoSuchPolicy);
            };
            if let Err(refused) = may(&old) {
                return Ok(Changed::Refused(refused));
            }
            let keys: i64 = sqlx::query_scalar(KEYS).bind(name).fetch_one(&mut *conn).await?;
            let workspaces: i64 = sqlx::query_scalar(WORKSPACES).bind(name).fetch_one(&mut *conn).await?;
            if keys + workspaces > 0 {
                return Ok(Changed::InUse { keys, workspaces });
            }
            sqlx::query(DELETE).bind(name).execute(&mut *conn).await?;
            let entry = AuditEntry::change(now, by, "moderation_policy.delete", name).before(old.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(old)))
        })
    }
}

// === impl StoredPolicy ===

impl StoredPolicy {
    fn audited(&self) -> Value {
        json!({ "policy": serde_json::from_str::<Value>(&self.spec).unwrap_or_default() })
    }
}
