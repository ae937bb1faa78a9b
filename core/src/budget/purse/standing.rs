//! How a request's budgets stand: for headers, warnings, and the choice of a cheaper model.

use super::Purse;
use super::set::BudgetSet;
use crate::budget::unit::Amounts;
use crate::cells::{CellError, Cells};
use crate::time::UnixMillis;
use crate::wire::AppliedBudget;

/// How one budget stands, as far as this Envoy knows: what others have spent since the ledger last answered is
/// not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The budget.
    pub budget: &'a AppliedBudget,
    /// How much there is in the period.
    pub amount: u64,
    /// How much of that is spent.
    pub used: u64,
}

// === impl Standing ===

impl Standing<'_> {
    /// How much is left.
    pub const fn remaining(&self) -> u64 {
        self.amount.saturating_sub(self.used)
    }

    /// How many percent are left, rounded down.
    pub fn percent_left(&self) -> u8 {
        if self.amount == 0 {
            return 0;
        }
        let percent = u128::from(self.remaining()) * 100 / u128::from(self.amount);
        u8::try_from(percent).unwrap_or(100)
    }

    /// The highest of the budget's thresholds that is reached, in percent.
    pub fn threshold(&self) -> Option<u8> {
        let (used, amount) = (u128::from(self.used), u128::from(self.amount));
        let reached = |percent: &&u8| used * 100 >= amount * u128::from(**percent);
        self.budget.thresholds.iter().rev().find(reached).copied()
    }
}

// === impl Purse ===

impl Purse {
    /// How the budgets of a set stand; caps for single requests are left out.
    ///
    /// # Errors
    /// The host's.
    pub fn standings<'a, C>(&self, cells: &C, set: &'a BudgetSet) -> Result<Vec<Standing<'a>>, CellError>
    where
        C: Cells + ?Sized,
    {
        set.accounts()
            .map(|budget| {
                let entry = if budget.is_leased() {
                    self.shelf.read(cells, &budget.id)?
                } else {
                    None
                };
                let known = entry.filter(|entry| entry.current.is_some());
                Ok(known.map_or(
                    Standing {
                        budget,
                        amount: budget.amount,
                        used: budget.spent,
                    },
                    |entry| Standing {
                        budget,
                        amount: entry.amount,
                        used: entry.spent_by_now(),
                    },
                ))
            })
            .collect()
    }

    /// What a request could reserve now, of every unit: the least that any budget or cap leaves it.
    ///
    /// # Errors
    /// The host's.
    pub fn left<C>(&self, cells: &C, set: &BudgetSet, now: UnixMillis) -> Result<Amounts, CellError>
    where
        C: Cells + ?Sized,
    {
        let mut left = set.request_caps();
        for budget in set.leased() {
            let entry = self.shelf.read(cells, &budget.id)?;
            let free = entry.map_or(0, |mut entry| {
                entry.advance(now);
                entry
                    .current
                    .filter(|held| held.is_open(now))
                    .map_or(0, |held| held.free())
            });
            left.cap(budget.unit, free);
        }
        Ok(left)
    }
}
