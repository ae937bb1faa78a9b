//! Accounts and leases: what a transaction reads, locks and writes of them.
//!
//! Accounts are locked in the order of their ids, and all of them in one statement, so that no two transactions
//! wait for each other. Leases need no lock of their own: whoever changes one has locked its account.

use std::collections::{BTreeSet, HashMap};

use sqlx::QueryBuilder;
use sqlx::types::Json;
use tollgate_core::budget::ledger::LedgerClock;
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::LeaseId;

use super::account_rows::{AccountRow, LeaseRow, NewAccount};
use super::books::Books;
use super::engine::Locking;
use super::notifications::{Notification, NotificationRows};
use super::raises::{AccountRaise, StoredRaise};
use super::{Counter, KEYS, LIST, TAKE, amount, millis, number};

const MOMENT: &str =
    "SELECT c.value, k.last, k.resumed FROM counters c, ledger_clock k WHERE c.name = $1 AND k.id = 1";
const INSERT_ACCOUNTS: &str = "INSERT INTO budget_accounts (budget_id, window_start, window_end, amount, spent, \
    leased, overrun, debt, told, round, raises) ";
const WRITE_ACCOUNTS: &str = "INSERT INTO budget_accounts (id, budget_id, window_start, window_end, amount, spent, \
    leased, overrun, debt, told, round, raises) ";
const CHANGE_ACCOUNTS: &str = " ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, spent = excluded.spent, \
    leased = excluded.leased, overrun = excluded.overrun, debt = excluded.debt, told = excluded.told, \
    round = excluded.round, raises = excluded.raises";
const WRITE_LEASES: &str = "INSERT INTO leases (id, account_id, gateway_id, instance, granted, settled, returned, used, \
    need, opened_at, expires_at, stage) ";
const CHANGE_LEASES: &str = " ON CONFLICT (id) DO UPDATE SET granted = excluded.granted, settled = excluded.settled, \
    returned = excluded.returned, used = excluded.used, need = excluded.need, expires_at = excluded.expires_at, \
    stage = excluded.stage";

/// A condition on accounts: a budget and the beginning of a window, any of these.
macro_rules! push_keys {
    ($builder:expr, $keys:expr) => {{
        let builder = &mut $builder;
        for (at, (budget_id, start)) in $keys.iter().enumerate() {
            builder
                .push(if at == 0 {
                    "(budget_id = "
                } else {
                    " OR (budget_id = "
                })
                .push_bind(*budget_id)
                .push(" AND window_start = ")
                .push_bind(number(start.0))
                .push(")");
        }
    }};
}

/// When a transaction happens, and of which version it finds the budgets' definitions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) version: u64,
    /// With the beat of now.
    pub(super) clock: LedgerClock,
}

on_engines! {
    /// Statements on accounts and leases.
    pub(super) trait AccountRows {
        async fn moment(conn, now: UnixMillis) -> Moment {
            let (version, last, resumed): (i64, i64, i64) = sqlx::query_as(MOMENT)
                .bind(Counter::BudgetVersion.name())
                .fetch_one(conn)
                .await?;
            let mut clock = LedgerClock { last: millis(last), resumed: millis(resumed) };
            // Only for this transaction: the row is written by the background task, each second.
            clock.beat(now);
            Ok(Moment { version: amount(version), clock })
        }

        /// Adds those that are not there, with the amounts of their budgets. The budgets are locked: who changes an
        /// amount meanwhile finds the account.
        async fn add_accounts(conn, accounts: &[NewAccount]) -> () {
            debug_assert!(accounts.is_sorted());
            for accounts in accounts.chunks(LIST) {
                let mut select = QueryBuilder::new("SELECT id, amount, raises FROM budgets WHERE id IN ");
                push_in!(select, accounts.iter().map(|account| account.budget_id.as_str()));
                select.push(" ORDER BY id").push(Self::FOR_UPDATE);
                let budgets: Vec<(String, i64, Json<Vec<StoredRaise>>)> =
                    select.build_query_as().fetch_all(&mut *conn).await?;
                let budgets: HashMap<String, (i64, Vec<AccountRaise>)> = budgets
                    .into_iter()
                    .map(|(id, amount, raises)| (id, (amount, AccountRaise::of(&raises.0))))
                    .collect();
                let mut insert = QueryBuilder::new(INSERT_ACCOUNTS);
                insert.push_values(accounts, |mut row, account| {
                    let (amount, raises) = budgets.get(&account.budget_id).cloned().unwrap_or_default();
                    row.push_bind(&account.budget_id)
                        .push_bind(number(account.window.start.0))
                        .push_bind(account.window.end.map(|end| number(end.0)))
                        .push_bind(amount)
                        .push_bind(0_i64)
                        .push_bind(0_i64)
                        .push_bind(0_i64)
                        .push_bind(0_i64)
                        .push_bind(Json(Vec::<u8>::new()))
                        .push_bind(0_i64)
                        .push_bind(Json(raises));
                });
                insert.push(" ON CONFLICT (budget_id, window_start) DO NOTHING");
                insert.build().execute(&mut *conn).await?;
            }
            Ok(())
        }

        /// Reads accounts by budget and beginning of the window; locks nothing.
        async fn accounts_at(conn, keys: &[(&str, UnixMillis)]) -> Vec<AccountRow> {
            let mut rows = Vec::with_capacity(keys.len());
            for keys in keys.chunks(KEYS) {
                let mut select = QueryBuilder::new("SELECT * FROM budget_accounts WHERE ");
                push_keys!(select, keys);
                rows.extend(select.build_query_as().fetch_all(&mut *conn).await?);
            }
            Ok(rows)
        }

        /// Locks accounts by budget and beginning of the window.
        async fn lock_accounts_at(conn, keys: &[(&str, UnixMillis)]) -> Vec<AccountRow> {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let mut select = QueryBuilder::new("SELECT * FROM budget_accounts WHERE ");
            push_keys!(select, keys);
            select.push(" ORDER BY id").push(Self::FOR_UPDATE);
            Ok(select.build_query_as().fetch_all(conn).await?)
        }

        async fn lock_accounts(conn, ids: &[i64]) -> Vec<AccountRow> {
            // In order across the lists, too.
            let ids: Vec<i64> = BTreeSet::from_iter(ids.iter().copied()).into_iter().collect();
            let mut rows = Vec::with_capacity(ids.len());
            for ids in ids.chunks(LIST) {
                let mut select = QueryBuilder::new("SELECT * FROM budget_accounts WHERE id IN ");
                push_in!(select, ids.iter().copied());
                select.push(" ORDER BY id").push(Self::FOR_UPDATE);
                rows.extend(select.build_query_as().fetch_all(&mut *conn).await?);
            }
            Ok(rows)
        }

        /// Leases of locked accounts, those that are not closed.
        async fn open_leases(conn, account_ids: &[i64]) -> Vec<LeaseRow> {
            let mut rows = Vec::new();
            for ids in account_ids.chunks(LIST) {
                let mut select = QueryBuilder::new("SELECT * FROM leases WHERE stage <> 'closed' AND account_id IN ");
                push_in!(select, ids.iter().copied());
                select.push(" ORDER BY id");
                rows.extend(select.build_query_as().fetch_all(&mut *conn).await?);
            }
            Ok(rows)
        }

        /// Leases in whatever stage. Only what of them never changes may be believed before their accounts are
        /// locked.
        async fn leases_by_id(conn, ids: &[LeaseId]) -> Vec<LeaseRow> {
            let mut rows = Vec::with_capacity(ids.len());
            for ids in ids.chunks(LIST) {
                let mut select = QueryBuilder::new("SELECT * FROM leases WHERE id IN ");
                push_in!(select, ids.iter().map(|id| number(id.0)));
                select.push(" ORDER BY id");
                rows.extend(select.build_query_as().fetch_all(&mut *conn).await?);
            }
            Ok(rows)
        }

        /// Accounts of which something may be taken back: a lease has ended by then, or ends after `latest`, which
        /// none does unless the clock has jumped back.
        async fn accounts_with_ended_leases(conn, ended_by: UnixMillis, latest: UnixMillis, rows: i64) -> Vec<i64> {
            const ENDED: &str = "SELECT DISTINCT account_id FROM leases WHERE stage <> 'closed' \
                AND (expires_at <= $1 OR expires_at > $2) ORDER BY account_id LIMIT $3";
            let ended = sqlx::query_scalar(ENDED).bind(number(ended_by.0)).bind(number(latest.0));
            Ok(ended.bind(rows).fetch_all(conn).await?)
        }

        async fn write_accounts(conn, accounts: &[AccountRow]) -> () {
            for accounts in accounts.chunks(LIST) {
                let mut insert = QueryBuilder::new(WRITE_ACCOUNTS);
                insert.push_values(accounts, |mut row, account| {
                    row.push_bind(account.id)
                        .push_bind(&account.budget_id)
                        .push_bind(account.window_start)
                        .push_bind(account.window_end)
                        .push_bind(account.amount)
                        .push_bind(account.spent)
                        .push_bind(account.leased)
                        .push_bind(account.overrun)
                        .push_bind(account.debt)
                        .push_bind(&account.told)
                        .push_bind(account.round)
                        .push_bind(&account.raises);
                });
                insert.push(CHANGE_ACCOUNTS);
                insert.build().execute(&mut *conn).await?;
            }
            Ok(())
        }

        async fn write_leases(conn, leases: &[LeaseRow]) -> () {
            for leases in leases.chunks(LIST) {
                let mut insert = QueryBuilder::new(WRITE_LEASES);
                insert.push_values(leases, |mut row, lease| {
                    row.push_bind(lease.id)
                        .push_bind(lease.account_id)
                        .push_bind(&lease.gateway_id)
                        .push_bind(&lease.instance)
                        .push_bind(lease.granted)
                        .push_bind(lease.settled)
                        .push_bind(lease.returned)
                        .push_bind(lease.used)
                        .push_bind(lease.need)
                        .push_bind(lease.opened_at)
                        .push_bind(lease.expires_at)
                        .push_bind(&lease.stage);
                });
                insert.push(CHANGE_LEASES);
                insert.build().execute(&mut *conn).await?;
            }
            Ok(())
        }

        /// Writes what changed, with new leases numbered, and what is to be told of it.
        async fn write_books(conn, books: &mut Books, told: &[Notification]) -> () {
            let new = books.unnumbered();
            if new > 0 {
                let last: i64 = sqlx::query_scalar(TAKE)
                    .bind(number(new))
                    .bind(Counter::Lease.name())
                    .fetch_one(&mut *conn)
                    .await?;
                books.number_from(amount(last) + 1 - new);
            }
            Self::write_accounts(&mut *conn, &books.changed_accounts()).await?;
            Self::write_leases(&mut *conn, &books.changed_leases()).await?;
            Self::add_notifications(conn, told).await
        }
    }
}
