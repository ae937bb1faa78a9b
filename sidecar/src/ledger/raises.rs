//! Raises of budgets, as the ledger keeps them: all of them with the budget, and what an account's amount is raised by
//! with the account. The two are written together, under the lock of the account.

use serde::{Deserialize, Serialize};
use tollgate_core::budget::{Raise, RaiseEnds};
use tollgate_core::time::UnixMillis;

use super::budgets::StoredBudget;

/// Raises that a budget remembers. Only ended ones make way.
const MAX_RAISES: usize = 100;

/// A raise as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRaise {
    /// Stable id, a ULID after `rse_`.
    pub id: String,
    /// By how much, in the smallest part of the budget's unit.
    pub amount: u64,
    /// When it ends: milliseconds since the Unix epoch.
    pub until: u64,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// When it was made.
    pub created_at: u64,
    /// When it was withdrawn, where that was before its end.
    pub withdrawn_at: Option<u64>,
}

/// What an account keeps of a raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AccountRaise {
    amount: u64,
    until: u64,
}

// === impl StoredRaise ===

impl StoredRaise {
    /// When it ends, or has ended.
    pub fn ends_at(&self) -> UnixMillis {
        UnixMillis(self.withdrawn_at.map_or(self.until, |at| at.min(self.until)))
    }

    /// Whether it lasts.
    pub fn is_on(&self, now: UnixMillis) -> bool {
        now < self.ends_at()
    }
}

impl From<&StoredRaise> for Raise {
    fn from(raise: &StoredRaise) -> Self {
        Self {
            amount: raise.amount,
            until: raise.ends_at(),
        }
    }
}

// === impl AccountRaise ===

impl AccountRaise {
    /// What accounts keep of a budget's raises.
    pub(super) fn of(raises: &[StoredRaise]) -> Vec<Self> {
        let kept = raises.iter().map(|raise| Self {
            amount: raise.amount,
            until: raise.ends_at().0,
        });
        kept.collect()
    }
}

impl From<AccountRaise> for Raise {
    fn from(raise: AccountRaise) -> Self {
        Self {
            amount: raise.amount,
            until: UnixMillis(raise.until),
        }
    }
}

// === impl StoredBudget ===

impl StoredBudget {
    /// By how much raises raise it now.
    pub fn raised(&self, now: UnixMillis) -> u64 {
        Raise::sum(self.raises.iter().map(Raise::from), now)
    }

    /// When the first of the raises ends that last.
    pub fn raised_until(&self, now: UnixMillis) -> Option<UnixMillis> {
        RaiseEnds::of(self.raises.iter().map(Raise::from), now).next
    }

    /// How much there is now, raises included.
    pub fn amount_at(&self, now: UnixMillis) -> u64 {
        self.budget.amount.saturating_add(self.raised(now))
    }

    /// Adds a raise; false where there are as many as may be.
    pub fn raise(&mut self, raise: StoredRaise, now: UnixMillis) -> bool {
        if self.raises.len() >= MAX_RAISES {
            let Some(ended) = self.raises.iter().position(|raise| !raise.is_on(now)) else {
                return false;
            };
            self.raises.remove(ended);
        }
        self.raises.push(raise);
        true
    }
}
