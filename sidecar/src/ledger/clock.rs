//! What the ledger does each second: it beats, and takes back what dead gateways held.

use tollgate_core::budget::ledger::{LeaseRules, LedgerClock};
use tollgate_core::time::UnixMillis;

use super::accounts::AccountRows;
use super::books::Books;
use super::budgets::{BudgetRows, budgets};
use super::engine::Locking;
use super::{Ledger, LedgerError, millis, number};

/// Accounts in one transaction that takes back.
const ACCOUNTS_AT_ONCE: i64 = 50;

/// How long a lease is kept after it ended, in milliseconds: so late may a charge be and still find its account by
/// it. After that it goes by its event's time.
const KEEP_LEASES_MS: u64 = 30 * 24 * 3_600_000;

const BEAT: &str = "UPDATE ledger_clock SET last = $1, resumed = $2 WHERE id = 1";
const FORGET: &str = "DELETE FROM leases WHERE stage = 'closed' AND expires_at < $1";

on_engines! {
    /// Statements on `ledger_clock`.
    trait ClockRows {
        async fn lock_clock(conn) -> LedgerClock {
            let select = format!("SELECT last, resumed FROM ledger_clock WHERE id = 1{}", Self::FOR_UPDATE);
            let (last, resumed): (i64, i64) = sqlx::query_as(sqlx::AssertSqlSafe(select)).fetch_one(conn).await?;
            Ok(LedgerClock { last: millis(last), resumed: millis(resumed) })
        }

        async fn set_clock(conn, clock: LedgerClock) -> () {
            sqlx::query(BEAT).bind(number(clock.last.0)).bind(number(clock.resumed.0)).execute(conn).await?;
            Ok(())
        }
    }
}

// === impl Ledger ===

impl Ledger {
    /// Says that the ledger lives.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn beat(&self, now: UnixMillis) -> Result<(), LedgerError> {
        transact!(self, conn => {
            let mut clock = ClockRows::lock_clock(&mut *conn).await?;
            clock.beat(now);
            ClockRows::set_clock(&mut *conn, clock).await?;
        });
        Ok(())
    }

    /// Takes back what is left of leases that ran out. Answers the budgets to which money came back.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn reclaim(&self, rules: &LeaseRules, now: UnixMillis) -> Result<Vec<String>, LedgerError> {
        let ended_by = UnixMillis(now.0.saturating_sub(rules.grace_ms));
        let latest = now.plus(rules.ttl_ms);
        let accounts: Vec<i64> = read!(self, conn => {
            AccountRows::accounts_with_ended_leases(conn, ended_by, latest, ACCOUNTS_AT_ONCE).await?
        });
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        retry!(self.try_reclaim(&accounts, rules, now))
    }

    async fn try_reclaim(
        &self,
        accounts: &[i64],
        rules: &LeaseRules,
        now: UnixMillis,
    ) -> Result<Vec<String>, LedgerError> {
        transact!(self, conn => {
            let moment = AccountRows::moment(&mut *conn, now).await?;
            let rows = AccountRows::lock_accounts(&mut *conn, accounts).await?;
            let leases = AccountRows::open_leases(&mut *conn, accounts).await?;
            let ids: Vec<&str> = rows.iter().map(|row| row.budget_id.as_str()).collect();
            let found = budgets(BudgetRows::budgets_by_id(&mut *conn, &ids).await?)?;
            let mut books = Books::open(rows, leases, &found, now)?;
            let told = books.reclaim(now, &moment.clock, rules)?;
            AccountRows::write_books(&mut *conn, &mut books, &told).await?;
            Ok(books.returned())
        })
    }

    /// Forgets leases that were closed long ago.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn forget_old_leases(&self, now: UnixMillis) -> Result<u64, LedgerError> {
        let before = number(now.0.saturating_sub(KEEP_LEASES_MS));
        let forgotten = transact!(self, conn => {
            sqlx::query(FORGET).bind(before).execute(&mut *conn).await?.rows_affected()
        });
        Ok(forgotten)
    }
}
