//! A schedule from its first moment to its last, and what must be true in the end.

use std::collections::BTreeSet;

use tollgate_core::budget::ledger::Stage;

use crate::fault::Fault;
use crate::plan::{LONGEST_RESTART_MS, Plan, Request, TICKS_UNTIL_ADOPTED};
use crate::rule::{Broken, Rule};
use crate::tally::Tally;
use crate::world::{Due, Ended, World};

/// How often the world is looked at while it calms down.
const LOOK_EVERY_MS: u64 = 1_000;

/// No worker is stalled for longer.
const LONGEST_STALL_MS: u64 = 40_000;

/// Longer than a probe takes.
const PROBE_MS: u64 = 10_000;

/// Leases that nobody uses are given back after 15 s, and reported closed a moment later.
const IDLE_MS: u64 = 30_000;

/// Lets a schedule happen.
///
/// # Errors
/// The first rule that does not hold.
pub(crate) fn run(world: &mut World) -> Result<(), Broken> {
    settle(world)?;
    world.probe()
}

/// Lets a schedule happen and calm down.
///
/// # Errors
/// The first rule that does not hold.
pub(crate) fn settle(world: &mut World) -> Result<(), Broken> {
    world.run_until(world.plan.span_ms)?;
    world.calm_down()?;
    world.check_the_end()
}

// === impl World ===

impl World {
    /// No more troubles: everything that can be settled settles.
    fn calm_down(&mut self) -> Result<(), Broken> {
        self.is_over = true;
        let began = self.now;
        while !self.is_quiet() && self.now < self.deadline(began) {
            self.run_until(self.now + LOOK_EVERY_MS)?;
        }
        Ok(())
    }

    /// When all must be quiet, if there were no more troubles from a moment on. A worker that was to die may have
    /// died since.
    fn deadline(&self, began: u64) -> u64 {
        let gateways = self.gateways.iter();
        let cut_off_until = gateways.map(|gateway| gateway.cut_off_until).max().unwrap_or(0);
        let heard_from = began.max(cut_off_until).max(self.ledger_away_until);
        let rules = &self.plan.rules;
        let is_by_time = self.plan.weather.refusals > 0 || self.has_lost_unknown;
        let written_off_ms = if is_by_time { self.plan.max_exchange_ms } else { 0 };
        heard_from
            + self.plan.longest_ms() * 2
            + LONGEST_STALL_MS
            + TICKS_UNTIL_ADOPTED * self.plan.tick_ms
            + LONGEST_RESTART_MS
            + rules.ttl_ms
            + rules.grace_ms
            + written_off_ms
            + IDLE_MS
    }

    /// Whether nothing goes on any more.
    fn is_quiet(&self) -> bool {
        self.store
            .leases
            .values()
            .all(|(_, lease)| lease.stage == Stage::Closed)
            && self.gateways.iter().all(|gateway| gateway.is_quiet(self.now))
            && self.books.undelivered().next().is_none()
            && self.sidecars.iter().all(|sidecar| sidecar.is_up)
            && self.now >= self.ledger_away_until
            && self
                .gateways
                .iter()
                .all(|gateway| gateway.holds(self.time()).is_empty())
    }

    fn check_the_end(&mut self) -> Result<(), Broken> {
        let windows = self.store.accounts.keys().map(|(budget, _)| budget);
        if windows.collect::<BTreeSet<_>>().len() < self.store.accounts.len() {
            self.tally.count("period ended");
        }
        self.check_events();
        self.check_leases();
        self.check_purses();
        self.check_thresholds();
        self.check_what_was_in_flight();
        self.books.broken.take().map_or(Ok(()), |broken| {
            self.note(|| format!("{broken:?}"));
            Err(broken)
        })
    }

    fn check_events(&mut self) {
        let missing = self.books.undelivered().next().cloned();
        if let Some(known) = missing {
            self.books
                .break_rule(Rule::OneEventEach, || format!("no event: {known:?}"));
        }
    }

    fn check_leases(&mut self) {
        let leases = self.store.leases.values();
        let open = leases.clone().find(|(_, lease)| lease.stage != Stage::Closed);
        if let Some((_, lease)) = open.cloned() {
            self.books
                .break_rule(Rule::NothingIsLeftOver, || format!("not closed: {lease:?}"));
        }
        let accounts = self.store.accounts.values();
        if let Some(account) = accounts.clone().find(|account| account.leased > 0).cloned() {
            self.books
                .break_rule(Rule::NothingIsLeftOver, || format!("leased: {account:?}"));
        }
        for (at, amount) in self.amounts.iter().enumerate() {
            let is = self.store.budgets[at].amount;
            if is != *amount {
                self.books
                    .break_rule(Rule::AmountAsSet, || format!("b{at}: {is}, set to {amount}"));
            }
        }
    }

    fn check_purses(&mut self) {
        let now = self.time();
        for gateway in &self.gateways {
            let holds = gateway.holds(now);
            if !holds.is_empty() {
                self.books
                    .break_rule(Rule::NothingIsLeftOver, || format!("in a purse: {holds:?}"));
            }
        }
    }

    /// Every threshold that is reached was told.
    fn check_thresholds(&mut self) {
        for (key, account) in &self.store.accounts {
            for percent in &self.store.budgets[key.0].thresholds {
                let is_reached = account.spent > 0
                    && u128::from(account.spent) * 100 >= u128::from(account.amount) * u128::from(*percent);
                let was_lowered = self.plan.weather.amounts_change();
                if is_reached && !was_lowered && !self.books.was_told(*key, *percent) {
                    self.books.break_rule(Rule::ThresholdsToldOnce, || {
                        format!("{percent} % was not told of {account:?}")
                    });
                }
            }
        }
    }

    /// What dead gateways had in flight is less than what was taken back from their leases.
    fn check_what_was_in_flight(&mut self) {
        let lost = self.books.lost_by_lease();
        for (id, lost) in lost {
            let taken_back: u64 = self
                .store
                .reclaimed
                .iter()
                .filter(|reclaimed| reclaimed.lease_id == id)
                .map(|reclaimed| reclaimed.amount)
                .sum();
            self.tally.count("in flight at a dead gateway");
            if lost > taken_back + self.books.dearer_of(id) {
                self.books.break_rule(Rule::InFlightIsReported, || {
                    format!("{lost} of lease {id:?} was in flight, {taken_back} was taken back")
                });
            }
        }
    }

    fn is_underway(&self, number: u64) -> bool {
        let underway = self.requests.get(&number);
        underway.is_some_and(|underway| underway.ended.is_none())
    }

    /// Workers that were to die with one of their next calls live on.
    fn spare_workers(&self) {
        for slot in self.gateways.iter().flat_map(|gateway| &gateway.workers) {
            let mut slot = slot.borrow_mut();
            if let Some(worker) = slot.as_mut().filter(|worker| !worker.is_dead()) {
                worker.dies_after = None;
            }
        }
    }

    /// Every gateway serves a request that its budgets can pay, and refuses one that they cannot.
    fn probe(&mut self) -> Result<(), Broken> {
        self.spare_workers();
        for gateway in 0..self.plan.gateways {
            for workspace in 0..self.plan.workspaces() {
                let number = self.requests.len() as u64 + 1;
                self.after(0, Due::Request(Request::probe(gateway, workspace)));
                let deadline = self.now + PROBE_MS;
                self.run_until(self.now)?;
                while self.is_underway(number) && self.now < deadline {
                    self.run_until(self.now + 100)?;
                }
                let Some(probe) = self.requests.get(&number).cloned() else {
                    continue;
                };
                let is_served = probe.ended == Some(Ended::Served);
                self.tally.count(if is_served {
                    "probe served"
                } else {
                    "probe refused"
                });
                let Some(asked) = probe.asked else {
                    continue;
                };
                let now = self.store.time(self.time());
                let mut has_room = true;
                for at in self.store.applying(&asked.facts) {
                    if crate::store::is_leased(&self.store.budgets[at]) {
                        let key = self.store.account_of_now(at, now);
                        let account = &self.store.accounts[&key];
                        let in_use = self.books.in_use(&self.store).get(&key).copied().unwrap_or(0);
                        // Of an exchange whose worker was taken for dead, the ledger may have charged more than it
                        // came to.
                        let left = account.amount.saturating_sub(in_use.max(account.spent));
                        has_room &= left >= asked.least.of(self.store.budgets[at].unit);
                    }
                }
                if has_room && !is_served && !self.plan.weather.tiers {
                    self.books.break_rule(Rule::RefusedForAReason, || {
                        format!("all is calm, but gateway {gateway} does not serve {asked:?}")
                    });
                }
            }
        }
        Ok(())
    }
}

/// What became of one schedule.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) broken: Option<Broken>,
    pub(crate) lines: Vec<String>,
}

/// Runs a schedule; keeps what happened, where that is wanted.
pub(crate) fn outcome(plan: Plan, seed: u64, fault: Option<Fault>, keep_lines: bool) -> Outcome {
    let mut world = World::new(plan, seed, fault);
    if keep_lines {
        world.keep_lines();
    }
    let broken = run(&mut world).err();
    Outcome {
        lines: world.lines().cloned().collect(),
        tally: world.tally,
        broken,
    }
}
