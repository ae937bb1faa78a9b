mod exact;
mod lost;
mod properties;
mod returned;
mod subleases;
mod workers;

use super::held::Held;
use super::*;
use crate::budget::{Amounts, Enforcement, OnUnavailable, Period, Unit};
use crate::cells::MemoryCells;
use crate::money::NanoUsd;
use crate::time::UnixMillis;
use crate::wire::{
    AppliedBudget, BudgetCharge, LeaseAnswer, LeaseHold, LeaseId, LeaseReportAnswer, LeaseState, LeaseStatus,
    ReportedLease,
};

const NOW: UnixMillis = UnixMillis(1_000_000);
const TTL_MS: u64 = 60_000;
const ME: WorkerTag = WorkerTag(1);

fn purse() -> Purse {
    Purse::new("t", 64, TTL_MS)
}

fn usd(amount: u64) -> Amounts {
    Amounts {
        usd: NanoUsd(amount),
        ..Amounts::default()
    }
}

fn state(id: u64, granted: u64) -> LeaseState {
    LeaseState {
        lease_id: LeaseId(id),
        granted,
        settled: 0,
        expires_in_ms: 10_000,
        status: LeaseStatus::Open,
        scarce: false,
    }
}

fn budget(id: &str, lease: Option<LeaseState>) -> AppliedBudget {
    AppliedBudget {
        id: id.to_owned(),
        name: id.to_owned(),
        scope: "workspace".to_owned(),
        unit: Unit::Usd,
        period: Period::Month,
        amount: 1_000,
        spent: 0,
        period_ends_in_ms: Some(1_000_000),
        enforcement: Enforcement::Hard,
        on_unavailable: OnUnavailable::Deny,
        thresholds: vec![80, 100],
        lease,
    }
}

fn answer(budgets: Vec<AppliedBudget>) -> LeaseAnswer {
    LeaseAnswer {
        version: 1,
        budgets,
        exhausted: None,
    }
}

/// A purse with one budget `b` and a lease of it.
struct Fixture {
    cells: MemoryCells,
    purse: Purse,
    set: BudgetSet,
}

impl Fixture {
    fn new(budgets: Vec<AppliedBudget>) -> Self {
        let (cells, purse, answer) = (MemoryCells::new(), purse(), answer(budgets));
        assert_eq!(purse.install(&cells, &answer, NOW, NOW), Ok(true));
        let set = BudgetSet::new(&answer);
        Self { cells, purse, set }
    }

    fn leased(granted: u64) -> Self {
        Self::new(vec![budget("b", Some(state(1, granted)))])
    }

    fn reserve_at(&self, amount: u64, now: UnixMillis) -> Result<Reservation, NotReserved> {
        self.purse
            .reserve(&self.cells, &self.set, &usd(amount), WhenShort::Ask, ME, now)
    }

    fn reserve(&self, amount: u64) -> Result<Reservation, NotReserved> {
        self.reserve_at(amount, NOW)
    }

    fn left(&self, now: UnixMillis) -> u64 {
        self.purse.left(&self.cells, &self.set, now).unwrap().usd.0
    }

    /// What the cell says of a lease of the first budget, as it is: a report would change it.
    fn held(&self, lease: u64) -> Option<Held> {
        let entry = self.purse.shelf.read(&self.cells, &self.set.budgets()[0].id);
        let mut entry = entry.unwrap().unwrap();
        entry.find_mut(LeaseId(lease)).cloned()
    }

    fn install(&self, lease: LeaseState, sent_at: UnixMillis, now: UnixMillis) {
        let answer = answer(vec![budget("b", Some(lease))]);
        self.purse.install(&self.cells, &answer, sent_at, now).unwrap();
    }

    fn report(&self, now: UnixMillis) -> Vec<LeaseHold> {
        self.purse.report(&self.cells, &mut 0, now).unwrap()
    }

    fn reported(&self, lease: LeaseState, now: UnixMillis) {
        let lease = ReportedLease {
            budget_id: "b".to_owned(),
            amount: 1_000,
            spent: 0,
            period_ends_in_ms: Some(1_000_000),
            lease,
        };
        let answer = LeaseReportAnswer {
            version: 1,
            leases: vec![lease],
        };
        self.purse.reported(&self.cells, &answer, now, now).unwrap();
    }
}

#[test]
fn what_is_reserved_cannot_be_reserved_again_until_it_is_settled() {
    let fixture = Fixture::leased(100);
    let first = fixture.reserve(60).unwrap();
    assert_eq!(fixture.reserve(60), Err(NotReserved::Short(0)));
    fixture.purse.settle(&fixture.cells, first, &usd(25), NOW);
    assert_eq!(fixture.left(NOW), 75);
    let second = fixture.reserve(75).unwrap();
    fixture.purse.cancel(&fixture.cells, second, NOW);
    assert_eq!(fixture.left(NOW), 75);
}

#[test]
fn all_budgets_are_reserved_from_or_none() {
    let fixture = Fixture::new(vec![
        budget("a", Some(state(1, 100))),
        budget("b", Some(state(2, 10))),
    ]);
    assert_eq!(fixture.reserve(50), Err(NotReserved::Short(1)));
    let both = fixture.reserve(10).unwrap();
    assert_eq!(both.charges_if_lost().len(), 2);
    fixture.purse.cancel(&fixture.cells, both, NOW);
    let holds = fixture.report(NOW);
    assert!(holds.iter().all(|hold| hold.used == 0), "{holds:?}");
}

#[test]
fn the_event_says_what_was_reserved_and_what_is_charged() {
    let fixture = Fixture::leased(100);
    let reservation = fixture.reserve(60).unwrap();
    let charge = |charged| BudgetCharge {
        budget_id: "b".to_owned(),
        lease_id: Some(LeaseId(1)),
        reserved: 60,
        charged,
    };
    assert_eq!(reservation.charges(&usd(25)), [charge(25)]);
    assert_eq!(reservation.charges_if_lost(), [charge(60)]);
    fixture.purse.cancel(&fixture.cells, reservation, NOW);
}

#[test]
fn a_request_over_the_cap_for_single_requests_is_too_large_and_reserves_nothing() {
    let mut cap = budget("cap", None);
    (cap.period, cap.amount) = (Period::Request, 40);
    let fixture = Fixture::new(vec![budget("b", Some(state(1, 100))), cap]);
    assert_eq!(fixture.reserve(41), Err(NotReserved::TooLarge(1)));
    assert_eq!(fixture.left(NOW), 40);
    let fitting = fixture.reserve(40).unwrap();
    assert_eq!(
        fitting.charges_if_lost().len(),
        1,
        "a cap has no account to charge"
    );
    fixture.purse.cancel(&fixture.cells, fitting, NOW);
}

#[test]
fn a_soft_budget_is_charged_without_a_lease_and_refuses_nothing() {
    let mut soft = budget("soft", None);
    (soft.enforcement, soft.amount) = (Enforcement::Soft, 5);
    let fixture = Fixture::new(vec![soft]);
    let reservation = fixture.reserve(50).unwrap();
    let charges = reservation.charges(&usd(7));
    assert_eq!((charges[0].lease_id, charges[0].charged), (None, 7));
    fixture.purse.settle(&fixture.cells, reservation, &usd(7), NOW);
}

#[test]
fn without_the_ledger_each_budget_decides_for_itself() {
    let policy = |fixture: &Fixture| {
        fixture
            .purse
            .reserve(&fixture.cells, &fixture.set, &usd(50), WhenShort::Policy, ME, NOW)
            .map(|reservation| reservation.charges_if_lost())
    };
    let strict = Fixture::leased(10);
    assert_eq!(policy(&strict), Err(NotReserved::Short(0)));
    let mut lenient = budget("b", Some(state(1, 10)));
    lenient.on_unavailable = OnUnavailable::Allow;
    let debt = policy(&Fixture::new(vec![lenient])).unwrap();
    assert_eq!((debt[0].lease_id, debt[0].reserved), (None, 50));
}

#[test]
fn nothing_is_reserved_past_the_end_of_a_lease_or_of_its_period() {
    let fixture = Fixture::leased(100);
    assert!(fixture.reserve_at(1, NOW.plus(9_999)).is_ok());
    assert_eq!(
        fixture.reserve_at(1, NOW.plus(10_000)),
        Err(NotReserved::Short(0))
    );
    let mut ending = budget("b", Some(state(1, 100)));
    ending.period_ends_in_ms = Some(500);
    let fixture = Fixture::new(vec![ending]);
    assert!(fixture.reserve_at(1, NOW.plus(499)).is_ok());
    assert_eq!(fixture.reserve_at(1, NOW.plus(500)), Err(NotReserved::Short(0)));
}

#[test]
fn ends_are_counted_from_when_the_question_was_sent() {
    let fixture = Fixture::leased(0);
    fixture.install(state(1, 100), NOW, NOW.plus(4_000));
    assert!(fixture.reserve_at(1, NOW.plus(9_999)).is_ok());
    assert_eq!(
        fixture.reserve_at(1, NOW.plus(10_000)),
        Err(NotReserved::Short(0))
    );
}

#[test]
fn after_the_clock_jumped_back_the_ledger_is_asked_first() {
    let fixture = Fixture::leased(100);
    let before = UnixMillis(NOW.0 - 5_000);
    assert_eq!(fixture.reserve_at(1, before), Err(NotReserved::Short(0)));
    fixture.install(state(1, 100), before, before);
    assert!(fixture.reserve_at(1, before.plus(9_999)).is_ok());
    assert_eq!(
        fixture.reserve_at(1, before.plus(10_000)),
        Err(NotReserved::Short(0))
    );
}

#[test]
fn a_clock_that_differs_a_little_between_workers_ends_nothing() {
    let fixture = Fixture::leased(100);
    assert!(fixture.reserve_at(1, UnixMillis(NOW.0 - 900)).is_ok());
}

#[test]
fn answers_in_the_wrong_order_grow_a_lease_to_the_largest() {
    let fixture = Fixture::leased(100);
    fixture.install(state(1, 300), NOW, NOW);
    fixture.install(state(1, 200), NOW, NOW);
    assert_eq!(fixture.left(NOW), 300);
}

#[test]
fn a_reservation_belongs_to_the_lease_it_was_taken_from_when_that_is_replaced() {
    let fixture = Fixture::leased(100);
    let old = fixture.reserve(60).unwrap();
    fixture.install(state(2, 50), NOW, NOW);
    assert_eq!(fixture.left(NOW), 50);
    assert_eq!(old.charges(&usd(60))[0].lease_id, Some(LeaseId(1)));
    fixture.purse.settle(&fixture.cells, old, &usd(60), NOW);
    assert_eq!(fixture.left(NOW), 50);
    let holds = fixture.report(NOW);
    let first = holds.iter().find(|hold| hold.lease_id == LeaseId(1)).unwrap();
    assert_eq!((first.returned, first.used, first.done), (40, 60, true));
}

#[test]
fn an_answer_that_names_a_closed_lease_comes_too_late() {
    let fixture = Fixture::leased(100);
    fixture.reported(
        LeaseState {
            status: LeaseStatus::Closed,
            ..state(1, 0)
        },
        NOW,
    );
    fixture.install(state(1, 100), NOW, NOW.plus(500));
    assert_eq!(fixture.left(NOW.plus(500)), 0);
    assert_eq!(
        fixture.purse.install(
            &fixture.cells,
            &answer(vec![budget("b", Some(state(1, 100)))]),
            NOW,
            NOW.plus(30_000),
        ),
        Ok(false),
        "the entry forgets a closed lease only when no answer is that late"
    );
}

#[test]
fn a_full_set_takes_no_further_budget_and_forgets_none() {
    let (cells, purse) = (MemoryCells::new(), Purse::new("t", 1, TTL_MS));
    let install = |id: &str| purse.install(&cells, &answer(vec![budget(id, Some(state(1, 5)))]), NOW, NOW);
    for number in 0..16 {
        assert_eq!(install(&number.to_string()), Ok(true));
    }
    assert_eq!(install("one more"), Ok(false));
    assert_eq!(purse.report(&cells, &mut 0, NOW).unwrap().len(), 16);
}

#[test]
fn a_set_that_cannot_be_read_is_an_error_and_stays_as_it_is() {
    let fixture = Fixture::leased(100);
    for key in fixture.cells.keys() {
        fixture.cells.poke(&key, b"\xff\xff");
    }
    assert_eq!(fixture.reserve(1), Err(NotReserved::Unavailable));
    assert!(
        fixture
            .cells
            .keys()
            .iter()
            .all(|key| fixture.cells.peek(key) == b"\xff\xff")
    );
}

#[test]
fn a_host_that_dies_between_two_budgets_leaves_money_locked_not_free() {
    let fixture = Fixture::new(vec![
        budget("a", Some(state(1, 100))),
        budget("b", Some(state(2, 100))),
    ]);
    fixture.cells.die_after(Some(2));
    assert_eq!(fixture.reserve(60), Err(NotReserved::Unavailable));
    fixture.cells.die_after(None);
    assert_eq!(fixture.reserve(60), Err(NotReserved::Short(0)));
    fixture.purse.worker_lost(&fixture.cells, ME).unwrap();
    assert_eq!(fixture.left(NOW), 40);
}

#[test]
fn all_workers_of_an_envoy_are_one_instance() {
    let (cells, purse) = (MemoryCells::new(), purse());
    let first = purse.instance(&cells, 7).unwrap();
    assert_eq!(purse.instance(&cells, 8).unwrap(), first);
    assert_eq!(first.len(), 32);
    assert_ne!(purse.instance(&MemoryCells::new(), 8).unwrap(), first);
}

#[test]
fn a_newer_version_reaches_every_worker_and_an_older_one_is_not_believed() {
    let fixture = Fixture::leased(100);
    let learn = |version| {
        let answer = LeaseAnswer {
            version,
            ..answer(Vec::new())
        };
        fixture.purse.install(&fixture.cells, &answer, NOW, NOW).unwrap();
        fixture.purse.version(&fixture.cells).unwrap()
    };
    assert_eq!([learn(1), learn(5), learn(3)], [1, 5, 5]);
}

#[test]
fn a_standing_counts_what_the_ledger_has_not_heard_of() {
    let fixture = Fixture::leased(900);
    let reservation = fixture.reserve(850).unwrap();
    fixture.purse.settle(&fixture.cells, reservation, &usd(810), NOW);
    let standings = fixture.purse.standings(&fixture.cells, &fixture.set).unwrap();
    assert_eq!((standings[0].used, standings[0].remaining()), (810, 190));
    assert_eq!(
        (standings[0].percent_left(), standings[0].threshold()),
        (19, Some(80))
    );
}

#[test]
fn a_request_costs_one_read_and_one_write_a_budget_and_as_much_again_at_its_end() {
    let fixture = Fixture::leased(100);
    fixture.cells.take_calls();
    let reservation = fixture.reserve(10).unwrap();
    fixture.purse.settle(&fixture.cells, reservation, &usd(5), NOW);
    let calls = fixture.cells.take_calls();
    assert_eq!((calls.gets, calls.sets), (2, 2));
}
