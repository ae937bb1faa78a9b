//! A gateway's report: what it holds, renewed, topped up, given back or closed.

use super::grant::Wish;
use super::lease::{Lease, Stage};
use super::{LeaseRules, Line};
use crate::time::UnixMillis;
use crate::wire::{LeaseHold, LeaseState, LeaseStatus};

// === impl Line ===

impl Line {
    /// Takes over what a gateway says of one lease, and answers it. A lease in use that runs low is topped up,
    /// so that requests seldom have to ask. A lease that is not there is closed.
    pub fn report(
        &mut self,
        instance: &str,
        hold: &LeaseHold,
        now: UnixMillis,
        rules: &LeaseRules,
    ) -> LeaseState {
        self.observe(instance, std::slice::from_ref(hold), now, rules);
        let found = self
            .leases
            .iter()
            .position(|lease| lease.id == hold.lease_id && lease.instance == instance);
        let Some(at) = found else {
            return LeaseState::closed(hold);
        };
        if self.usable_at(instance, now, rules) == Some(at) && !self.account.window.is_over(now) {
            self.top_up(at, hold, rules);
        }
        self.state(at, now, rules)
            .unwrap_or_else(|| LeaseState::closed(hold))
    }

    /// What the ledger says of a gateway's newest lease.
    pub fn state_for(&self, instance: &str, now: UnixMillis, rules: &LeaseRules) -> Option<LeaseState> {
        self.state(self.usable_at(instance, now, rules)?, now, rules)
    }

    fn state(&self, at: usize, now: UnixMillis, rules: &LeaseRules) -> Option<LeaseState> {
        let lease = self.leases.get(at)?;
        let is_newest = self.usable_at(&lease.instance, now, rules) == Some(at);
        let status = match lease.stage {
            Stage::Open if is_newest && !self.account.window.is_over(now) => LeaseStatus::Open,
            Stage::Open => LeaseStatus::Retired,
            Stage::Done | Stage::Closed => LeaseStatus::Closed,
        };
        Some(LeaseState {
            lease_id: lease.id,
            granted: lease.granted,
            settled: lease.settled,
            expires_in_ms: lease.expires_at.0.saturating_sub(now.0),
            status,
            scarce: self.is_scarce(lease, rules),
        })
    }

    fn top_up(&mut self, at: usize, hold: &LeaseHold, rules: &LeaseRules) {
        let Some(lease) = self.leases.get(at) else { return };
        let free = lease.granted.saturating_sub(lease.taken());
        let runs_low = free < hold.recent / 2 || free < hold.waiting;
        if !runs_low || self.is_scarce(lease, rules) {
            return;
        }
        let wish = Wish {
            single: lease.need,
            waiting: hold.waiting,
            ahead: hold.recent,
        };
        self.grow(at, wish, rules);
    }

    /// Whether so little is left that no gateway should keep more than its requests need now.
    fn is_scarce(&self, lease: &Lease, rules: &LeaseRules) -> bool {
        self.share(rules) < lease.need.max(1)
    }
}

// === impl LeaseState ===

impl LeaseState {
    /// A lease that the ledger does not have, or no more.
    pub const fn closed(hold: &LeaseHold) -> Self {
        Self {
            lease_id: hold.lease_id,
            granted: 0,
            settled: 0,
            expires_in_ms: 0,
            status: LeaseStatus::Closed,
            scarce: false,
        }
    }
}
