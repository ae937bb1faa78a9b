//! The policy that gateways follow: all that the admin API has made of what else is written in a gateway's
//! configuration.
//!
//! Every change takes the next version of all of it, in the transaction that makes it: the counter's row is the lock
//! that keeps changes in one line, so that what is checked against everything else still holds when it is written.

use sqlx::FromRow;
use tollgate_core::limit::LimitReset;
use tollgate_core::policy::{Paused, Policy};
use tollgate_core::time::UnixMillis;

use super::limits::{LimitRow, StoredLimit};
use super::prices::PriceRows;
use super::{Counter, LAST, Ledger, LedgerError, TAKE, amount, number};

const LIMITS: &str = "SELECT * FROM limits ORDER BY id";
const RESETS: &str =
    "SELECT limit_name, subject, generation FROM limit_resets WHERE expires_at > $1 ORDER BY generation";
const PAUSED_WORKSPACES: &str = "SELECT workspace FROM workspaces WHERE status = 'paused'";
const PAUSED_USERS: &str = "SELECT workspace, name FROM users WHERE status = 'paused'";

#[derive(Debug, FromRow)]
struct ResetRow {
    limit_name: String,
    subject: String,
    generation: i64,
}

on_engines! {
    /// Statements on the policy as a whole.
    pub(super) trait PolicyRows {
        /// The next version of the policy, and the lock on it.
        async fn take_policy_version(conn) -> u64 {
            let version: i64 = sqlx::query_scalar(TAKE)
                .bind(1_i64)
                .bind(Counter::PolicyVersion.name())
                .fetch_one(conn)
                .await?;
            Ok(amount(version))
        }

        async fn all_limits(conn) -> Vec<LimitRow> {
            Ok(sqlx::query_as(LIMITS).fetch_all(conn).await?)
        }

        async fn paused(conn) -> Paused {
            let workspaces: Vec<String> = sqlx::query_scalar(PAUSED_WORKSPACES).fetch_all(&mut *conn).await?;
            let users: Vec<(String, String)> = sqlx::query_as(PAUSED_USERS).fetch_all(conn).await?;
            let mut paused = Paused { workspaces: workspaces.into_iter().collect(), ..Paused::default() };
            for (workspace, user) in users {
                paused.users.entry(workspace).or_default().insert(user);
            }
            Ok(paused)
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// The version of the policy; 0 where there never was one.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn policy_version(&self) -> Result<u64, LedgerError> {
        let version: i64 = read!(self, conn => {
            sqlx::query_scalar(LAST).bind(Counter::PolicyVersion.name()).fetch_one(conn).await?
        });
        Ok(amount(version))
    }

    /// The policy of one moment, as gateways are told it.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails, or a newer program has written what this one cannot read.
    pub async fn policy(&self, now: UnixMillis) -> Result<Policy, LedgerError> {
        let (version, limits, resets, prices, paused) = snapshot!(self, conn => {
            let version: i64 = sqlx::query_scalar(LAST).bind(Counter::PolicyVersion.name()).fetch_one(&mut *conn).await?;
            let limits = PolicyRows::all_limits(&mut *conn).await?;
            let resets: Vec<ResetRow> = sqlx::query_as(RESETS).bind(number(now.0)).fetch_all(&mut *conn).await?;
            let prices = PriceRows::all_prices(&mut *conn).await?;
            let paused = PolicyRows::paused(&mut *conn).await?;
            (version, limits, resets, prices, paused)
        });
        let limits = limits.into_iter().map(StoredLimit::try_from);
        Ok(Policy {
            version: amount(version),
            limits: limits
                .map(|limit| limit.map(|limit| limit.spec))
                .collect::<Result<_, _>>()?,
            resets: resets
                .into_iter()
                .map(LimitReset::try_from)
                .collect::<Result<_, _>>()?,
            prices: prices
                .into_iter()
                .map(|price| Ok((price.model.clone(), price.written()?)))
                .collect::<Result<_, LedgerError>>()?,
            paused,
        })
    }
}

// === impl ResetRow ===

impl TryFrom<ResetRow> for LimitReset {
    type Error = LedgerError;

    fn try_from(row: ResetRow) -> Result<Self, LedgerError> {
        let subject = match row.subject.as_str() {
            "" => None,
            json => Some(serde_json::from_str(json).map_err(|_| LedgerError::Foreign {
                table: "limit_resets",
                id: row.generation.to_string(),
                column: "subject",
            })?),
        };
        Ok(Self {
            limit: row.limit_name,
            subject,
            generation: amount(row.generation),
        })
    }
}
