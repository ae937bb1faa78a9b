//! Accounts and leases: rows that a transaction locks, gives to the rules of `tollgate_core::budget::ledger`,
//! and writes back where they changed.
//!
//! Accounts are locked in the order of their ids, and all of them in one statement, so that no two transactions
//! wait for each other. Leases need no lock of their own: whoever changes one has locked its account.

use std::collections::{BTreeSet, HashMap};

use sqlx::QueryBuilder;
use sqlx::types::Json;
use tollgate_core::budget::Window;
use tollgate_core::budget::ledger::{Account, Lease, LeaseRules, LedgerClock, Line, Reclaimed, Stage};
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::LeaseId;

use super::budgets::StoredBudget;
use super::engine::Locking;
use super::notifications::{Notification, NotificationRows};
use super::{Counter, KEYS, LIST, LedgerError, TAKE, amount, millis, number};

/// What new leases are numbered by until they are written: higher than any number, in the order in which they
/// were made.
pub(super) const UNNUMBERED: u64 = 1 << 62;

const MOMENT: &str =
    "SELECT c.value, k.last, k.resumed FROM counters c, ledger_clock k WHERE c.name = $1 AND k.id = 1";
const INSERT_ACCOUNTS: &str = "INSERT INTO budget_accounts (budget_id, window_start, window_end, amount, spent, \
    leased, overrun, debt, told, round) ";
const WRITE_ACCOUNTS: &str = "INSERT INTO budget_accounts (id, budget_id, window_start, window_end, amount, spent, \
    leased, overrun, debt, told, round) ";
const CHANGE_ACCOUNTS: &str = " ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, spent = excluded.spent, \
    leased = excluded.leased, overrun = excluded.overrun, debt = excluded.debt, told = excluded.told, \
    round = excluded.round";
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

/// A row of `budget_accounts`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct AccountRow {
    pub(super) id: i64,
    pub(super) budget_id: String,
    window_start: i64,
    window_end: Option<i64>,
    amount: i64,
    spent: i64,
    leased: i64,
    overrun: i64,
    debt: i64,
    told: Json<Vec<u8>>,
    round: i64,
}

/// A row of `leases`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct LeaseRow {
    id: i64,
    pub(super) account_id: i64,
    gateway_id: String,
    instance: String,
    granted: i64,
    settled: i64,
    returned: i64,
    used: i64,
    need: i64,
    opened_at: i64,
    expires_at: i64,
    stage: String,
}

/// An account that is not there yet. In this order they are made, always.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NewAccount {
    pub(super) budget_id: String,
    pub(super) window: Window,
}

/// Accounts that a transaction has locked, with leases of theirs. `lines` is what the rules work on; the rest
/// is to be left alone meanwhile.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) lines: Vec<Line>,
    /// As many, in the same order.
    heads: Vec<Head>,
    /// Where an account stands in both, by its id.
    places: HashMap<i64, usize>,
}

/// What the ledger knows of an account beside its line.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) account_id: i64,
    pub(super) budget: StoredBudget,
    /// How often a deposit made thresholds worth telling again.
    round: u64,
    /// The account and its leases as they were read.
    read: (Account, Vec<Lease>),
    /// Whose the leases are, in their order.
    gateways: Vec<String>,
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
                let mut select = QueryBuilder::new("SELECT id, amount FROM budgets WHERE id IN ");
                push_in!(select, accounts.iter().map(|account| account.budget_id.as_str()));
                select.push(" ORDER BY id").push(Self::FOR_UPDATE);
                let amounts: Vec<(String, i64)> = select.build_query_as().fetch_all(&mut *conn).await?;
                let amounts: HashMap<String, i64> = amounts.into_iter().collect();
                let mut insert = QueryBuilder::new(INSERT_ACCOUNTS);
                insert.push_values(accounts, |mut row, account| {
                    row.push_bind(&account.budget_id)
                        .push_bind(number(account.window.start.0))
                        .push_bind(account.window.end.map(|end| number(end.0)))
                        .push_bind(amounts.get(&account.budget_id).copied().unwrap_or(0))
                        .push_bind(0_i64)
                        .push_bind(0_i64)
                        .push_bind(0_i64)
                        .push_bind(0_i64)
                        .push_bind(Json(Vec::<u8>::new()))
                        .push_bind(0_i64);
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
                        .push_bind(account.round);
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

// === impl Books ===

impl Books {
    /// Opens accounts, in the order of `rows`.
    ///
    /// # Errors
    /// [`LedgerError::Foreign`].
    pub(super) fn open(
        rows: Vec<AccountRow>,
        leases: Vec<LeaseRow>,
        budgets: &[StoredBudget],
    ) -> Result<Self, LedgerError> {
        let mut of_account: HashMap<i64, Vec<LeaseRow>> = HashMap::new();
        for lease in leases {
            of_account.entry(lease.account_id).or_default().push(lease);
        }
        let by_id: HashMap<&str, &StoredBudget> = budgets
            .iter()
            .map(|budget| (budget.id.as_str(), budget))
            .collect();
        let mut books = Self::default();
        for row in rows {
            let Some(budget) = by_id.get(row.budget_id.as_str()) else {
                debug_assert!(false, "an account was read without its budget");
                continue;
            };
            let rows = of_account.remove(&row.id).unwrap_or_default();
            books.open_one(&row, rows, (*budget).clone())?;
        }
        Ok(books)
    }

    fn open_one(
        &mut self,
        row: &AccountRow,
        leases: Vec<LeaseRow>,
        budget: StoredBudget,
    ) -> Result<(), LedgerError> {
        let gateways = leases.iter().map(|lease| lease.gateway_id.clone()).collect();
        let leases = leases
            .into_iter()
            .map(Lease::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        let account = Account {
            window: Window {
                start: millis(row.window_start),
                end: row.window_end.map(millis),
            },
            amount: amount(row.amount),
            enforcement: budget.budget.enforcement,
            spent: amount(row.spent),
            leased: amount(row.leased),
            overrun: amount(row.overrun),
            debt: amount(row.debt),
            told: row.told.0.clone(),
        };
        let line = Line {
            budget_id: budget.id.clone(),
            unit: budget.budget.unit,
            account: account.clone(),
            leases: leases.clone(),
        };
        self.places.insert(row.id, self.lines.len());
        self.lines.push(line);
        self.heads.push(Head {
            account_id: row.id,
            budget,
            round: amount(row.round),
            read: (account, leases),
            gateways,
        });
        Ok(())
    }

    /// An account, by its id.
    pub(super) fn entry_mut(&mut self, account_id: i64) -> Option<(&Head, &mut Line)> {
        let at = *self.places.get(&account_id)?;
        Some((self.heads.get(at)?, self.lines.get_mut(at)?))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&Head, &Line)> {
        self.heads.iter().zip(&self.lines)
    }

    fn entries_mut(&mut self) -> impl Iterator<Item = (&mut Head, &mut Line)> {
        self.heads.iter_mut().zip(&mut self.lines)
    }

    /// Takes back what is left of leases that ran out, and says what is to be told of it.
    ///
    /// # Errors
    /// [`LedgerError::NoRandomness`].
    pub(super) fn reclaim(
        &mut self,
        now: UnixMillis,
        clock: &LedgerClock,
        rules: &LeaseRules,
    ) -> Result<Vec<Notification>, LedgerError> {
        let mut told = Vec::new();
        for (head, line) in self.entries_mut() {
            for reclaimed in line.reclaim(now, clock, rules) {
                let gateway_id = head.gateway_of(&line.leases, reclaimed.lease_id);
                log_reclaimed(&head.budget, gateway_id, &reclaimed);
                if reclaimed.amount > 0 || reclaimed.unaccounted > 0 {
                    told.push(Notification::reclaimed(
                        &head.budget,
                        gateway_id,
                        &reclaimed,
                        now,
                    )?);
                }
            }
        }
        Ok(told)
    }

    /// The thresholds that are reached now, as what is to be told. `refused` is the line, if any, that has just
    /// refused a request.
    ///
    /// # Errors
    /// [`LedgerError::NoRandomness`].
    pub(super) fn cross(
        &mut self,
        refused: Option<usize>,
        now: UnixMillis,
    ) -> Result<Vec<Notification>, LedgerError> {
        let mut told = Vec::new();
        for (at, (head, line)) in self.entries_mut().enumerate() {
            let thresholds = &head.budget.budget.thresholds;
            for percent in line.account.cross(thresholds, refused == Some(at)) {
                let (budget, account) = (&head.budget, &line.account);
                tracing::warn!(
                    budget_id = %budget.id, name = %budget.budget.name, percent,
                    amount = account.amount, spent = account.spent, "a budget has reached a threshold"
                );
                told.push(Notification::threshold(
                    budget, account, head.round, percent, now,
                )?);
            }
        }
        Ok(told)
    }

    /// What leases were renewed by and nothing else is forgotten: it need not be written.
    pub(super) fn forget_renewals(&mut self) {
        for (head, line) in self.entries_mut() {
            for (lease, read) in line.leases.iter_mut().zip(&head.read.1) {
                let renewed = Lease {
                    expires_at: lease.expires_at,
                    ..read.clone()
                };
                if *lease == renewed {
                    lease.expires_at = read.expires_at;
                }
            }
        }
    }

    /// Adds a deposit. Thresholds that are no longer reached may be told again.
    pub(super) fn deposit(&mut self, amount: u64) {
        for (head, line) in self.entries_mut() {
            let told = line.account.told.len();
            line.account.deposit(amount);
            if line.account.told.len() < told {
                head.round += 1;
            }
        }
    }

    /// The budgets to which money has come back: requests that wait for them may try again.
    pub(super) fn returned(&self) -> Vec<String> {
        self.entries()
            .filter(|(head, line)| line.account.room() > head.read.0.room())
            .map(|(_, line)| line.budget_id.clone())
            .collect()
    }

    /// How many leases have been made and have no number yet.
    pub(super) fn unnumbered(&self) -> u64 {
        let leases = self.lines.iter().flat_map(|line| &line.leases);
        leases.filter(|lease| lease.id.0 >= UNNUMBERED).count() as u64
    }

    fn number_from(&mut self, first: u64) {
        for lease in self.lines.iter_mut().flat_map(|line| &mut line.leases) {
            if let Some(nth) = lease.id.0.checked_sub(UNNUMBERED) {
                lease.id = LeaseId(first + nth);
            }
        }
    }

    /// Says whose the leases are that have been made.
    pub(super) fn sign(&mut self, gateway_id: &str) {
        for (head, line) in self.entries_mut() {
            head.gateways.resize(line.leases.len(), gateway_id.to_owned());
        }
    }

    fn changed_accounts(&self) -> Vec<AccountRow> {
        let changed = self.entries().filter(|(head, line)| line.account != head.read.0);
        changed.map(|(head, line)| head.row(&line.account)).collect()
    }

    fn changed_leases(&self) -> Vec<LeaseRow> {
        let mut rows = Vec::new();
        for (head, line) in self.entries() {
            for (at, lease) in line.leases.iter().enumerate() {
                if head.read.1.get(at) != Some(lease) {
                    let gateway_id = head.gateways.get(at).cloned().unwrap_or_default();
                    rows.push(LeaseRow::new(lease, head.account_id, gateway_id));
                }
            }
        }
        rows
    }
}

// === impl Head ===

impl Head {
    fn gateway_of(&self, leases: &[Lease], id: LeaseId) -> &str {
        let at = leases.iter().position(|lease| lease.id == id);
        at.and_then(|at| self.gateways.get(at)).map_or("", String::as_str)
    }

    fn row(&self, account: &Account) -> AccountRow {
        AccountRow {
            id: self.account_id,
            budget_id: self.budget.id.clone(),
            window_start: number(account.window.start.0),
            window_end: account.window.end.map(|end| number(end.0)),
            amount: number(account.amount),
            spent: number(account.spent),
            leased: number(account.leased),
            overrun: number(account.overrun),
            debt: number(account.debt),
            told: Json(account.told.clone()),
            round: number(self.round),
        }
    }
}

// === impl AccountRow ===

impl AccountRow {
    pub(super) fn spent(&self) -> u64 {
        amount(self.spent)
    }

    pub(super) fn leased(&self) -> u64 {
        amount(self.leased)
    }

    pub(super) fn overrun(&self) -> u64 {
        amount(self.overrun)
    }

    pub(super) fn debt(&self) -> u64 {
        amount(self.debt)
    }

    /// Of which budget and which window it is.
    pub(super) fn key(&self) -> (&str, UnixMillis) {
        (&self.budget_id, millis(self.window_start))
    }

    /// Whether it is a budget's account of a window.
    pub(super) fn is_at(&self, budget_id: &str, start: UnixMillis) -> bool {
        self.budget_id == budget_id && self.window_start == number(start.0)
    }
}

// === impl LeaseRow ===

impl LeaseRow {
    pub(super) fn lease_id(&self) -> LeaseId {
        LeaseId(amount(self.id))
    }

    fn new(lease: &Lease, account_id: i64, gateway_id: String) -> Self {
        Self {
            id: number(lease.id.0),
            account_id,
            gateway_id,
            instance: lease.instance.clone(),
            granted: number(lease.granted),
            settled: number(lease.settled),
            returned: number(lease.returned),
            used: number(lease.used),
            need: number(lease.need),
            opened_at: number(lease.opened_at.0),
            expires_at: number(lease.expires_at.0),
            stage: match lease.stage {
                Stage::Open => "open",
                Stage::Done => "done",
                Stage::Closed => "closed",
            }
            .to_owned(),
        }
    }
}

// === impl Lease ===

impl TryFrom<LeaseRow> for Lease {
    type Error = LedgerError;

    fn try_from(row: LeaseRow) -> Result<Self, LedgerError> {
        let stage = match row.stage.as_str() {
            "open" => Stage::Open,
            "done" => Stage::Done,
            "closed" => Stage::Closed,
            _ => {
                return Err(LedgerError::Foreign {
                    table: "leases",
                    id: row.id.to_string(),
                    column: "stage",
                });
            }
        };
        Ok(Self {
            id: row.lease_id(),
            instance: row.instance,
            granted: amount(row.granted),
            settled: amount(row.settled),
            returned: amount(row.returned),
            used: amount(row.used),
            need: amount(row.need),
            opened_at: millis(row.opened_at),
            expires_at: millis(row.expires_at),
            stage,
        })
    }
}

fn log_reclaimed(budget: &StoredBudget, gateway_id: &str, reclaimed: &Reclaimed) {
    tracing::warn!(
        budget_id = %budget.id, gateway_id, instance = %reclaimed.instance, lease_id = reclaimed.lease_id.0,
        amount = reclaimed.amount, unaccounted = reclaimed.unaccounted,
        "a lease ran out and was taken back; what was in flight at its gateway is in no event"
    );
}
