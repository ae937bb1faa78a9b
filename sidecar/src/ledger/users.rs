//! Users of workspaces: those that an operator made, and those that keys and events name.

use serde_json::json;
use sqlx::QueryBuilder;
use tollgate_core::policy::Paused;
use tollgate_core::time::UnixMillis;

use super::audit::{Actor, AuditEntry, AuditRows};
use super::change::Changed;
use super::feed::FeedRows;
use super::policy::PolicyRows;
use super::rollups::Dimension;
use super::rollups::spend::SpendRows;
use super::seen::{Seen, SeenRows};
use super::{Ledger, LedgerError, Workspaces, number};

const INSERT: &str = "INSERT INTO users (id, workspace, name, display_name, status, created_at, updated_at, version) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
const BY_ID: &str = "SELECT * FROM users WHERE id = $1";
/// Changes nothing, and locks the row until the transaction ends.
const TAKE_ONE: &str = "UPDATE users SET version = version WHERE id = $1 RETURNING *";
const UPDATE: &str =
    "UPDATE users SET display_name = $2, status = $3, updated_at = $4, version = $5 WHERE id = $1";

/// A user as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredUser {
    /// Stable id, behind `usr_`.
    pub id: String,
    /// Of which workspace.
    pub workspace: String,
    /// What keys and events name it by: unique in its workspace, and never changed.
    pub name: String,
    /// What people call it.
    pub display_name: Option<String>,
    /// `active` or `paused`: then it is refused, whoever lets it in.
    pub status: String,
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

// === impl Ledger ===

impl Ledger {
    /// Adds a user, and its workspace where that is new; false where the user is there already.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn insert_user(&self, new: &StoredUser, by: &Actor) -> Result<bool, LedgerError> {
        self.catch_up_to_read().await?;
        let now = UnixMillis(u64::try_from(new.created_at).unwrap_or(0));
        transact!(self, conn => {
            let mut seen = Seen::default();
            seen.name(&new.workspace, None);
            SeenRows::note_seen(&mut *conn, &seen, now).await?;
            let inserted = sqlx::query(INSERT)
                .bind(&new.id)
                .bind(&new.workspace)
                .bind(&new.name)
                .bind(&new.display_name)
                .bind(&new.status)
                .bind(new.created_at)
                .bind(new.updated_at)
                .bind(new.version)
                .execute(&mut *conn)
                .await?;
            if inserted.rows_affected() == 0 {
                return Ok(false);
            }
            let entry = AuditEntry::change(now, by, "user.create", &new.id)
                .of(Some(&new.workspace))
                .after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
        });
        Ok(true)
    }

    /// The user with this id.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn user(&self, id: &str) -> Result<Option<StoredUser>, LedgerError> {
        Ok(read!(self, conn => sqlx::query_as(BY_ID).bind(id).fetch_optional(conn).await?))
    }

    /// Users in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn users(
        &self,
        among: &Workspaces,
        after: &str,
        rows: u32,
    ) -> Result<Vec<StoredUser>, LedgerError> {
        self.catch_up_to_read().await?;
        Ok(read!(self, conn => {
            let mut select = QueryBuilder::new("SELECT * FROM users WHERE id > ");
            select.push_bind(after);
            push_within!(select, among);
            select.push(" ORDER BY id LIMIT ").push_bind(i64::from(rows));
            select.build_query_as().fetch_all(conn).await?
        }))
    }

    /// What each of these users has spent since a day began, in nano-dollars, in their order.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn spend_of_users(&self, users: &[StoredUser], since: i64) -> Result<Vec<u64>, LedgerError> {
        self.catch_up_to_read().await?;
        let groups: Vec<(&str, &str)> = users
            .iter()
            .map(|user| (user.workspace.as_str(), user.name.as_str()))
            .collect();
        read!(self, conn => SpendRows::spend(conn, Dimension::User, &groups, since).await)
    }

    /// Changes a user. One that pauses or resumes it has gateways told of its keys again, and of all who are paused then,
    /// which `fits` is asked of. A change that leaves it as it was is none.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn change_user<E>(
        &self,
        id: &str,
        now: UnixMillis,
        by: &Actor,
        change: impl FnOnce(&mut StoredUser) -> Result<(), E>,
        fits: impl FnOnce(&Paused) -> Result<(), E>,
    ) -> Result<Changed<StoredUser, E>, LedgerError> {
        transact!(self, conn => {
            FeedRows::lock(&mut *conn).await?;
            let found: Option<StoredUser> = sqlx::query_as(TAKE_ONE).bind(id).fetch_optional(&mut *conn).await?;
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
            new.updated_at = number(now.0);
            new.version = old.version.saturating_add(1);
            sqlx::query(UPDATE)
                .bind(id)
                .bind(&new.display_name)
                .bind(&new.status)
                .bind(new.updated_at)
                .bind(new.version)
                .execute(&mut *conn)
                .await?;
            if new.status != old.status {
                FeedRows::tell_again(&mut *conn, &new.workspace, Some(&new.name)).await?;
                PolicyRows::take_policy_version(&mut *conn).await?;
                if let Err(refused) = fits(&PolicyRows::paused(&mut *conn).await?) {
                    return Ok(Changed::Refused(refused));
                }
            }
            let entry = AuditEntry::change(now, by, "user.edit", id)
                .of(Some(&new.workspace))
                .before(old.audited())
                .after(new.audited());
            AuditRows::add_audit(&mut *conn, &[entry]).await?;
            Ok(Changed::Done(Box::new(new)))
        })
    }
}

// === impl StoredUser ===

impl StoredUser {
    fn audited(&self) -> serde_json::Value {
        json!({"user": self.name, "display_name": self.display_name, "status": self.status})
    }
}
