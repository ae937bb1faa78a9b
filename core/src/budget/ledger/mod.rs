//! The ledger's rules, as values: what one SQL transaction reads, changes and writes back.
//!
//! The store keeps three kinds of row. An [`Account`] is one budget in one window of its period. A [`Lease`] is
//! a part of an account that one gateway process has. A [`LedgerClock`] is one row for the whole ledger. A
//! transaction locks the accounts that it needs (ascending by id, so that two cannot wait for each other) with
//! their leases, calls a function of this module, and writes back what changed:
//!
//! | when | locks | calls |
//! |---|---|---|
//! | `POST /v1/leases` | each budget that applies: its account of now, leases not closed | [`Line::reclaim`], [`grant`], [`Account::cross`] |
//! | `POST /v1/leases/report` | each hold: the lease's own account, leases not closed | [`Line::reclaim`], [`Line::report`] |
//! | an event, if its id is new | each charge: the lease and its account | [`Account::settle`], [`Account::cross`] |
//! | every few seconds | accounts with a lease past its end, or that ends later than one that began now | [`Line::reclaim`] |
//! | every second, each sidecar | the clock | [`LedgerClock::beat`] |
//! | a deposit, if its key is new | the account | [`Account::deposit`] |
//! | a budget's amount changes | the account of now | sets [`Account::amount`] |
//!
//! A [raise](super::raise) that begins or ends changes the amount, too: whoever locks an account sets it by the time.
//!
//! An account is made when it is first needed, for the window of [`Period::window`](super::Period::window) that
//! the ledger's now is in. Lease rows are kept for a while after they are closed: a charge that comes late finds
//! its account by them.

mod account;
mod clock;
mod grant;
mod lease;
mod report;

pub use account::{Account, Manner, Settled};
pub use clock::LedgerClock;
pub use grant::{Ask, Denied, grant};
pub use lease::{Lease, Reclaimed, Stage};

use super::raise::RaiseEnds;
use super::unit::Unit;
use crate::time::UnixMillis;
use crate::wire::LeaseHold;

/// How leases are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseRules {
    /// A gateway may reserve from a lease for so long after the ledger heard of it, in milliseconds.
    pub ttl_ms: u64,
    /// How long after that the ledger waits before it takes the rest back, in milliseconds: longer than it takes
    /// an event to arrive.
    pub grace_ms: u64,
    /// A lease older than this is replaced, in milliseconds: what a crashed worker left reserved in it is then
    /// freed for good.
    pub max_age_ms: u64,
    /// Beyond what requests need now, all gateways together lease at most one part in so many of what is left
    /// at a time.
    pub share: u64,
    /// Where the recent spend says nothing, a lease is made for so many requests.
    pub ahead: u64,
}

/// An account with its leases that are not closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The budget.
    pub budget_id: String,
    /// What the budget counts.
    pub unit: Unit,
    /// The account.
    pub account: Account,
    /// Leases of it; those that a call has closed are still there, as [`Stage::Closed`].
    pub leases: Vec<Lease>,
    /// When the raises end that are, or were, in the account's amount.
    pub raise_ends: RaiseEnds,
}

// === impl LeaseRules ===

impl Default for LeaseRules {
    /// Two minutes, one minute of grace, replaced every hour; a quarter of what is left at a time.
    fn default() -> Self {
        Self {
            ttl_ms: 120_000,
            grace_ms: 60_000,
            max_age_ms: 3_600_000,
            share: 4,
            ahead: 8,
        }
    }
}

// === impl Line ===

impl Line {
    /// Takes back what is left of leases whose end and grace are past. Says what was taken: at most that much was in
    /// flight when the gateway died, and what of it the gateway had told. A lease that ends later than any can, since
    /// the clock has jumped back, ends as one that is renewed now.
    pub fn reclaim(&mut self, now: UnixMillis, clock: &LedgerClock, rules: &LeaseRules) -> Vec<Reclaimed> {
        let account = &mut self.account;
        let mut reclaimed = Vec::new();
        for lease in self
            .leases
            .iter_mut()
            .filter(|lease| lease.stage != Stage::Closed)
        {
            lease.mend(now, rules);
            if clock.reclaim_at(lease, rules) <= now {
                reclaimed.push(account.close(lease));
            }
        }
        reclaimed
    }

    /// The newest lease of a gateway process from which it may still reserve.
    pub fn usable(&self, instance: &str, now: UnixMillis, rules: &LeaseRules) -> Option<&Lease> {
        self.usable_at(instance, now, rules)
            .and_then(|at| self.leases.get(at))
    }

    /// Takes over what a gateway says of its leases.
    fn observe(&mut self, instance: &str, holds: &[LeaseHold], now: UnixMillis, rules: &LeaseRules) {
        let end = self.end_of_lease(now, rules);
        let account = &mut self.account;
        for lease in self.leases.iter_mut().filter(|lease| lease.instance == instance) {
            let Some(hold) = holds.iter().find(|hold| hold.lease_id == lease.id) else {
                continue;
            };
            account.change(lease, |lease| lease.observe(hold, end, now, rules));
            if lease.is_drained() {
                lease.stage = Stage::Closed;
            }
        }
    }

    fn usable_at(&self, instance: &str, now: UnixMillis, rules: &LeaseRules) -> Option<usize> {
        let newest = self
            .leases
            .iter()
            .enumerate()
            .filter(|(_, lease)| lease.instance == instance)
            .max_by_key(|(_, lease)| lease.id)?;
        let is_usable = newest.1.is_usable(now, rules) && !self.raise_ends.outdates(newest.1.opened_at);
        is_usable.then_some(newest.0)
    }

    /// When a lease ends that is cut or renewed now.
    fn end_of_lease(&self, now: UnixMillis, rules: &LeaseRules) -> UnixMillis {
        self.raise_ends.cap(now.plus(rules.ttl_ms))
    }

    /// How many leases share what is left.
    fn holders(&self) -> u64 {
        let open = self.leases.iter().filter(|lease| lease.stage == Stage::Open);
        (open.count() as u64).max(1)
    }

    /// How much one gateway may lease beyond what its requests need now.
    fn share(&self, rules: &LeaseRules) -> u64 {
        self.account.room() / rules.share.saturating_mul(self.holders()).max(1)
    }
}

#[cfg(test)]
mod raise_tests;
#[cfg(test)]
mod tests;
