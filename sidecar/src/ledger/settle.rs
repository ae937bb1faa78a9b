//! Settling: what an event charges to budgets, in the transaction in which the event is first seen.

use std::collections::{BTreeSet, HashMap};

use sqlx::QueryBuilder;
use tollgate_core::budget::MAX_AMOUNT;
use tollgate_core::budget::ledger::{Lease, Manner, Settled};
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::{BudgetCharge, LeaseId};

use super::account_rows::{LeaseRow, NewAccount};
use super::accounts::AccountRows;
use super::books::Books;
use super::budgets::{BudgetRows, StoredBudget, budgets};
use super::events::StoredEvent;
use super::rows::{ManyRows as _, Rows};
use super::{LIST, LedgerError, amount, millis, number};

const INSERT: &str =
    "INSERT INTO charges (event_id, part, budget_id, account_id, lease_id, reserved, charged, manner) ";

/// A row of `charges`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct ChargeRow {
    pub(super) event_id: String,
    part: i64,
    budget_id: String,
    account_id: Option<i64>,
    lease_id: Option<i64>,
    reserved: i64,
    charged: i64,
    manner: String,
}

/// A charge on its way to an account.
struct Charge<'a> {
    event: &'a StoredEvent,
    part: usize,
    charge: &'a BudgetCharge,
    /// Where it has a lease that the ledger knows, the account of that; else that of the window of the event's time.
    account_id: Option<i64>,
}

/// What the ledger knows of the leases and budgets that charges name.
struct Known<'a> {
    /// The account that a lease is of: that never changes.
    leases: HashMap<LeaseId, i64>,
    budgets: HashMap<&'a str, &'a StoredBudget>,
    now: UnixMillis,
}

on_engines! {
    /// Statements on charges.
    pub(super) trait ChargeRows {
        /// Applies the charges of events that were just added. Answers the budgets to which money came back.
        async fn settle(conn, events: &[&StoredEvent], now: UnixMillis) -> Vec<String> {
            let mut charges = charges_of(events);
            if charges.is_empty() {
                return Ok(Vec::new());
            }
            let named = AccountRows::leases_by_id(&mut *conn, &lease_ids(&charges)).await?;
            let budget_ids: BTreeSet<&str> = charges.iter().map(|c| c.charge.budget_id.as_str()).collect();
            let budget_ids: Vec<&str> = budget_ids.into_iter().collect();
            let found = budgets(BudgetRows::budgets_by_id(&mut *conn, &budget_ids).await?)?;
            let known = Known::new(&named, &found, now);
            let places = known.places(&charges)?;
            let new: Vec<NewAccount> = places.iter().cloned().collect();
            AccountRows::add_accounts(&mut *conn, &new).await?;
            let keys: Vec<(&str, UnixMillis)> = new.iter().map(NewAccount::key).collect();
            let placed = AccountRows::accounts_at(&mut *conn, &keys).await?;
            let placed: HashMap<(&str, UnixMillis), i64> = placed.iter().map(|row| (row.key(), row.id)).collect();
            for charge in &mut charges {
                let place = || Some(*placed.get(&known.place(charge).ok()??.key())?);
                charge.account_id = known.leased_from(charge).or_else(place);
            }
            let ids: BTreeSet<i64> = charges.iter().filter_map(|charge| charge.account_id).collect();
            let mut rows = AccountRows::lock_accounts(&mut *conn, &ids.into_iter().collect::<Vec<_>>()).await?;
            // A lease of another budget's: the charge is kept, for no account.
            rows.retain(|row| known.budgets.contains_key(row.budget_id.as_str()));
            // Again, now that nobody else can change them.
            let leases = AccountRows::leases_by_id(&mut *conn, &lease_ids(&charges)).await?;
            let mut books = Books::open(rows, leases, &found, now)?;
            let written: Vec<ChargeRow> = charges.iter().map(|charge| charge.settle(&mut books)).collect();
            let told = books.cross(None, now)?;
            Self::add_charges(&mut *conn, &written).await?;
            AccountRows::write_books(&mut *conn, &mut books, &told).await?;
            Ok(books.returned())
        }

        async fn add_charges(conn, charges: &[ChargeRow]) -> () {
            let all = || charges.iter();
            let rows = Rows::default()
                .texts(all().map(|charge| charge.event_id.as_str()))
                .integers(all().map(|charge| charge.part))
                .texts(all().map(|charge| charge.budget_id.as_str()))
                .integers(all().map(|charge| charge.account_id))
                .integers(all().map(|charge| charge.lease_id))
                .integers(all().map(|charge| charge.reserved))
                .integers(all().map(|charge| charge.charged))
                .texts(all().map(|charge| charge.manner.as_str()));
            Self::write_rows(conn, INSERT, &rows, "").await
        }

        /// The charges of events, each event's in the order in which it has them.
        async fn charges(conn, event_ids: &[&str]) -> Vec<ChargeRow> {
            let mut rows = Vec::new();
            for event_ids in event_ids.chunks(LIST) {
                let mut select = QueryBuilder::new("SELECT * FROM charges WHERE event_id IN ");
                push_in!(select, event_ids.iter().copied());
                select.push(" ORDER BY event_id, part");
                rows.extend(select.build_query_as().fetch_all(&mut *conn).await?);
            }
            Ok(rows)
        }
    }
}

// === impl Known ===

impl<'a> Known<'a> {
    fn new(named: &[LeaseRow], found: &'a [StoredBudget], now: UnixMillis) -> Self {
        Self {
            leases: named
                .iter()
                .map(|lease| (lease.lease_id(), lease.account_id))
                .collect(),
            budgets: found.iter().map(|budget| (budget.id.as_str(), budget)).collect(),
            now,
        }
    }

    fn leased_from(&self, charge: &Charge<'_>) -> Option<i64> {
        self.leases.get(&charge.charge.lease_id?).copied()
    }

    /// The account of the window of its event's time; of now, where a gateway's clock shows a time that is in none.
    fn place(&self, charge: &Charge<'_>) -> Result<Option<NewAccount>, LedgerError> {
        let budget = self.budgets.get(charge.charge.budget_id.as_str());
        let Some(budget) = budget.filter(|budget| budget.has_account()) else {
            return Ok(None);
        };
        let window = budget.window(millis(charge.event.time));
        let window = window.or_else(|_| budget.window(self.now))?;
        Ok(Some(NewAccount::new(budget, window)))
    }

    /// The accounts of charges without a lease that the ledger knows.
    fn places(&self, charges: &[Charge<'_>]) -> Result<BTreeSet<NewAccount>, LedgerError> {
        let mut places = BTreeSet::new();
        for charge in charges {
            if self.leased_from(charge).is_none() {
                places.extend(self.place(charge)?);
            }
        }
        Ok(places)
    }
}

// === impl Charge ===

impl Charge<'_> {
    fn settle(&self, books: &mut Books) -> ChargeRow {
        let charge = self.charge;
        let account_id = self.account_id;
        let entry = account_id.and_then(|id| books.entry_mut(id));
        let entry = entry.filter(|(head, _)| head.budget.id == charge.budget_id);
        let settled = entry.map(|(head, line)| {
            let lease = line
                .leases
                .iter_mut()
                .find(|lease: &&mut Lease| Some(lease.id) == charge.lease_id);
            let settled = line.account.settle(charge, lease);
            self.log(&head.budget, settled);
            settled
        });
        if settled.is_none() {
            tracing::error!(
                event_id = %self.event.event_id, budget_id = %charge.budget_id, charged = charge.charged,
                "an event charges a budget that the ledger does not have"
            );
        }
        ChargeRow {
            event_id: self.event.event_id.clone(),
            part: number(self.part as u64),
            budget_id: charge.budget_id.clone(),
            account_id: settled.and(account_id),
            lease_id: charge.lease_id.map(|id| number(id.0)),
            reserved: number(charge.reserved.min(MAX_AMOUNT)),
            charged: number(charge.charged.min(MAX_AMOUNT)),
            manner: match settled.map(|settled| settled.manner) {
                Some(Manner::Leased) => "leased",
                Some(Manner::Late) => "late",
                Some(Manner::Debt) => "debt",
                Some(Manner::Counted) => "counted",
                None => "unknown",
            }
            .to_owned(),
        }
    }

    fn log(&self, budget: &StoredBudget, settled: Settled) {
        if settled.overrun > 0 {
            tracing::warn!(
                event_id = %self.event.event_id, budget_id = %budget.id, name = %budget.budget.name,
                charged = self.charge.charged, overrun = settled.overrun, manner = ?settled.manner,
                "a charge went past its budget's amount"
            );
        }
    }
}

// === impl BudgetCharge ===

impl From<ChargeRow> for BudgetCharge {
    fn from(row: ChargeRow) -> Self {
        Self {
            budget_id: row.budget_id,
            lease_id: row.lease_id.map(|id| LeaseId(amount(id))),
            reserved: amount(row.reserved),
            charged: amount(row.charged),
        }
    }
}

fn charges_of<'a>(events: &[&'a StoredEvent]) -> Vec<Charge<'a>> {
    let mut charges = Vec::new();
    for event in events {
        charges.extend(event.charges.iter().enumerate().map(|(part, charge)| Charge {
            event,
            part,
            charge,
            account_id: None,
        }));
    }
    charges
}

fn lease_ids(charges: &[Charge<'_>]) -> Vec<LeaseId> {
    let ids: BTreeSet<LeaseId> = charges
        .iter()
        .filter_map(|charge| charge.charge.lease_id)
        .collect();
    ids.into_iter().collect()
}
