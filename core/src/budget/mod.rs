//! Budgets that are never overspent, on one Envoy or many.
//!
//! Money (or tokens, or requests: whatever a budget counts) moves in three steps.
//!
//! 1. The [`ledger`] *leases* a part of what is left to a gateway: one Envoy process, all its workers.
//! 2. The gateway *reserves* what a request can cost at most from its leases, for all budgets that apply or for
//!    none, before the provider is called. Leases are in the [`purse`], in the cells that the workers share.
//! 3. When the exchange is over it is *settled*: the gateway gives back to the lease what was not used, and the
//!    event tells the ledger what was.
//!
//! At every instant `spent + leased <= amount`: the ledger sees to it in one transaction, and a gateway never
//! reserves more than it has leased. So no number of gateways, workers or concurrent requests can overspend.
//! What is kept where, and why it holds when messages are lost and things crash:
//!
//! * A lease has two ends. The gateway stops reserving at `expires_at`; the ledger takes the rest back only a
//!   grace later, so that what was reserved by then can still be settled. A gateway renews the leases it uses.
//!   Only a gateway that cannot reach a living ledger for longer than that can be late; what it then charges is
//!   charged all the same, and counted as an *overrun* where it no longer fits.
//! * Messages carry totals since a lease began, never differences (see [`crate::wire`]): lost, doubled and late
//!   ones do no harm.
//! * A charge is in an event, and an event is applied once, by its id. The gateway's own books may forget a
//!   reservation (a worker died between two writes); then money is locked until the lease ends, never free.
//! * A reservation belongs to the period in which it was taken, because its lease does.

mod downgrade;
pub mod ledger;
mod period;
pub mod purse;
mod raise;
mod spec;
mod subject;
mod unit;

pub use downgrade::{DowngradeSpec, Downgrades};
pub use period::{Period, PeriodError, StartDay, Window};
pub use raise::{Raise, RaiseEnds};
pub use spec::{
    Budget, BudgetError, BudgetSpec, DEFAULT_THRESHOLDS, Enforcement, OnUnavailable, check_name,
    check_thresholds,
};
pub use subject::{Facet, Facts, Shape, Subject, SubjectError};
pub use unit::{AmountError, Amounts, MAX_AMOUNT, Unit};
