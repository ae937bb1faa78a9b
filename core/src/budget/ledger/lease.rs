//! A lease: the part of an account that one gateway process has.

use super::LeaseRules;
use crate::time::UnixMillis;
use crate::wire::{LeaseHold, LeaseId};

/// The part of an account that one gateway process has. `granted`, `settled` and `returned` only ever grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Numbered by the ledger.
    pub id: LeaseId,
    /// The gateway process that has it.
    pub instance: String,
    /// How much was granted since it began.
    pub granted: u64,
    /// How much events have charged to it.
    pub settled: u64,
    /// How much was given back.
    pub returned: u64,
    /// How much the gateway says was charged or is reserved, when it was last heard.
    pub used: u64,
    /// What one request needed, when one last asked.
    pub need: u64,
    /// When it began.
    pub opened_at: UnixMillis,
    /// Until when the gateway may reserve from it.
    pub expires_at: UnixMillis,
    /// Where in its life it is.
    pub stage: Stage,
}

/// Where in its life a lease is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The gateway may reserve from it.
    Open,
    /// Nothing is reserved from it and nothing will be; charges are still on their way.
    Done,
    /// Nothing of it is leased.
    Closed,
}

/// What was taken back from a lease that ran out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reclaimed {
    /// The lease.
    pub lease_id: LeaseId,
    /// The gateway process that had it.
    pub instance: String,
    /// How much was taken back. If the gateway has died, this is the most that it can have had in flight.
    pub amount: u64,
    /// How much of what the gateway said it used was never charged: what was in flight when it was last heard, if
    /// it has died. To be reported where it is not zero.
    pub unaccounted: u64,
}

// === impl Lease ===

impl Lease {
    pub(super) fn new(id: LeaseId, instance: &str, now: UnixMillis, end: UnixMillis) -> Self {
        Self {
            id,
            instance: instance.to_owned(),
            granted: 0,
            settled: 0,
            returned: 0,
            used: 0,
            need: 0,
            opened_at: now,
            expires_at: end,
            stage: Stage::Open,
        }
    }

    /// How much of it may still be charged.
    pub const fn outstanding(&self) -> u64 {
        match self.stage {
            Stage::Open | Stage::Done => self.granted.saturating_sub(self.gone()),
            Stage::Closed => 0,
        }
    }

    /// Whether its gateway may get more of it.
    pub(super) fn is_usable(&self, now: UnixMillis, rules: &LeaseRules) -> bool {
        // A clock that jumped back makes no lease old.
        self.stage == Stage::Open && now.0.saturating_sub(self.opened_at.0) < rules.max_age_ms
    }

    /// Whether it is done and every charge has come.
    pub(super) const fn is_drained(&self) -> bool {
        matches!(self.stage, Stage::Done) && self.outstanding() == 0
    }

    /// Sees to a clock that has jumped back: no lease ends later than one that is renewed now.
    pub(super) fn mend(&mut self, now: UnixMillis, rules: &LeaseRules) {
        self.expires_at = self.expires_at.min(now.plus(rules.ttl_ms));
    }

    /// Takes over what its gateway says. What comes twice or late does no harm: only `used` and `need` are not
    /// totals, and they only decide how large the lease should be. A message by which less was given back than is
    /// known is older than another one that has come: what was used then may be what was given back since.
    pub(super) fn observe(&mut self, hold: &LeaseHold, end: UnixMillis, now: UnixMillis, rules: &LeaseRules) {
        if self.stage == Stage::Closed {
            return;
        }
        if hold.returned >= self.returned && self.stage == Stage::Open {
            self.used = hold.used;
            self.returned = hold.returned.min(self.granted);
        }
        if hold.done {
            self.stage = Stage::Done;
            self.returned = self.returned.max(self.granted.saturating_sub(hold.used));
        }
        self.renew(end, now, rules);
    }

    /// Moves its end, never to before what its gateway was told: it may not hear of it.
    pub(super) fn renew(&mut self, end: UnixMillis, now: UnixMillis, rules: &LeaseRules) {
        self.mend(now, rules);
        self.expires_at = self.expires_at.max(end);
    }

    /// What can no more be charged: settled or given back.
    pub(super) const fn gone(&self) -> u64 {
        self.settled.saturating_add(self.returned)
    }

    /// What its gateway can no more reserve, as far as the ledger knows.
    pub(super) const fn taken(&self) -> u64 {
        self.used.saturating_add(self.returned)
    }
}
