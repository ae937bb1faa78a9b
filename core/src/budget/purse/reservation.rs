//! What a request has reserved, and what becomes of it.

use super::set::BudgetSet;
use super::standing::{Known, Standing};
use crate::budget::unit::{Amounts, Unit};
use crate::wire::{BudgetCharge, LeaseId};

/// What a request has reserved from its budgets. It is given up to [`Subleases::settle`](super::Subleases::settle) or
/// [`Subleases::cancel`](super::Subleases::cancel) once; where its worker dies with it, the open record in the journal has
/// its [charges](Self::charges_if_lost), and the purse [writes it off](super::Purse::worker_lost).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "settle or cancel it, or what was reserved stays so for long"]
pub struct Reservation {
    pub(super) parts: Vec<Part>,
}

/// What was reserved for one budget.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) budget_id: String,
    pub(super) unit: Unit,
    /// Absent for a soft budget and for a debt.
    pub(super) lease: Option<Source>,
    pub(super) reserved: u64,
    /// How the budget stood, where it has a lease.
    pub(super) known: Option<Known>,
}

/// What reserving from one budget came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Looked {
    /// Absent where nothing was reserved.
    pub(super) source: Option<Source>,
    /// How the budget stands, where it has a lease.
    pub(super) known: Option<Known>,
}

/// Where it was reserved from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) lease_id: LeaseId,
    /// Which worker's part of the lease.
    pub(super) number: u32,
}

// === impl Reservation ===

impl Reservation {
    /// What the event says when the exchange is over and used this much. Nothing, where the provider was not
    /// reached or charges nothing.
    pub fn charges(&self, used: &Amounts) -> Vec<BudgetCharge> {
        self.parts
            .iter()
            .map(|part| part.charge(used.of(part.unit)))
            .filter(|charge| charge.reserved > 0 || charge.charged > 0)
            .collect()
    }

    /// What the event says when nothing more is ever heard of the exchange: all that was reserved.
    pub fn charges_if_lost(&self) -> Vec<BudgetCharge> {
        self.parts.iter().map(|part| part.charge(part.reserved)).collect()
    }

    /// How the budgets of the set that it is from stood when it was made, without it.
    pub fn standings<'a>(&self, set: &'a BudgetSet) -> Vec<Standing<'a>> {
        set.accounts()
            .zip(&self.parts)
            .map(|(budget, part)| Standing::of(budget, part.known))
            .collect()
    }

    /// Whether the request is under no budget.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

// === impl Part ===

impl Part {
    fn charge(&self, charged: u64) -> BudgetCharge {
        BudgetCharge {
            budget_id: self.budget_id.clone(),
            lease_id: self.lease.map(|source| source.lease_id),
            reserved: self.reserved,
            charged,
        }
    }
}
