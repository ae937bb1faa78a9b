//! Workspaces: those that an operator made, and those that keys, budgets and events name; and whose things a page
//! shows.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::QueryBuilder;
use tollgate_core::policy::Paused;
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::feed::FeedRows;
use super::moderation_policies::{ModerationRows, PolicyDeleted};
use super::policy::PolicyRows;
use super::rollups::Dimension;
use super::rollups::spend::SpendRows;
use super::{Ledger, LedgerError, number};
use crate::moderation::spec::PolicySpec;

const INSERT: &str = "INSERT INTO workspaces (workspace, display_name, status, moderation, created_at, updated_at, version) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
const BY_NAME: &str = "SELECT * FROM workspaces WHERE workspace = $1";
/// Changes nothing, and locks the row until the transaction ends: who names the workspace meanwhile waits.
const TAKE_ONE: &str = "UPDATE workspaces SET version = version WHERE workspace = $1 RETURNING *";
const UPDATE: &str = "UPDATE workspaces SET display_name = $2, status = $3, moderation = $4, updated_at = $5, version = $6 \
    WHERE workspace = $1";
const DELETE: &str = "DELETE FROM workspaces WHERE workspace = $1";
const DELETE_USERS: &str = "DELETE FROM users WHERE workspace = $1";
const HAS_KEYS: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM keys WHERE workspace = $1 LIMIT 1) AS one";
const HAS_EVENTS: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE workspace = $1 LIMIT 1) AS one";
const HAS_BUDGETS: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM budgets WHERE workspace = $1 AND archived_at IS NULL LIMIT 1) AS one";

/// All workspaces, or some by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workspaces {
    /// All, and what is of none.
    All,
    /// Only what is of these.
    Only(Vec<String>),
}

/// A workspace as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredWorkspace {
    /// What keys and events name it by: never changed.
    pub workspace: String,
    /// What people call it.
    pub display_name: Option<String>,
    /// `active` or `paused`: then all that is its is refused, whoever lets it in.
    pub status: String,
    /// The moderation policy of its keys that name none themselves; none for the one of the sidecar's configuration.
    pub moderation: Option<String>,
    /// Milliseconds since the Unix epoch: of its first event.
    pub first_seen_at: Option<i64>,
    /// Milliseconds since the Unix epoch: of its last event.
    pub last_seen_at: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    pub updated_at: i64,
    /// One more with each change of an operator.
    pub version: i64,
}

/// What adding a workspace came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// It is there.
    Done,
    /// It was there already.
    Taken,
    /// Nothing happened: it names this policy.
    PolicyDeleted(PolicyDeleted),
}

/// What a change to a workspace came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed<E> {
    /// The workspace as it is now, or was when it was deleted.
    Done(Box<StoredWorkspace>),
    /// There is no such workspace.
    NoSuchWorkspace,
    /// It cannot be deleted, because there are some of these.
    InUse(&'static str),
    /// The change was refused, and nothing happened.
    Refused(E),
}

/// Narrows a SELECT to workspaces, where its conditions go on.
macro_rules! push_within {
    ($select:expr, $workspaces:expr) => {
        match $workspaces {
            $crate::ledger::Workspaces::All => {}
            // An empty list is no SQL.
            $crate::ledger::Workspaces::Only(names) if names.is_empty() => {
                $select.push(" AND 1 = 0");
            }
            $crate::ledger::Workspaces::Only(names) => {
                $select.push(" AND workspace IN ");
                push_in!($select, names);
            }
        }
    };
}

// === impl Ledger ===

impl Ledger {
    /// Adds a workspace. The policy that it names is `declared` by the configuration, or made.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn insert_workspace(
        &self,
        new: &StoredWorkspace,
        declared: &BTreeMap<String, PolicySpec>,
        by: &Actor,
    ) -> Result<Inserted, LedgerError> {
        self.catch_up_to_read().await?;
        let now = UnixMillis(u64::try_from(new.created_at).unwrap_or(0));
        let chosen = new.moderation.as_deref().into_iter().collect();
        transact!(self, conn => {
            FeedRows::lock(&mut *conn).await?;
            if let Some(deleted) = ModerationRows::deleted(&mut *conn, &chosen, declared).await? {
                return Ok(Inserted::PolicyDeleted(deleted));
            }
            let inserted = sqlx::query(INSERT)
                .bind(&new.workspace)
                .bind(&new.display_name)
                .bind(&new.status)
                .bind(&new.moderation)
                .bind(new.created_at)
                .bind(new.updated_at)
                .bind(new.version)
                .execute(&mut *conn)
                .await?;
            if inserted.rows_affected() == 0 {
                return Ok(Inserted::Taken);
            }
            let entry = AuditEntry::change(now, by, "workspace.create", &new.workspace)
                .of(Some(&new.workspace))
                .after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(Inserted::Done)
    }

    /// The workspace of this name.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn workspace(&self, name: &str) -> Result<Option<StoredWorkspace>, LedgerError> {
        self.catch_up_to_read().await?;
        Ok(read!(self, conn => sqlx::query_as(BY_NAME).bind(name).fetch_optional(conn).await?))
    }

    /// Workspaces in the order of their names, after one of them.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn workspaces(
        &self,
        among: &Workspaces,
        after: &str,
        rows: u32,
    ) -> Result<Vec<StoredWorkspace>, LedgerError> {
        self.catch_up_to_read().await?;
        Ok(read!(self, conn => {
            let mut select = QueryBuilder::new("SELECT * FROM workspaces WHERE workspace > ");
            select.push_bind(after);
            push_within!(select, among);
            select.push(" ORDER BY workspace LIMIT ").push_bind(i64::from(rows));
            select.build_query_as().fetch_all(conn).await?
        }))
    }

    /// What each of these workspaces has spent since a day began, in nano-dollars, in their order.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn spend_of_workspaces(&self, names: &[&str], since: i64) -> Result<Vec<u64>, LedgerError> {
        self.catch_up_to_read().await?;
        let groups: Vec<(&str, &str)> = names.iter().map(|name| ("", *name)).collect();
        read!(self, conn => SpendRows::spend(conn, Dimension::Workspace, &groups, since).await)
    }

    /// Changes a workspace. One that pauses it, resumes it, or gives it another moderation policy, has gateways told of
    /// its keys again; of all who are paused too, where that changes, which `fits` is asked of. A change that leaves it
    /// as it was is none. A policy that it is given is `declared` by the configuration, or made.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn change_workspace<E: From<PolicyDeleted>>(
        &self,
        name: &str,
        now: UnixMillis,
        declared: &BTreeMap<String, PolicySpec>,
        by: &Actor,
        change: impl FnOnce(&mut StoredWorkspace) -> Result<(), E>,
        fits: impl FnOnce(&Paused) -> Result<(), E>,
    ) -> Result<Changed<E>, LedgerError> {
        self.catch_up_to_read().await?;
        transact!(self, conn => {
            FeedRows::lock(&mut *conn).await?;
            let found: Option<StoredWorkspace> =
                sqlx::query_as(TAKE_ONE).bind(name).fetch_optional(&mut *conn).await?;
            let Some(old) = found else {
                return Ok(Changed::NoSuchWorkspace);
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
            new.updated_at = number(now.0);
            new.version = old.version.saturating_add(1);
            sqlx::query(UPDATE)
                .bind(name)
                .bind(&new.display_name)
                .bind(&new.status)
                .bind(&new.moderation)
                .bind(new.updated_at)
                .bind(new.version)
                .execute(&mut *conn)
                .await?;
            if new.status != old.status || new.moderation != old.moderation {
                FeedRows::tell_again(&mut *conn, name, None).await?;
            }
            if new.status != old.status {
                PolicyRows::take_policy_version(&mut *conn).await?;
                if let Err(refused) = fits(&PolicyRows::paused(&mut *conn).await?) {
                    return Ok(Changed::Refused(refused));
                }
            }
            let entry = AuditEntry::change(now, by, "workspace.edit", name)
                .of(Some(name))
                .before(old.audited())
                .after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(new)))
        })
    }

    /// Deletes a workspace that has no keys, events or live budgets, with its users.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn delete_workspace<E>(
        &self,
        name: &str,
        now: UnixMillis,
        by: &Actor,
        may: impl FnOnce(&StoredWorkspace) -> Result<(), E>,
    ) -> Result<Changed<E>, LedgerError> {
        self.catch_up_to_read().await?;
        transact!(self, conn => {
            let found: Option<StoredWorkspace> =
                sqlx::query_as(TAKE_ONE).bind(name).fetch_optional(&mut *conn).await?;
            let Some(old) = found else {
                return Ok(Changed::NoSuchWorkspace);
            };
            if let Err(refused) = may(&old) {
                return Ok(Changed::Refused(refused));
            }
            for (what, select) in [("keys", HAS_KEYS), ("events", HAS_EVENTS), ("budgets", HAS_BUDGETS)] {
                let found: i64 = sqlx::query_scalar(select).bind(name).fetch_one(&mut *conn).await?;
                if found > 0 {
                    return Ok(Changed::InUse(what));
                }
            }
            sqlx::query(DELETE_USERS).bind(name).execute(&mut *conn).await?;
            sqlx::query(DELETE).bind(name).execute(&mut *conn).await?;
            // It may have been paused, or a user of it.
            PolicyRows::take_policy_version(&mut *conn).await?;
            let entry = AuditEntry::change(now, by, "workspace.delete", name)
                .of(Some(name))
                .before(old.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(old)))
        })
    }
}

// === impl StoredWorkspace ===

impl StoredWorkspace {
    fn audited(&self) -> serde_json::Value {
        json!({"display_name": self.display_name, "status": self.status, "moderation": self.moderation})
    }
}
