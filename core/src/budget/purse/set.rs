//! Which budgets a request is paid from, as a worker remembers it.

use std::rc::Rc;

use hashbrown::HashMap;

use super::shared_sets::SharedSet;
use crate::budget::period::Period;
use crate::budget::spec::Enforcement;
use crate::budget::subject::Facts;
use crate::budget::unit::Amounts;
use crate::refusal::Exceeded;
use crate::time::UnixMillis;
use crate::wire::{AppliedBudget, Exhausted, LeaseAnswer};

/// Refused again without a question for so many milliseconds after the ledger said that a budget is spent.
const DENIED_MS: u64 = 1_000;

/// All budgets that apply to some facts, without the leases. Empty where none does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetSet {
    budgets: Vec<AppliedBudget>,
}

/// What one worker remembers of budget sets: a bounded number, each for a while.
#[derive(Debug)]
pub struct BudgetSets {
    max: usize,
    ttl_ms: u64,
    version: u64,
    by_facts: HashMap<Facts, Remembered>,
    denied: HashMap<String, Denial>,
}

#[derive(Debug)]
struct Remembered {
    set: Rc<BudgetSet>,
    learned_at: UnixMillis,
}

/// The ledger said no.
#[derive(Debug)]
struct Denial {
    /// What of it is not charged: a request that needs more cannot be paid, whatever comes back.
    left: u64,
    said_at: UnixMillis,
    /// For how long it is believed, in milliseconds.
    span_ms: u64,
}

// === impl BudgetSet ===

impl BudgetSet {
    /// The budgets of an answer.
    pub fn new(answer: &LeaseAnswer) -> Self {
        let mut budgets = answer.budgets.clone();
        for budget in &mut budgets {
            budget.lease = None;
        }
        Self { budgets }
    }

    /// The budgets, in the ledger's order.
    pub fn budgets(&self) -> &[AppliedBudget] {
        &self.budgets
    }

    /// What one request may need at most, whatever is left: the caps for single requests.
    pub fn request_caps(&self) -> Amounts {
        let mut caps = Amounts::UNBOUNDED;
        for budget in self.caps() {
            caps.cap(budget.unit, budget.amount);
        }
        caps
    }

    pub(super) fn caps(&self) -> impl Iterator<Item = &AppliedBudget> {
        self.budgets.iter().filter(|budget| budget.is_cap())
    }

    /// Budgets of which the ledger keeps an account.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &AppliedBudget> {
        self.budgets
            .iter()
            .filter(|budget| budget.period != Period::Request)
    }

    /// Budgets that are paid from a lease.
    pub(super) fn leased(&self) -> impl Iterator<Item = &AppliedBudget> {
        self.budgets.iter().filter(|budget| budget.is_leased())
    }
}

// === impl AppliedBudget ===

impl AppliedBudget {
    /// Whether it is paid from a lease.
    pub fn is_leased(&self) -> bool {
        self.enforcement == Enforcement::Hard && self.period != Period::Request
    }

    /// Whether it caps each request.
    pub fn is_cap(&self) -> bool {
        self.enforcement == Enforcement::Hard && self.period == Period::Request
    }

    /// What a refusal says of it. `reset_ms` is how long its period still lasts.
    pub fn exceeded(&self, used: u64, reset_ms: Option<u64>) -> Exceeded {
        Exceeded {
            name: self.name.clone(),
            scope: self.scope.clone(),
            unit: self.unit.as_str().to_owned(),
            used: self.unit.show_amount(used),
            limit: self.unit.show_amount(self.amount),
            reset_seconds: reset_ms.map(|ms| ms.div_ceil(1_000)),
        }
    }
}

// === impl BudgetSets ===

impl BudgetSets {
    /// Remembers `max` sets for `ttl_ms` milliseconds each.
    pub fn new(max: usize, ttl_ms: u64) -> Self {
        Self {
            max,
            ttl_ms,
            version: 0,
            by_facts: HashMap::new(),
            denied: HashMap::new(),
        }
    }

    /// The budgets for these facts, if they are known and not old.
    pub fn get(&self, facts: &Facts, now: UnixMillis) -> Option<Rc<BudgetSet>> {
        let known = self.by_facts.get(facts)?;
        is_within(known.learned_at, self.ttl_ms, now).then(|| Rc::clone(&known.set))
    }

    /// The budgets for these facts, however old: for when the sidecar is away.
    pub fn get_stale(&self, facts: &Facts) -> Option<Rc<BudgetSet>> {
        self.by_facts.get(facts).map(|known| Rc::clone(&known.set))
    }

    /// Remembers what another worker has learned. Nothing that is of an older version than what is known here.
    pub fn adopt(&mut self, facts: &Facts, known: SharedSet) {
        self.forget_older(known.version);
        if known.version < self.version {
            return;
        }
        let set = BudgetSet {
            budgets: known.budgets,
        };
        self.remember(facts, Rc::new(set), known.learned_at);
    }

    /// Remembers an answer: which budgets apply, and that one of them is spent.
    pub fn learn(&mut self, facts: &Facts, answer: &LeaseAnswer, now: UnixMillis) -> Rc<BudgetSet> {
        self.forget_older(answer.version);
        let set = Rc::new(BudgetSet::new(answer));
        self.remember(facts, Rc::clone(&set), now);
        for budget in set.budgets() {
            self.denied.remove(&budget.id);
        }
        if let Some(exhausted) = &answer.exhausted
            && let Some(budget) = answer.budget(&exhausted.budget_id)
        {
            self.deny(exhausted, budget, now);
        }
        set
    }

    /// Whether the ledger has denied anything that is remembered.
    pub fn has_denied(&self) -> bool {
        !self.denied.is_empty()
    }

    /// A budget of the set that, as the ledger said a moment ago, cannot pay `least`.
    pub fn denied<'a>(
        &self,
        set: &'a BudgetSet,
        least: &Amounts,
        now: UnixMillis,
    ) -> Option<&'a AppliedBudget> {
        set.leased().find(|budget| {
            self.denied.get(&budget.id).is_some_and(|denial| {
                is_within(denial.said_at, denial.span_ms, now) && denial.left < least.of(budget.unit)
            })
        })
    }

    /// Forgets what was learned before the definitions of budgets changed to `version`.
    pub fn forget_older(&mut self, version: u64) {
        if version > self.version {
            self.version = version;
            self.by_facts.clear();
            self.denied.clear();
        }
    }

    fn remember(&mut self, facts: &Facts, set: Rc<BudgetSet>, learned_at: UnixMillis) {
        make_room(&mut self.by_facts, facts, self.max);
        self.by_facts
            .insert(facts.clone(), Remembered { set, learned_at });
    }

    fn deny(&mut self, exhausted: &Exhausted, budget: &AppliedBudget, now: UnixMillis) {
        // What is reserved by others may come back at any moment: then each request is worth a question.
        if exhausted.may_return {
            return;
        }
        make_room(&mut self.denied, &exhausted.budget_id, self.max);
        let denial = Denial {
            // A smaller request than the one that was denied may be paid with what others have in hand.
            left: budget
                .amount
                .saturating_sub(budget.spent)
                .max(exhausted.available),
            said_at: now,
            // In the next period the budget is whole again.
            span_ms: budget.period_ends_in_ms.map_or(DENIED_MS, |ms| ms.min(DENIED_MS)),
        };
        self.denied.insert(exhausted.budget_id.clone(), denial);
    }
}

/// What a request can still put out: the most output tokens, up to `most`, with which it fits `left`. `need`
/// gives what the request needs with so many output tokens, and never falls where they grow. `None` where it
/// fits not even without any.
pub fn affordable_output(left: &Amounts, most: u64, need: impl Fn(u64) -> Amounts) -> Option<u64> {
    let fits = |output: u64| {
        let Amounts {
            usd,
            tokens,
            requests,
        } = need(output);
        usd <= left.usd && tokens <= left.tokens && requests <= left.requests
    };
    if !fits(0) {
        return None;
    }
    if fits(most) {
        return Some(most);
    }
    let (mut fitting, mut beyond) = (0, most);
    while beyond - fitting > 1 {
        let middle = fitting + (beyond - fitting) / 2;
        if fits(middle) {
            fitting = middle;
        } else {
            beyond = middle;
        }
    }
    Some(fitting)
}

/// Drops some entry where a new one would be one too many.
fn make_room<K, V>(map: &mut HashMap<K, V>, key: &K, max: usize)
where
    K: Clone + Eq + std::hash::Hash,
{
    if map.len() < max.max(1) || map.contains_key(key) {
        return;
    }
    if let Some(victim) = map.keys().next().cloned() {
        map.remove(&victim);
    }
}

/// Whether something is not older than `span_ms`; nothing from the future is, for the clock has jumped back.
const fn is_within(at: UnixMillis, span_ms: u64, now: UnixMillis) -> bool {
    at.0 <= now.0 && now.0 - at.0 < span_ms
}

#[cfg(test)]
#[path = "set_tests.rs"]
pub(super) mod tests;
