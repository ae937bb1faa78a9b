//! The books of a transaction: accounts that it has locked, given to the rules of `tollgate_core::budget::ledger`,
//! and what of them has changed since they were read.

use std::collections::HashMap;

use sqlx::types::Json;
use tollgate_core::budget::ledger::{Account, Lease, LeaseRules, LedgerClock, Line, Reclaimed};
use tollgate_core::budget::{Raise, RaiseEnds, Window};
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::LeaseId;

use super::account_rows::{AccountRow, LeaseRow};
use super::budgets::StoredBudget;
use super::notifications::Notification;
use super::raises::AccountRaise;
use super::{LedgerError, amount, millis, number};

/// What new leases are numbered by until they are written: higher than any number, in the order in which they
/// were made.
pub(super) const UNNUMBERED: u64 = 1 << 62;

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
    /// What the account's amount may be raised by.
    raises: Vec<AccountRaise>,
    /// What it is raised by now.
    raised: u64,
    /// Whether its raises are to be written.
    is_raised_anew: bool,
    /// The account and its leases as they were read.
    read: (Account, Vec<Lease>),
    /// Whose the leases are, in their order.
    gateways: Vec<String>,
}

// === impl Books ===

impl Books {
    /// Opens accounts, in the order of `rows`, with the raises of now in their amounts.
    ///
    /// # Errors
    /// [`LedgerError::Foreign`].
    pub(super) fn open(
        rows: Vec<AccountRow>,
        leases: Vec<LeaseRow>,
        budgets: &[StoredBudget],
        now: UnixMillis,
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
            books.open_one(&row, rows, (*budget).clone(), now)?;
        }
        Ok(books)
    }

    fn open_one(
        &mut self,
        row: &AccountRow,
        leases: Vec<LeaseRow>,
        budget: StoredBudget,
        now: UnixMillis,
    ) -> Result<(), LedgerError> {
        let gateways = leases.iter().map(|lease| lease.gateway_id.clone()).collect();
        let leases = leases
            .into_iter()
            .map(Lease::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        let raises = row.raises.0.clone();
        let raised = Raise::sum(raises.iter().copied().map(Raise::from), now);
        let account = Account {
            window: Window {
                start: millis(row.window_start),
                end: row.window_end.map(millis),
            },
            amount: amount(row.amount).saturating_add(raised),
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
            raise_ends: RaiseEnds::of(raises.iter().copied().map(Raise::from), now),
        };
        self.places.insert(row.id, self.lines.len());
        self.lines.push(line);
        self.heads.push(Head {
            account_id: row.id,
            budget,
            round: amount(row.round),
            raises,
            raised,
            is_raised_anew: false,
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

    /// Has accounts follow their budgets: the amounts, and the raises.
    pub(super) fn follow(&mut self, now: UnixMillis) {
        for (head, line) in self.entries_mut() {
            head.raises = AccountRaise::of(&head.budget.raises);
            head.raised = head.budget.raised(now);
            head.is_raised_anew = true;
            line.account.amount = head.budget.amount_at(now);
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

    pub(super) fn number_from(&mut self, first: u64) {
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

    pub(super) fn changed_accounts(&self) -> Vec<AccountRow> {
        let changed = self
            .entries()
            .filter(|(head, line)| line.account != head.read.0 || head.is_raised_anew);
        changed.map(|(head, line)| head.row(&line.account)).collect()
    }

    pub(super) fn changed_leases(&self) -> Vec<LeaseRow> {
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
            amount: number(account.amount.saturating_sub(self.raised)),
            spent: number(account.spent),
            leased: number(account.leased),
            overrun: number(account.overrun),
            debt: number(account.debt),
            told: Json(account.told.clone()),
            round: number(self.round),
            raises: Json(self.raises.clone()),
        }
    }
}

fn log_reclaimed(budget: &StoredBudget, gateway_id: &str, reclaimed: &Reclaimed) {
    tracing::warn!(
        budget_id = %budget.id, gateway_id, instance = %reclaimed.instance, lease_id = reclaimed.lease_id.0,
        amount = reclaimed.amount, unaccounted = reclaimed.unaccounted,
        "a lease ran out and was taken back; what was in flight at its gateway is in no event"
    );
}
