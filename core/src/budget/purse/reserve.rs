//! Reserving from all budgets of a request or from none, and settling.

use thiserror::Error;

use super::Purse;
use super::entry::Entry;
use super::held::WorkerTag;
use super::reservation::{Part, Reservation, Source};
use super::set::BudgetSet;
use super::shelf::Change;
use crate::budget::period::Period;
use crate::budget::spec::OnUnavailable;
use crate::budget::unit::Amounts;
use crate::cells::{CellError, Cells};
use crate::time::UnixMillis;
use crate::wire::AppliedBudget;

/// What becomes of a request that the leases in hand cannot pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenShort {
    /// It is not reserved; the ledger can be asked.
    Ask,
    /// The ledger is away: each budget's own [`OnUnavailable`] decides.
    Policy,
}

/// Why nothing was reserved. The index is that of [`BudgetSet::budgets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotReserved {
    /// The lease in hand is spent, has ended, or there is none.
    #[error("the lease of budget {0} does not reach")]
    Short(usize),
    /// The request needs more than a single request may.
    #[error("the request is larger than budget {0} allows a single one to be")]
    TooLarge(usize),
    /// The host refused.
    #[error("shared data is unavailable")]
    Unavailable,
}

// === impl Purse ===

impl Purse {
    /// Reserves what a request needs from all budgets of the set, or from none. Soft budgets only count.
    ///
    /// # Errors
    /// Why not. Nothing is reserved then.
    pub fn reserve<C>(
        &self,
        cells: &C,
        set: &BudgetSet,
        need: &Amounts,
        when_short: WhenShort,
        worker: WorkerTag,
        now: UnixMillis,
    ) -> Result<Reservation, NotReserved>
    where
        C: Cells + ?Sized,
    {
        let is_too_large = |budget: &AppliedBudget| budget.is_cap() && need.of(budget.unit) > budget.amount;
        if let Some(at) = set.budgets().iter().position(is_too_large) {
            return Err(NotReserved::TooLarge(at));
        }
        let mut reservation = Reservation { parts: Vec::new() };
        for (at, budget) in set.budgets().iter().enumerate() {
            // A soft cap refuses nothing, and there is no account that could count it.
            if budget.period == Period::Request {
                continue;
            }
            let reserved = need.of(budget.unit);
            let lease = match self.reserve_one(cells, budget, reserved, worker, now) {
                Ok(Some(source)) => Some(source),
                Ok(None) if !budget.is_leased() || reserved == 0 => None,
                Ok(None)
                    if when_short == WhenShort::Policy && budget.on_unavailable == OnUnavailable::Allow =>
                {
                    None
                }
                Ok(None) => {
                    self.cancel(cells, reservation, now);
                    return Err(NotReserved::Short(at));
                }
                Err(_) => {
                    self.cancel(cells, reservation, now);
                    return Err(NotReserved::Unavailable);
                }
            };
            reservation.parts.push(Part {
                budget_id: budget.id.clone(),
                unit: budget.unit,
                lease,
                reserved,
            });
        }
        Ok(reservation)
    }

    /// Ends a reservation: `used` counts as spent, the rest can be reserved again. To be called after the event
    /// is in the journal, and with what that event charges. (Where it could not be written the open record
    /// stands, and charges everything: then settle at what was reserved, by dropping the reservation into
    /// [`Purse::settle_in_full`].)
    ///
    /// Where the host refuses, the part stays reserved until it counts as settled in full.
    pub fn settle<C>(&self, cells: &C, reservation: Reservation, used: &Amounts, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        self.end(cells, reservation, |part| used.of(part.unit), now);
    }

    /// Ends a reservation at what was reserved.
    pub fn settle_in_full<C>(&self, cells: &C, reservation: Reservation, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        self.end(cells, reservation, |part| part.reserved, now);
    }

    /// Ends a reservation of a request that did not reach the provider.
    pub fn cancel<C>(&self, cells: &C, reservation: Reservation, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        self.end(cells, reservation, |_| 0, now);
    }

    /// A worker's VM is dead, and the journal sends its open records as they stand: what it had reserved counts
    /// as settled in full.
    ///
    /// # Errors
    /// The host's; every set is tried.
    pub fn worker_lost<C>(&self, cells: &C, worker: WorkerTag) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        let mut result = Ok(());
        for set in 0..self.shelf.sets() {
            let swept = self.shelf.update_set(cells, set, |entry: &mut Entry| {
                for held in entry.all_mut() {
                    held.write_off(|tag, _| tag == worker);
                }
                Vec::<()>::new()
            });
            result = result.and(swept.map(|_| ()));
        }
        result
    }

    /// The lease that it was reserved from, if it was.
    fn reserve_one<C>(
        &self,
        cells: &C,
        budget: &AppliedBudget,
        amount: u64,
        worker: WorkerTag,
        now: UnixMillis,
    ) -> Result<Option<Source>, CellError>
    where
        C: Cells + ?Sized,
    {
        if !budget.is_leased() || amount == 0 {
            return Ok(None);
        }
        let until = now.plus(self.reservation_ttl_ms);
        let reserved = self.shelf.update(cells, &budget.id, |entry| {
            entry.advance(now);
            let Some(held) = entry.current.as_mut().filter(|held| held.is_open(now)) else {
                return Change::Keep(None);
            };
            let Some(number) = held.reserve(worker, amount, until) else {
                return Change::Keep(None);
            };
            let lease_id = held.id;
            entry.touch(now);
            Change::Store(Some(Source { lease_id, number }))
        })?;
        Ok(reserved.flatten())
    }

    fn end<C>(&self, cells: &C, reservation: Reservation, charged: impl Fn(&Part) -> u64, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        for part in reservation.parts {
            let Some(source) = part.lease else { continue };
            let charged = charged(&part);
            // What the host refuses stays reserved, and is written off in time.
            let _ = self.shelf.update(cells, &part.budget_id, |entry| {
                entry.advance(now);
                let Some(held) = entry.find_mut(source.lease_id) else {
                    return Change::Keep(());
                };
                if !held.settle(source.number, part.reserved, charged) {
                    return Change::Keep(());
                }
                entry.charge(charged, now);
                Change::Store(())
            });
        }
    }
}
