//! What one worker needs to pay for requests from budgets.

use std::rc::Rc;

use crate::budget::purse::{
    BudgetSet, BudgetSets, NotReserved, Purse, Reservation, SharedSets, Standing, Subleases, WhenShort,
    WorkerTag,
};
use crate::budget::{Amounts, Facts};
use crate::cells::{CellError, Cells};
use crate::config::Budgets;
use crate::time::UnixMillis;
use crate::wire::LeaseAnswer;

/// One worker's way to the leases of its Envoy.
pub struct Money {
    purse: Purse,
    subleases: Subleases,
    sets: BudgetSets,
    /// What other workers know.
    shared: SharedSets,
    defined: Defined,
    instance: Option<String>,
    random: u128,
}

/// Whether the ledger has any budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defined {
    /// It has not been heard yet.
    Unknown,
    /// None was ever made: no request needs to ask.
    None,
    /// There are some.
    Some,
}

// === impl Money ===

impl Money {
    /// The money of a worker with this random name.
    pub fn new(config: &Budgets, worker: [u8; 16]) -> Self {
        let random = u128::from_le_bytes(worker);
        Self {
            purse: Purse::new("tollgate/1", config.max_budgets, config.max_exchange_ms),
            subleases: Subleases::new(WorkerTag::of(worker)),
            sets: BudgetSets::new(config.max_remembered, config.remember_ms),
            shared: SharedSets::new("tollgate/1/budgets", config.remember_ms),
            defined: Defined::Unknown,
            instance: None,
            random,
        }
    }

    /// Whether requests may have to be paid from budgets.
    pub(super) fn is_needed(&mut self, cells: &dyn Cells) -> bool {
        if self.defined == Defined::Unknown {
            self.tick(cells);
        }
        self.defined != Defined::None
    }

    /// Whether the ledger is known to have budgets.
    pub(super) fn are_defined(&self) -> bool {
        self.defined == Defined::Some
    }

    /// The budgets that apply, as this worker or another one has learned not long ago.
    pub(super) fn set(&mut self, cells: &dyn Cells, facts: &Facts, now: UnixMillis) -> Option<Rc<BudgetSet>> {
        if let Some(set) = self.sets.get(facts, now) {
            return Some(set);
        }
        self.look_around(cells, facts, now);
        self.sets.get(facts, now)
    }

    /// The budgets that apply, however long ago that was learned where nobody knows better.
    pub(super) fn latest_set(
        &mut self,
        cells: &dyn Cells,
        facts: &Facts,
        now: UnixMillis,
    ) -> Option<Rc<BudgetSet>> {
        self.set(cells, facts, now).or_else(|| self.sets.get_stale(facts))
    }

    /// Takes over what other workers know. Where the host refuses, the ledger can be asked.
    fn look_around(&mut self, cells: &dyn Cells, facts: &Facts, now: UnixMillis) {
        if let Ok(Some(known)) = self.shared.read(cells, facts, now) {
            self.sets.adopt(facts, known);
        }
    }

    /// A budget that, as the ledger said a moment ago, cannot pay this request, which needs `least` at the least.
    pub(super) fn denied(
        &self,
        set: &BudgetSet,
        least: impl FnOnce() -> Amounts,
        now: UnixMillis,
    ) -> Option<usize> {
        if !self.sets.has_denied() {
            return None;
        }
        let denied = self.sets.denied(set, &least(), now)?;
        set.budgets().iter().position(|budget| budget.id == denied.id)
    }

    /// Reserves what a request needs: see [`Subleases::reserve`].
    ///
    /// # Errors
    /// Why not. Nothing is reserved then.
    pub(super) fn reserve(
        &mut self,
        cells: &dyn Cells,
        set: &BudgetSet,
        need: &Amounts,
        when_short: WhenShort,
        now: UnixMillis,
    ) -> Result<Reservation, NotReserved> {
        self.subleases
            .reserve(&self.purse, cells, set, need, when_short, now)
    }

    /// Ends a reservation whose event is in the journal: see [`Subleases::settle`].
    pub(super) fn settle(
        &mut self,
        cells: &dyn Cells,
        reservation: Reservation,
        used: &Amounts,
        now: UnixMillis,
    ) {
        self.subleases.settle(&self.purse, cells, reservation, used, now);
    }

    /// Ends a reservation whose open record stands: see [`Subleases::settle_in_full`].
    pub(super) fn settle_in_full(&mut self, cells: &dyn Cells, reservation: Reservation, now: UnixMillis) {
        self.subleases
            .settle_in_full(&self.purse, cells, reservation, now);
    }

    /// Ends a reservation of a request that did not reach the provider.
    pub(super) fn cancel(&mut self, cells: &dyn Cells, reservation: Reservation, now: UnixMillis) {
        self.subleases.cancel(&self.purse, cells, reservation, now);
    }

    /// How the budgets of a set stand.
    ///
    /// # Errors
    /// The host's.
    pub(super) fn standings<'a>(
        &self,
        cells: &dyn Cells,
        set: &'a BudgetSet,
    ) -> Result<Vec<Standing<'a>>, CellError> {
        self.subleases.standings(&self.purse, cells, set)
    }

    /// What a request could reserve now, of every unit.
    ///
    /// # Errors
    /// The host's.
    pub(super) fn left(
        &self,
        cells: &dyn Cells,
        set: &BudgetSet,
        now: UnixMillis,
    ) -> Result<Amounts, CellError> {
        self.subleases.left(&self.purse, cells, set, now)
    }

    /// On a worker's tick, before leases are reported: writes down what exchanges have cost that were paid in this
    /// worker's memory.
    pub fn flush(&mut self, cells: &dyn Cells, now: UnixMillis) {
        self.subleases.flush(&self.purse, cells, now);
    }

    /// There will be no more ticks: nothing is kept in this worker's memory any longer.
    pub fn close(&mut self, cells: &dyn Cells, now: UnixMillis) {
        self.subleases.close(&self.purse, cells, now);
    }

    /// Remembers which budgets apply, and tells the other workers.
    pub(super) fn learn(
        &mut self,
        cells: &dyn Cells,
        facts: &Facts,
        answer: &LeaseAnswer,
        now: UnixMillis,
    ) -> Rc<BudgetSet> {
        self.hear(answer.version);
        let set = self.sets.learn(facts, answer, now);
        // Where the host refuses, another worker asks for itself.
        let _ = self
            .shared
            .learn(cells, facts, answer.version, set.budgets(), now);
        set
    }

    /// The name of this Envoy towards the ledger.
    ///
    /// # Errors
    /// The host's.
    pub fn instance(&mut self, cells: &dyn Cells) -> Result<String, CellError> {
        if let Some(instance) = &self.instance {
            return Ok(instance.clone());
        }
        let instance = self.purse.instance(cells, self.random)?;
        Ok(self.instance.insert(instance).clone())
    }

    /// On a worker's tick: learns what other workers have heard of the budgets' definitions.
    pub fn tick(&mut self, cells: &dyn Cells) {
        // Where the host refuses, the next tick tells.
        if let Ok(Some(version)) = self.purse.known_version(cells) {
            self.hear(version);
        }
    }

    /// The leases of this Envoy.
    pub const fn purse(&self) -> &Purse {
        &self.purse
    }

    /// Takes in the version of the budgets' definitions; 0 where there are none.
    pub(super) fn hear(&mut self, version: u64) {
        self.defined = if version == 0 {
            Defined::None
        } else {
            Defined::Some
        };
        self.sets.forget_older(version);
    }
}
