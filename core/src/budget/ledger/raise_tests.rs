//! Raises that end: what gateways do with their leases must not spend them afterwards.

use proptest::prelude::*;

use super::*;
use crate::budget::raise::{Raise, RaiseEnds};
use crate::budget::{Amounts, Enforcement, Window};
use crate::money::NanoUsd;
use crate::wire::{BudgetCharge, LeaseHold, LeaseId, LeaseState, LeaseStatus};

const START: UnixMillis = UnixMillis(1_000_000);
const TTL_MS: u64 = 10_000;

fn rules() -> LeaseRules {
    LeaseRules {
        ttl_ms: TTL_MS,
        grace_ms: 5_000,
        max_age_ms: 60_000,
        share: 4,
        ahead: 8,
    }
}

/// A gateway as far as raises concern it: it reserves from what it was told, for as long as it was told.
#[derive(Debug, Default, Clone)]
struct Gateway {
    name: String,
    lease: Option<Held>,
    /// What is in flight from leases that it has no more.
    drained: Vec<(LeaseId, u64)>,
}

#[derive(Debug, Clone)]
struct Held {
    id: LeaseId,
    granted: u64,
    /// Charged or reserved.
    used: u64,
    /// Reserved, and not charged yet.
    in_flight: u64,
    ends_at: UnixMillis,
    is_retired: bool,
}

/// One budget with raises, and the gateways that are paid from it.
#[derive(Debug)]
struct World {
    amount: u64,
    raises: Vec<Raise>,
    line: Line,
    gateways: Vec<Gateway>,
    now: UnixMillis,
    leases: u64,
    /// All that was ever reserved and not given back.
    reserved: u64,
}

// === impl World ===

impl World {
    fn new(amount: u64, gateways: usize) -> Self {
        let line = Line {
            budget_id: "b".to_owned(),
            unit: Unit::Usd,
            account: Account::new(Window::EVER, amount, Enforcement::Hard),
            leases: Vec::new(),
            raise_ends: RaiseEnds::default(),
        };
        let gateway = |at: usize| Gateway {
            name: at.to_string(),
            ..Gateway::default()
        };
        Self {
            amount,
            raises: Vec::new(),
            line,
            gateways: (0..gateways).map(gateway).collect(),
            now: START,
            leases: 0,
            reserved: 0,
        }
    }

    fn raised_amount(&self) -> u64 {
        self.amount + Raise::sum(self.raises.iter().copied(), self.now)
    }

    /// As every transaction begins.
    fn lock(&mut self) {
        self.line.account.amount = self.raised_amount();
        self.line.raise_ends = RaiseEnds::of(self.raises.iter().copied(), self.now);
        self.line.reclaim(self.now, &LedgerClock::default(), &rules());
    }

    fn hold(&self, who: usize) -> Option<LeaseHold> {
        let held = self.gateways[who].lease.as_ref()?;
        Some(LeaseHold {
            budget_id: "b".to_owned(),
            lease_id: held.id,
            returned: 0,
            used: held.used,
            waiting: 0,
            recent: 50,
            done: held.is_retired && held.in_flight == 0,
        })
    }

    /// A request of a gateway: reserved from its lease, or from what the ledger adds to it. Whether it passed.
    fn request(&mut self, who: usize, need: u64, answer_is_lost: bool) -> bool {
        if self.reserve(who, need) {
            return true;
        }
        self.lock();
        let holds: Vec<LeaseHold> = self.hold(who).into_iter().collect();
        let name = self.gateways[who].name.clone();
        let ask = Ask {
            instance: &name,
            need: usd(need),
            least: usd(need),
            holds: &holds,
        };
        let leased = self.line.account.leased;
        let leases = &mut self.leases;
        let mut next = || {
            *leases += 1;
            LeaseId(*leases)
        };
        let granted = grant(
            std::slice::from_mut(&mut self.line),
            &ask,
            self.now,
            &rules(),
            &mut next,
        );
        if self.line.account.leased > leased {
            assert!(
                self.line.account.committed() <= self.raised_amount(),
                "leased beyond the amount"
            );
        }
        if answer_is_lost || granted.is_err() {
            return false;
        }
        let state = self.line.state_for(&name, self.now, &rules());
        self.learn(who, state);
        self.reserve(who, need)
    }

    fn report(&mut self, who: usize, answer_is_lost: bool) {
        let Some(hold) = self.hold(who) else { return };
        self.lock();
        let name = self.gateways[who].name.clone();
        let state = self.line.report(&name, &hold, self.now, &rules());
        if !answer_is_lost {
            self.learn(who, Some(state));
        }
    }

    fn learn(&mut self, who: usize, state: Option<LeaseState>) {
        let (Some(state), now) = (state, self.now) else {
            return;
        };
        let Gateway {
            lease: held, drained, ..
        } = &mut self.gateways[who];
        let is_new = held.as_ref().is_none_or(|held| held.id < state.lease_id);
        if state.status == LeaseStatus::Closed || is_new {
            drained.extend(held.take().map(|old| (old.id, old.in_flight)));
        }
        if state.status == LeaseStatus::Closed {
            return;
        }
        if is_new {
            *held = Some(Held {
                id: state.lease_id,
                granted: 0,
                used: 0,
                in_flight: 0,
                ends_at: now,
                is_retired: false,
            });
        }
        if let Some(held) = held.as_mut().filter(|held| held.id == state.lease_id) {
            held.granted = held.granted.max(state.granted);
            held.ends_at = now.plus(state.expires_in_ms);
            held.is_retired = state.status == LeaseStatus::Retired;
        }
    }

    fn reserve(&mut self, who: usize, need: u64) -> bool {
        let now = self.now;
        let (amount, reserved) = (self.raised_amount(), self.reserved);
        let Some(held) = &mut self.gateways[who].lease else {
            return false;
        };
        if held.is_retired || now >= held.ends_at || held.used + need > held.granted {
            return false;
        }
        held.used += need;
        held.in_flight += need;
        self.reserved += need;
        assert!(
            reserved + need <= amount,
            "{need} reserved beside {reserved} of {amount} at {}",
            now.0
        );
        true
    }

    /// What is in flight at a gateway ends, at what it was reserved for.
    fn charge(&mut self, who: usize) {
        self.lock();
        let Gateway { lease, drained, .. } = &mut self.gateways[who];
        let mut ended = std::mem::take(drained);
        if let Some(held) = lease {
            ended.push((held.id, std::mem::take(&mut held.in_flight)));
        }
        for (id, charged) in ended.into_iter().filter(|(_, charged)| *charged > 0) {
            let charge = BudgetCharge {
                budget_id: "b".to_owned(),
                lease_id: Some(id),
                reserved: charged,
                charged,
            };
            let Line { account, leases, .. } = &mut self.line;
            account.settle(&charge, leases.iter_mut().find(|lease| lease.id == id));
        }
    }

    /// Time passes, for less than the grace: what is in flight from a lease that has ended is charged before.
    fn wait(&mut self, ms: u64) {
        for who in 0..self.gateways.len() {
            let gateway = &self.gateways[who];
            let has_ended = gateway
                .lease
                .as_ref()
                .is_some_and(|held| held.ends_at <= self.now);
            if has_ended || !gateway.drained.is_empty() {
                self.charge(who);
            }
        }
        self.now = self.now.plus(ms);
    }
}

fn usd(amount: u64) -> Amounts {
    Amounts {
        usd: NanoUsd(amount),
        ..Amounts::default()
    }
}

fn raise(amount: u64, until_ms: u64) -> Raise {
    Raise {
        amount,
        until: START.plus(until_ms),
    }
}

#[test]
fn while_a_raise_lasts_there_is_more() {
    let mut world = World::new(100, 1);
    assert!(world.request(0, 100, false));
    assert!(!world.request(0, 1, false));
    world.raises.push(raise(50, 60_000));
    assert!(world.request(0, 50, false));
    assert!(!world.request(0, 1, false));
}

#[test]
fn a_lease_that_is_cut_or_renewed_in_a_raise_ends_with_it() {
    let mut world = World::new(1_000, 1);
    assert!(world.request(0, 10, false));
    world.raises.push(raise(1_000, 25_000));
    for now_ms in (0..25_000).step_by(1_000) {
        world.now = START.plus(now_ms);
        world.report(0, false);
        assert!(world.gateways[0].lease.as_ref().unwrap().ends_at <= START.plus(25_000));
    }
}

#[test]
fn what_is_left_of_a_raise_at_its_end_is_not_spent() {
    let mut world = World::new(100, 1);
    world.raises.push(raise(900, 60_000));
    assert!(world.request(0, 90, false));
    world.charge(0);
    assert!(
        world.line.account.leased > 10,
        "the gateway has more than the budget is without the raise"
    );
    world.now = START.plus(60_000);
    assert!(!world.request(0, 20, false), "the budget has 10 left");
    world.report(0, false);
    world.report(0, false);
    assert!(
        world.request(0, 10, false),
        "and they are there as soon as the gateway has given its lease back"
    );
    assert!(!world.request(0, 1, false));
}

#[test]
fn a_raise_that_is_withdrawn_is_over_at_the_next_report() {
    let mut world = World::new(100, 1);
    world.raises.push(raise(900, 60_000));
    assert!(world.request(0, 100, false));
    world.now = START.plus(5_000);
    world.raises[0].until = world.now;
    world.report(0, false);
    assert!(!world.request(0, 1, false));
}

#[derive(Debug, Clone)]
enum Op {
    Request { who: usize, need: u64, is_lost: bool },
    Report { who: usize, is_lost: bool },
    Charge { who: usize },
    Wait { ms: u64 },
    Raise { amount: u64, for_ms: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..3_usize, 1..60_u64, any::<bool>()).prop_map(|(who, need, is_lost)| Op::Request { who, need, is_lost }),
        3 => (0..3_usize, any::<bool>()).prop_map(|(who, is_lost)| Op::Report { who, is_lost }),
        2 => (0..3_usize).prop_map(|who| Op::Charge { who }),
        3 => (0..4_900_u64).prop_map(|ms| Op::Wait { ms }),
        1 => (1..500_u64, TTL_MS..40_000_u64).prop_map(|(amount, for_ms)| Op::Raise { amount, for_ms }),
    ]
}

proptest! {
    /// `reserve` asserts it of every reservation: never is more reserved than there is at that moment, raises that
    /// last included, and those that are over not.
    #[test]
    fn nothing_is_reserved_from_a_raise_that_is_over(amount in 0..800_u64, ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new(amount, 3);
        for op in ops {
            match op {
                Op::Request { who, need, is_lost } => { world.request(who, need, is_lost); }
                Op::Report { who, is_lost } => world.report(who, is_lost),
                Op::Charge { who } => world.charge(who),
                Op::Wait { ms } => world.wait(ms),
                Op::Raise { amount, for_ms } => world.raises.push(Raise { amount, until: world.now.plus(for_ms) }),
            }
            let account = &world.line.account;
            prop_assert_eq!(account.overrun, 0);
            prop_assert_eq!(account.leased, world.line.leases.iter().map(Lease::outstanding).sum::<u64>());
        }
    }
}
