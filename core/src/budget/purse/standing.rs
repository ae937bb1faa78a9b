//! How a request's budgets stand: for headers, warnings, and the choice of a cheaper model.

use super::Purse;
use super::set::BudgetSet;
use super::sublease::Subleases;
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

/// What this Envoy knows of a budget that it has a lease of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) amount: u64,
    pub(super) used: u64,
}

// === impl Standing ===

impl<'a> Standing<'a> {
    /// How a budget stands: as is known of it now, or else as it did when it was learned that it applies.
    pub(super) fn of(budget: &'a AppliedBudget, known: Option<Known>) -> Self {
        let Known { amount, used } = known.unwrap_or(Known {
            amount: budget.amount,
            used: budget.spent,
        });
        Self { budget, amount, used }
    }

    /// How much is left.
    pub const fn remaining(&self) -> u64 {
        self.amount.saturating_sub(self.used)
    }

    /// How many percent are left, rounded down.
    pub fn percent_left(&self) -> u8 {
        if self.amount == 0 {
            return 0;
        }
        let percent = match self.remaining().checked_mul(100) {
            Some(hundredfold) => u128::from(hundredfold / self.amount),
            None => u128::from(self.remaining()) * 100 / u128::from(self.amount),
        };
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
    /// See [`Subleases::standings`].
    pub(super) fn standings_with<'a, C>(
        &self,
        cells: &C,
        set: &'a BudgetSet,
        subleases: &Subleases,
    ) -> Result<Vec<Standing<'a>>, CellError>
    where
        C: Cells + ?Sized,
    {
        set.accounts()
            .map(|budget| {
                let known = match subleases.of(&budget.id) {
                    Some(sublease) => Some(sublease.known_by_now()),
                    None if budget.is_leased() => self.known(cells, &budget.id)?,
                    None => None,
                };
                Ok(Standing::of(budget, known))
            })
            .collect()
    }

    pub(super) fn known<C>(&self, cells: &C, budget_id: &str) -> Result<Option<Known>, CellError>
    where
        C: Cells + ?Sized,
    {
        let entry = self.shelf.read(cells, budget_id)?;
        Ok(entry.and_then(|entry| entry.known()))
    }

    /// See [`Subleases::left`].
    pub(super) fn left_with<C>(
        &self,
        cells: &C,
        set: &BudgetSet,
        subleases: &Subleases,
        now: UnixMillis,
    ) -> Result<Amounts, CellError>
    where
        C: Cells + ?Sized,
    {
        let mut left = set.request_caps();
        for budget in set.leased() {
            let entry = self.shelf.read(cells, &budget.id)?;
            let own = subleases.of(&budget.id);
            let free = entry.map_or(0, |mut entry| {
                entry.advance(now);
                let held = entry.current.filter(|held| held.is_open(now));
                held.map_or(0, |held| {
                    let here = own.map_or(0, |own| own.free_of(held.id));
                    held.free().saturating_add(here)
                })
            });
            left.cap(budget.unit, free);
        }
        Ok(left)
    }
}
