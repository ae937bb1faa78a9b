//! Reserving from all budgets of a request or from none, and settling.

use thiserror::Error;

use super::Purse;
use super::entry::Entry;
use super::held::WorkerTag;
use super::reservation::{Looked, Part, Reservation, Source};
use super::set::BudgetSet;
use super::shelf::Change;
use super::standing::Standing;
use super::sublease::Subleases;
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

// === impl Subleases ===

impl Subleases {
    /// Reserves what a request needs from all budgets of the set, or from none; from subleases as far as they reach. Soft
    /// budgets only count.
    ///
    /// # Errors
    /// Why not. Nothing is reserved then.
    pub fn reserve<C>(
        &mut self,
        purse: &Purse,
        cells: &C,
        set: &BudgetSet,
        need: &Amounts,
        when_short: WhenShort,
        now: UnixMillis,
    ) -> Result<Reservation, NotReserved>
    where
        C: Cells + ?Sized,
    {
        purse.reserve_with(cells, set, need, when_short, self, now)
    }

    /// Ends a reservation: `used` counts as spent, the rest can be reserved again. To be called after the event
    /// is in the journal, and with what that event charges. (Where it could not be written the open record
    /// stands, and charges everything: then settle at what was reserved, by dropping the reservation into
    /// [`Self::settle_in_full`].)
    ///
    /// Where the host refuses, the part stays reserved until it counts as settled in full.
    pub fn settle<C>(
        &mut self,
        purse: &Purse,
        cells: &C,
        reservation: Reservation,
        used: &Amounts,
        now: UnixMillis,
    ) where
        C: Cells + ?Sized,
    {
        purse.end(cells, reservation, |part| used.of(part.unit), self, now);
    }

    /// Ends a reservation at what was reserved.
    pub fn settle_in_full<C>(&mut self, purse: &Purse, cells: &C, reservation: Reservation, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        purse.end(cells, reservation, |part| part.reserved, self, now);
    }

    /// Ends a reservation of a request that did not reach the provider.
    pub fn cancel<C>(&mut self, purse: &Purse, cells: &C, reservation: Reservation, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        purse.end(cells, reservation, |_| 0, self, now);
    }

    /// How the budgets of a set stand, with what this worker has not written down yet; caps for single requests are left
    /// out.
    ///
    /// # Errors
    /// The host's.
    pub fn standings<'a, C>(
        &self,
        purse: &Purse,
        cells: &C,
        set: &'a BudgetSet,
    ) -> Result<Vec<Standing<'a>>, CellError>
    where
        C: Cells + ?Sized,
    {
        purse.standings_with(cells, set, self)
    }

    /// What a request could reserve now, of every unit: the least that any budget or cap leaves it, with what is free here.
    ///
    /// # Errors
    /// The host's.
    pub fn left<C>(
        &self,
        purse: &Purse,
        cells: &C,
        set: &BudgetSet,
        now: UnixMillis,
    ) -> Result<Amounts, CellError>
    where
        C: Cells + ?Sized,
    {
        purse.left_with(cells, set, self, now)
    }
}

// === impl Purse ===

impl Purse {
    fn reserve_with<C>(
        &self,
        cells: &C,
        set: &BudgetSet,
        need: &Amounts,
        when_short: WhenShort,
        subleases: &mut Subleases,
        now: UnixMillis,
    ) -> Result<Reservation, NotReserved>
    where
        C: Cells + ?Sized,
    {
        let is_too_large = |budget: &AppliedBudget| budget.is_cap() && need.of(budget.unit) > budget.amount;
        if let Some(at) = set.budgets().iter().position(is_too_large) {
            return Err(NotReserved::TooLarge(at));
        }
        let mut reservation = Reservation {
            parts: Vec::with_capacity(set.budgets().len()),
        };
        for (at, budget) in set.budgets().iter().enumerate() {
            // A soft cap refuses nothing, and there is no account that could count it.
            if budget.period == Period::Request {
                continue;
            }
            let reserved = need.of(budget.unit);
            let Ok(looked) = self.reserve_one(cells, budget, reserved, subleases, now) else {
                self.end(cells, reservation, |_| 0, subleases, now);
                return Err(NotReserved::Unavailable);
            };
            let needs_no_lease = !budget.is_leased() || reserved == 0;
            let is_debt = when_short == WhenShort::Policy && budget.on_unavailable == OnUnavailable::Allow;
            if looked.source.is_none() && !needs_no_lease && !is_debt {
                self.end(cells, reservation, |_| 0, subleases, now);
                // The ledger is told what is in use: nothing that only lies ready.
                subleases.give_back(self, cells, set, now);
                return Err(NotReserved::Short(at));
            }
            reservation.parts.push(Part {
                budget_id: budget.id.clone(),
                unit: budget.unit,
                lease: looked.source,
                reserved,
                known: looked.known,
            });
        }
        Ok(reservation)
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

    /// Reserves from one budget: from the worker's sublease, or from the lease, where another sublease is taken with
    /// it if that pays.
    fn reserve_one<C>(
        &self,
        cells: &C,
        budget: &AppliedBudget,
        amount: u64,
        subleases: &mut Subleases,
        now: UnixMillis,
    ) -> Result<Looked, CellError>
    where
        C: Cells + ?Sized,
    {
        if !budget.is_leased() {
            return Ok(Looked::default());
        }
        if let Some(paid) = subleases.pay(&budget.id, amount, now) {
            return Ok(paid);
        }
        if amount == 0 {
            // Where the host refuses, how it stood when it was learned that it applies is shown.
            let known = self.known(cells, &budget.id).ok().flatten();
            return Ok(Looked { source: None, known });
        }
        let worker = subleases.worker();
        let (own, may_sublet) = (subleases.of(&budget.id), subleases.has_room(&budget.id));
        let until = now.plus(self.reservation_ttl_ms);
        let found = self.shelf.update(cells, &budget.id, |entry| {
            entry.advance(now);
            let has_ended = own.is_some_and(|own| own.end(entry, now));
            let is_busy = entry.is_busy(now);
            let held = entry.current.as_mut().filter(|held| held.is_open(now));
            let source = held.and_then(|held| {
                let number = held.reserve(worker, amount, until)?;
                let lease_id = held.id;
                Some(Source { lease_id, number })
            });
            let looked = Looked {
                source,
                known: entry.known(),
            };
            if source.is_none() {
                let found = (looked, None);
                return if has_ended {
                    Change::Store(found)
                } else {
                    Change::Keep(found)
                };
            }
            let next = if may_sublet && is_busy {
                entry.sublet(worker, amount, self.reservation_ttl_ms, now)
            } else {
                None
            };
            entry.touch(now);
            Change::Store((looked, next))
        })?;
        let (looked, next) = found.unwrap_or_default();
        subleases.replace(&budget.id, next);
        Ok(looked)
    }

    fn end<C>(
        &self,
        cells: &C,
        reservation: Reservation,
        charged: impl Fn(&Part) -> u64,
        subleases: &mut Subleases,
        now: UnixMillis,
    ) where
        C: Cells + ?Sized,
    {
        for part in reservation.parts {
            let Some(source) = part.lease else { continue };
            let charged = charged(&part);
            let what = (source, part.reserved, charged);
            if subleases.settle_part(self, cells, &part.budget_id, what, now) {
                continue;
            }
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
