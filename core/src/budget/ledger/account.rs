//! An account: one budget in one window of its period.

use super::lease::{Lease, Reclaimed, Stage};
use crate::budget::period::Window;
use crate::budget::spec::Enforcement;
use crate::budget::unit::MAX_AMOUNT;
use crate::wire::BudgetCharge;

/// One budget in one window of its period. All amounts are in the smallest part of the budget's unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// When it counts.
    pub window: Window,
    /// How much there is. For the window of now the budget's amount; past windows keep theirs.
    pub amount: u64,
    /// Whether the budget refuses.
    pub enforcement: Enforcement,
    /// Everything that events have charged.
    pub spent: u64,
    /// What all leases may still spend: the sum of [`Lease::outstanding`].
    pub leased: u64,
    /// By how much charges went past the amount: late ones, debts, and calls that cost more than was reserved.
    pub overrun: u64,
    /// What was charged without a lease to a hard budget, because the sidecar was away.
    pub debt: u64,
    /// Thresholds that have been told, in percent, ascending.
    pub told: Vec<u8>,
}

/// How a charge was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// How it was applied.
    pub manner: Manner,
    /// By how much it went past the amount: to be reported where it is not zero.
    pub overrun: u64,
}

/// Where a charge was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// From its lease.
    Leased,
    /// Its lease is closed: from what is left.
    Late,
    /// It never had a lease, though the budget is hard: from what is left.
    Debt,
    /// The budget is soft.
    Counted,
}

// === impl Account ===

impl Account {
    /// A new account.
    pub const fn new(window: Window, amount: u64, enforcement: Enforcement) -> Self {
        Self {
            window,
            amount,
            enforcement,
            spent: 0,
            leased: 0,
            overrun: 0,
            debt: 0,
            told: Vec::new(),
        }
    }

    /// What is neither spent nor leased.
    pub const fn room(&self) -> u64 {
        self.amount.saturating_sub(self.committed())
    }

    /// What is spent or leased.
    pub const fn committed(&self) -> u64 {
        self.spent.saturating_add(self.leased)
    }

    /// Applies one charge of an event that is seen for the first time. `lease` is the one that the charge names,
    /// in whatever stage, where it is known. What was charged is spent, whatever else is true.
    pub fn settle(&mut self, charge: &BudgetCharge, lease: Option<&mut Lease>) -> Settled {
        let charged = charge.charged.min(MAX_AMOUNT);
        let before = self.excess();
        let manner = match (lease, charge.lease_id) {
            (Some(lease), Some(id)) if lease.id == id => {
                let is_open = lease.stage != Stage::Closed;
                self.change(lease, |lease| {
                    lease.settled = lease.settled.saturating_add(charged);
                });
                if lease.is_drained() {
                    lease.stage = Stage::Closed;
                }
                if is_open { Manner::Leased } else { Manner::Late }
            }
            (_, Some(_)) => Manner::Late,
            (_, None) if self.enforcement == Enforcement::Soft => Manner::Counted,
            (_, None) => Manner::Debt,
        };
        self.spent = self.spent.saturating_add(charged);
        if manner == Manner::Debt {
            self.debt = self.debt.saturating_add(charged);
        }
        let overrun = match self.enforcement {
            Enforcement::Hard => self.excess().saturating_sub(before),
            Enforcement::Soft => 0,
        };
        self.overrun = self.overrun.saturating_add(overrun);
        Settled { manner, overrun }
    }

    /// The thresholds that are reached now and were not told before: each is told once in a window. A budget
    /// that just `refused` a request has reached 100 %, though the request that would have spent the rest did
    /// not fit.
    pub fn cross(&mut self, thresholds: &[u8], refused: bool) -> Vec<u8> {
        let mut crossed: Vec<u8> = thresholds.to_vec();
        crossed.retain(|percent| !self.told.contains(percent) && (refused || self.has_reached(*percent)));
        self.told.extend(&crossed);
        self.told.sort_unstable();
        crossed
    }

    /// Adds a deposit to a prepaid balance. Thresholds that are no longer reached may be told again.
    pub fn deposit(&mut self, amount: u64) {
        self.amount = self.amount.saturating_add(amount).min(MAX_AMOUNT);
        let mut told = std::mem::take(&mut self.told);
        told.retain(|percent| self.has_reached(*percent));
        self.told = told;
    }

    /// Takes back what is left of a lease.
    pub(super) fn close(&mut self, lease: &mut Lease) -> Reclaimed {
        let reclaimed = Reclaimed {
            lease_id: lease.id,
            instance: lease.instance.clone(),
            amount: lease.outstanding(),
            unaccounted: lease.used.saturating_sub(lease.settled),
        };
        self.change(lease, |lease| lease.stage = Stage::Closed);
        reclaimed
    }

    /// Changes a lease, and what is leased with it.
    pub(super) fn change(&mut self, lease: &mut Lease, change: impl FnOnce(&mut Lease)) {
        let before = lease.outstanding();
        change(lease);
        self.leased = self
            .leased
            .saturating_add(lease.outstanding())
            .saturating_sub(before);
    }

    fn excess(&self) -> u64 {
        self.committed().saturating_sub(self.amount)
    }

    fn has_reached(&self, percent: u8) -> bool {
        let (spent, amount) = (u128::from(self.spent), u128::from(self.amount));
        amount > 0 && spent * 100 >= amount * u128::from(percent)
    }
}
