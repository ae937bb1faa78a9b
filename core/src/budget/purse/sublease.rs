//! A worker's subleases: pieces of leases in its own memory, from which most requests are paid without a host call.
//!
//! In the cells a sublease is nothing but an amount that the worker has reserved. Of that amount the worker knows by
//! itself which part is free, which is promised to exchanges, and which those that have ended have cost; it writes the
//! sum of it down on its tick ([`Subleases::flush`]). What follows:
//!
//! - Nothing can be spent twice: what is here is reserved there, and all that is reserved is within what was granted.
//! - A worker that dies takes its sublease with it. Its part is written off as ever, until the lease ends; the ledger
//!   charges events only.
//! - A refusal waits for nobody's sublease. It is small next to what is free ([`SHARE`]), and exists only where there
//!   is plenty: not near the end of a lease or a budget, and not while a request waits for money. There every request
//!   reserves in the cell. What a worker has here never counts against its own requests.

use hashbrown::HashMap;

use super::Purse;
use super::entry::Entry;
use super::held::WorkerTag;
use super::reservation::{Looked, Source};
use super::set::BudgetSet;
use super::shelf::Change;
use super::standing::Known;
use crate::cells::Cells;
use crate::time::UnixMillis;
use crate::wire::LeaseId;

/// A sublease takes at most one part in so many of what is free in a lease.
pub(super) const SHARE: u64 = 64;

/// It is made for so many requests like the largest that it paid for lately, at most and at least: where the lease has
/// not so much, each request reserves in the cell.
const MOST_REQUESTS: u64 = 64;
const FEWEST_REQUESTS: u64 = 4;

/// Requests are paid from it for so many milliseconds after it was last renewed. A worker ticks more often; one that
/// does not may have missed that the lease has come to its end.
const LASTS_MS: u64 = 1_000;

/// Budgets of which a worker has subleases at a time: each costs a call on its tick.
const MAX_SUBLEASES: usize = 256;

/// The subleases of one worker.
#[derive(Debug)]
pub struct Subleases {
    worker: WorkerTag,
    max: usize,
    by_budget: HashMap<String, Sublease>,
}

/// A piece of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sublease {
    source: Source,
    /// Reserved in the cell, and promised to no exchange.
    free: u64,
    /// With so much free, too much: it is renewed, which gives back what is more than it should have.
    too_much: u64,
    /// What exchanges have cost that ended since it was renewed.
    charged: u64,
    /// How much of that is still reserved in the cell: all of it, but for what went past every reservation.
    ended: u64,
    /// The most that one request has needed since it was renewed.
    need: u64,
    /// How many requests were paid from it since.
    paid: u32,
    renewed_at: UnixMillis,
    /// From then on nothing is paid from it.
    ends_at: UnixMillis,
    /// How the budget stood when it was renewed.
    known: Known,
}

/// What became of a reservation that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// It is no part of a sublease: it settles in the cell.
    Elsewhere,
    Here,
    /// More is free now than a sublease should have.
    TooMuch,
}

// === impl Subleases ===

impl Subleases {
    /// Those of a worker that has none yet.
    pub fn new(worker: WorkerTag) -> Self {
        Self {
            worker,
            max: MAX_SUBLEASES,
            by_budget: HashMap::new(),
        }
    }

    /// No subleases: a worker that reserves everything in the cells.
    #[cfg(test)]
    pub(super) fn none(worker: WorkerTag) -> Self {
        Self {
            max: 0,
            ..Self::new(worker)
        }
    }

    pub(super) const fn worker(&self) -> WorkerTag {
        self.worker
    }

    /// On a worker's tick: writes down what exchanges have cost, and gives back what is not used, or not plentiful
    /// any more. Where the host refuses, the next tick does it.
    pub fn flush<C>(&mut self, purse: &Purse, cells: &C, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        let worker = self.worker;
        self.by_budget
            .retain(|budget_id, sublease| sublease.renew(purse, cells, budget_id, worker, now));
    }

    /// There will be no more ticks: gives everything back, and takes no more. Exchanges that are still open settle in
    /// the cells.
    pub fn close<C>(&mut self, purse: &Purse, cells: &C, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        self.max = 0;
        self.by_budget
            .retain(|budget_id, sublease| sublease.give_back(purse, cells, budget_id, now));
    }

    /// Gives back what it has of the budgets of a set: one of them cannot pay a request.
    pub(super) fn give_back<C>(&mut self, purse: &Purse, cells: &C, set: &BudgetSet, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        for budget in set.leased() {
            if let Some(sublease) = self.by_budget.get_mut(&budget.id)
                && !sublease.give_back(purse, cells, &budget.id, now)
            {
                self.by_budget.remove(&budget.id);
            }
        }
    }

    /// Pays for a request, if a sublease of the budget can.
    pub(super) fn pay(&mut self, budget_id: &str, amount: u64, now: UnixMillis) -> Option<Looked> {
        let own = self.by_budget.get_mut(budget_id)?;
        let known = Some(own.known_by_now());
        if amount == 0 {
            return Some(Looked { source: None, known });
        }
        // Before it was renewed is after the clock has jumped back: its end says nothing then.
        if now < own.renewed_at || own.ends_at <= now {
            return None;
        }
        own.free = own.free.checked_sub(amount)?;
        own.paid = own.paid.saturating_add(1);
        own.need = own.need.max(amount);
        Some(Looked {
            source: Some(own.source),
            known,
        })
    }

    /// Ends a reservation in memory; false where it is to be ended in the cell.
    pub(super) fn settle_part<C>(
        &mut self,
        purse: &Purse,
        cells: &C,
        budget_id: &str,
        (source, reserved, charged): (Source, u64, u64),
        now: UnixMillis,
    ) -> bool
    where
        C: Cells + ?Sized,
    {
        let worker = self.worker;
        let Some(own) = self.by_budget.get_mut(budget_id) else {
            return false;
        };
        match own.settle(source, reserved, charged) {
            Settled::Elsewhere => return false,
            Settled::Here => {}
            Settled::TooMuch => {
                if !own.renew(purse, cells, budget_id, worker, now) {
                    self.by_budget.remove(budget_id);
                }
            }
        }
        true
    }

    pub(super) fn of(&self, budget_id: &str) -> Option<Sublease> {
        self.by_budget.get(budget_id).copied()
    }

    /// Whether there may be one of this budget.
    pub(super) fn has_room(&self, budget_id: &str) -> bool {
        self.by_budget.len() < self.max || self.max > 0 && self.by_budget.contains_key(budget_id)
    }

    pub(super) fn replace(&mut self, budget_id: &str, sublease: Option<Sublease>) {
        match sublease {
            Some(sublease) => {
                if let Some(own) = self.by_budget.get_mut(budget_id) {
                    *own = sublease;
                } else {
                    self.by_budget.insert(budget_id.to_owned(), sublease);
                }
            }
            None => {
                self.by_budget.remove(budget_id);
            }
        }
    }
}

// === impl Sublease ===

impl Sublease {
    /// What is free of it, where it is of this lease.
    pub(super) fn free_of(&self, lease_id: LeaseId) -> u64 {
        if self.source.lease_id == lease_id {
            self.free
        } else {
            0
        }
    }

    /// How the budget stands, as far as this worker knows.
    pub(super) const fn known_by_now(&self) -> Known {
        Known {
            amount: self.known.amount,
            used: self.known.used.saturating_add(self.charged),
        }
    }

    /// Writes what has happened since it was renewed into the budget's entry, and gives back what is free; false
    /// where its part is no more: all of it counts as settled then.
    pub(super) fn end(&self, entry: &mut Entry, now: UnixMillis) -> bool {
        let freed = self.ended.saturating_add(self.free);
        let is_there = entry
            .find_mut(self.source.lease_id)
            .is_some_and(|held| held.settle(self.source.number, freed, self.charged));
        if is_there && self.charged > 0 {
            entry.charge(self.charged, now);
        } else if is_there && self.paid > 0 {
            entry.touch(now);
        }
        is_there
    }

    fn settle(&mut self, source: Source, reserved: u64, charged: u64) -> Settled {
        if self.source != source {
            return Settled::Elsewhere;
        }
        // What cost more than it had reserved is paid from what is free, as far as that goes.
        let dearer = charged.saturating_sub(reserved).min(self.free);
        let spared = reserved.saturating_sub(charged);
        self.free = self.free.saturating_sub(dearer).saturating_add(spared);
        self.ended = self
            .ended
            .saturating_add(charged.min(reserved))
            .saturating_add(dearer);
        self.charged = self.charged.saturating_add(charged);
        if self.free > self.too_much {
            Settled::TooMuch
        } else {
            Settled::Here
        }
    }

    /// Writes down what has happened, and takes it anew where it was used and there is plenty; false where it is no
    /// more.
    fn renew<C>(
        &mut self,
        purse: &Purse,
        cells: &C,
        budget_id: &str,
        worker: WorkerTag,
        now: UnixMillis,
    ) -> bool
    where
        C: Cells + ?Sized,
    {
        let own = *self;
        let renewed = purse.shelf.update(cells, budget_id, |entry| {
            entry.advance(now);
            if !own.end(entry, now) {
                return Change::Keep(None);
            }
            let is_used = own.paid > 0;
            let next = is_used.then(|| entry.sublet(worker, own.need, purse.reservation_ttl_ms, now));
            Change::Store(next.flatten())
        });
        match renewed {
            Ok(Some(Some(next))) => *self = next,
            Ok(Some(None) | None) => return false,
            // It ends by itself; what it has to say is said later.
            Err(_) => {}
        }
        true
    }

    /// Writes down what has happened, and gives back the rest; true where the host refuses.
    fn give_back<C>(&self, purse: &Purse, cells: &C, budget_id: &str, now: UnixMillis) -> bool
    where
        C: Cells + ?Sized,
    {
        let given = purse.shelf.update(cells, budget_id, |entry| {
            entry.advance(now);
            if self.end(entry, now) {
                Change::Store(())
            } else {
                Change::Keep(())
            }
        });
        given.is_err()
    }
}

// === impl Entry ===

impl Entry {
    /// Takes a sublease for requests that need so much, where there is plenty.
    pub(super) fn sublet(
        &mut self,
        worker: WorkerTag,
        need: u64,
        reservation_ttl_ms: u64,
        now: UnixMillis,
    ) -> Option<Sublease> {
        if need == 0 || self.scarce || self.is_waited_for() {
            return None;
        }
        let known = self.known()?;
        let held = self.current.as_mut().filter(|held| held.is_open(now))?;
        let free = (held.free() / SHARE).min(need.saturating_mul(MOST_REQUESTS));
        if free < need.saturating_mul(FEWEST_REQUESTS) {
            return None;
        }
        // What is promised at its last moment must outlast its exchange.
        let until = now.plus(LASTS_MS).plus(reservation_ttl_ms);
        let number = held.reserve(worker, free, until)?;
        Some(Sublease {
            source: Source {
                lease_id: held.id,
                number,
            },
            free,
            too_much: free.saturating_mul(2),
            charged: 0,
            ended: 0,
            need,
            paid: 0,
            renewed_at: now,
            ends_at: held.expires_at.min(held.period_ends_at).min(now.plus(LASTS_MS)),
            known,
        })
    }
}
