//! What workers pay for in their own memory.

use super::*;
use crate::budget::purse::sublease::SHARE;
use crate::cells::Calls;

const OTHER: WorkerTag = WorkerTag(2);

/// Plenty for requests of a few.
const PLENTY: u64 = 1_000_000;

/// A purse with leases of the budgets that are named, and a worker that has paid from them before.
struct Busy {
    fixture: Fixture,
    own: Subleases,
}

impl Busy {
    fn new(names: &[&str], granted: u64) -> Self {
        let budgets = names
            .iter()
            .zip(1..)
            .map(|(name, id)| budget(name, Some(state(id, granted))));
        let mut busy = Self {
            fixture: Fixture::new(budgets.collect()),
            own: Subleases::new(ME),
        };
        for _ in 0..2 {
            busy.exchange(10, 4, NOW);
        }
        busy.fixture.cells.take_calls();
        busy
    }

    fn reserve(&mut self, amount: u64, now: UnixMillis) -> Result<Reservation, NotReserved> {
        let Fixture { cells, purse, set } = &self.fixture;
        self.own
            .reserve(purse, cells, set, &usd(amount), WhenShort::Ask, now)
    }

    fn settle(&mut self, reservation: Reservation, used: u64, now: UnixMillis) {
        let Fixture { cells, purse, .. } = &self.fixture;
        self.own.settle(purse, cells, reservation, &usd(used), now);
    }

    fn exchange(&mut self, amount: u64, used: u64, now: UnixMillis) {
        let reservation = self.reserve(amount, now).unwrap();
        self.settle(reservation, used, now);
    }

    fn flush(&mut self, now: UnixMillis) {
        self.own.flush(&self.fixture.purse, &self.fixture.cells, now);
    }

    fn close(&mut self, now: UnixMillis) {
        self.own.close(&self.fixture.purse, &self.fixture.cells, now);
    }

    fn calls(&self) -> (u64, u64) {
        let Calls { gets, sets, .. } = self.fixture.cells.take_calls();
        (gets, sets)
    }

    /// What the cell says is used of the first lease.
    fn used(&self) -> u64 {
        self.fixture.held(1).unwrap().used()
    }
}

#[test]
fn where_there_is_plenty_requests_cost_no_call_and_a_tick_one_read_and_one_write_a_budget() {
    let mut busy = Busy::new(&["a", "b", "c"], PLENTY);
    for _ in 0..50 {
        busy.exchange(10, 4, NOW);
    }
    assert_eq!(busy.calls(), (0, 0));
    busy.flush(NOW);
    assert_eq!(busy.calls(), (3, 3));
    busy.close(NOW);
    assert_eq!(busy.used(), 52 * 4, "as if each had been settled in the cell");
    assert_eq!(busy.fixture.left(NOW), PLENTY - 52 * 4);
}

#[test]
fn a_lease_that_is_small_next_to_its_requests_is_paid_from_in_the_cell() {
    let mut busy = Busy::new(&["a"], 10 * SHARE);
    for number in 3..8 {
        busy.exchange(10, 4, NOW);
        assert_eq!(busy.calls(), (2, 2));
        assert_eq!(busy.used(), number * 4);
        busy.calls();
    }
}

#[test]
fn nothing_is_sublet_while_a_budget_is_scarce_or_a_request_waits() {
    let mut busy = Busy::new(&["b"], PLENTY);
    let scarce = LeaseState {
        scarce: true,
        ..state(1, PLENTY)
    };
    busy.exchange(10, 4, NOW);
    busy.fixture.reported(scarce, NOW);
    busy.flush(NOW);
    assert_eq!(busy.used(), 3 * 4);
    let mut busy = Busy::new(&["b"], PLENTY);
    busy.exchange(10, 4, NOW);
    let Fixture { cells, purse, set } = &busy.fixture;
    let (waiting, _) = purse.ask(cells, Some(set), &usd(70), 1_000, NOW).unwrap();
    busy.flush(NOW);
    assert_eq!(busy.used(), 3 * 4);
    busy.fixture.purse.stop_waiting(&busy.fixture.cells, waiting);
}

#[test]
fn what_is_not_used_between_two_ticks_is_given_back() {
    let mut busy = Busy::new(&["b"], PLENTY);
    busy.exchange(10, 4, NOW);
    busy.flush(NOW);
    assert!(busy.used() > 3 * 4);
    busy.flush(NOW.plus(250));
    assert_eq!(busy.used(), 3 * 4);
    busy.flush(NOW.plus(500));
    let last = busy.fixture.report(NOW.plus(20_000));
    assert!(last[0].done, "and then the lease");
}

#[test]
fn an_exchange_settles_in_the_cell_where_its_sublease_has_been_given_back() {
    let mut busy = Busy::new(&["b"], PLENTY);
    let long = busy.reserve(10, NOW).unwrap();
    busy.close(NOW);
    assert_eq!(busy.used(), 2 * 4 + 10);
    busy.settle(long, 7, NOW);
    assert_eq!(busy.used(), 2 * 4 + 7);
}

#[test]
fn a_lease_that_is_replaced_gets_what_was_paid_from_it_and_the_rest_back() {
    let mut busy = Busy::new(&["b"], PLENTY);
    let old = busy.reserve(10, NOW).unwrap();
    busy.exchange(10, 4, NOW);
    busy.fixture.install(state(2, PLENTY), NOW, NOW);
    busy.flush(NOW);
    busy.settle(old, 6, NOW);
    busy.close(NOW);
    let holds = busy.fixture.report(NOW);
    let first = holds.iter().find(|hold| hold.lease_id == LeaseId(1)).unwrap();
    assert_eq!((first.used, first.done), (3 * 4 + 6, true));
}

#[test]
fn a_worker_is_not_refused_because_of_what_it_holds_itself() {
    let mut busy = Busy::new(&["b"], PLENTY);
    busy.exchange(10, 4, NOW);
    let all = PLENTY - 3 * 4;
    assert_eq!(busy.reserve(all + 1, NOW), Err(NotReserved::Short(0)));
    assert_eq!(busy.used(), 3 * 4, "the ledger is told what is in use");
    let whole = busy.reserve(all, NOW).unwrap();
    busy.settle(whole, all, NOW);
    busy.close(NOW);
    assert_eq!(busy.used(), PLENTY);
}

#[test]
fn all_budgets_pay_or_none_also_from_memory() {
    let mut busy = Busy::new(&["a", "b"], PLENTY);
    let rest = usd(PLENTY - 2_000);
    let Fixture { cells, purse, set } = &busy.fixture;
    let only_b = BudgetSet::new(&answer(vec![set.budgets()[1].clone()]));
    let mut other = Subleases::new(OTHER);
    let taken = other.reserve(purse, cells, &only_b, &rest, WhenShort::Ask, NOW);
    let taken = taken.unwrap();
    assert_eq!(busy.reserve(5_000, NOW), Err(NotReserved::Short(1)));
    busy.close(NOW);
    assert_eq!(busy.used(), 2 * 4);
    other.cancel(&busy.fixture.purse, &busy.fixture.cells, taken, NOW);
}

#[test]
fn a_call_that_costs_more_than_it_had_reserved_is_charged_in_full() {
    for dearer in [12, 5_000, PLENTY * 2] {
        let mut busy = Busy::new(&["b"], PLENTY);
        busy.exchange(10, dearer, NOW);
        busy.close(NOW);
        assert_eq!(busy.used(), 2 * 4 + dearer);
    }
}

#[test]
fn what_a_dead_worker_held_counts_as_spent_and_others_go_on() {
    let mut busy = Busy::new(&["b"], PLENTY);
    let _lost = busy.reserve(10, NOW).unwrap();
    let held = busy.used();
    let Fixture { cells, purse, set } = &busy.fixture;
    purse.worker_lost(cells, ME).unwrap();
    let mut other = Subleases::new(OTHER);
    for _ in 0..9 {
        let reservation = other
            .reserve(purse, cells, set, &usd(10), WhenShort::Ask, NOW)
            .unwrap();
        other.settle(purse, cells, reservation, &usd(4), NOW);
    }
    other.close(purse, cells, NOW);
    assert_eq!(busy.used(), held + 9 * 4);
    // It was not dead, only slow: all that it held has been counted.
    busy.exchange(10, 4, NOW);
    busy.flush(NOW);
    busy.close(NOW);
    assert_eq!(busy.used(), held + 9 * 4);
}

#[test]
fn after_a_second_without_a_tick_the_lease_is_looked_at() {
    let mut busy = Busy::new(&["b"], PLENTY);
    let late = NOW.plus(1_000);
    busy.exchange(10, 4, late.minus(1));
    assert_eq!(busy.calls(), (0, 0));
    let reservation = busy.reserve(10, late).unwrap();
    assert_eq!(busy.calls(), (1, 1));
    busy.settle(reservation, 4, late);
    busy.close(late);
    assert_eq!(busy.used(), 4 * 4);
}

#[test]
fn nothing_is_paid_from_memory_past_the_end_of_a_lease_or_before_the_clock_jumped_back() {
    let mut busy = Busy::new(&["b"], PLENTY);
    let end = NOW.plus(10_000);
    for before_end in [500, 300, 100] {
        busy.exchange(10, 4, end.minus(before_end));
    }
    busy.exchange(10, 4, end.minus(1));
    assert_eq!(busy.reserve(10, end), Err(NotReserved::Short(0)));
    let mut busy = Busy::new(&["b"], PLENTY);
    let before = UnixMillis(NOW.0 - 5_000);
    assert_eq!(
        busy.reserve(10, before),
        Err(NotReserved::Short(0)),
        "the ledger is asked first"
    );
    busy.close(before);
    assert_eq!(busy.used(), 2 * 4);
}

#[test]
fn an_exchange_is_not_written_off_before_its_time_because_it_was_paid_from_memory() {
    let mut busy = Busy::new(&["b"], PLENTY);
    let began = NOW.plus(999);
    let long = busy.reserve(10, began).unwrap();
    let last = began.plus(TTL_MS - 1);
    busy.fixture.report(last);
    busy.settle(long, 3, last);
    busy.close(last);
    assert_eq!(busy.used(), 2 * 4 + 3);
}

#[test]
fn a_host_that_refuses_on_a_tick_loses_no_charge() {
    let mut busy = Busy::new(&["b"], PLENTY);
    busy.exchange(10, 4, NOW);
    busy.fixture.cells.die_after(Some(0));
    busy.flush(NOW);
    busy.close(NOW);
    busy.fixture.cells.die_after(None);
    busy.flush(NOW);
    busy.close(NOW);
    assert_eq!(busy.used(), 3 * 4);
}

#[test]
fn a_standing_shows_what_this_worker_has_spent_and_not_what_it_holds() {
    let mut busy = Busy::new(&["b"], PLENTY);
    busy.exchange(10, 6, NOW);
    let Fixture { cells, purse, set } = &busy.fixture;
    let standings = busy.own.standings(purse, cells, set).unwrap();
    assert_eq!(standings[0].used, 2 * 4 + 6);
    let reservation = busy.reserve(10, NOW).unwrap();
    assert_eq!(reservation.standings(&busy.fixture.set), {
        let Fixture { cells, purse, set } = &busy.fixture;
        busy.own.standings(purse, cells, set).unwrap()
    });
    assert_eq!(busy.calls(), (0, 0));
    busy.settle(reservation, 0, NOW);
}

#[test]
fn a_worker_has_a_bounded_number_of_them() {
    let names: Vec<String> = (0..300).map(|number| format!("b{number}")).collect();
    let budgets = names.iter().zip(1..);
    let budgets = budgets.map(|(name, id)| budget(name, Some(state(id, PLENTY))));
    let (cells, purse) = (MemoryCells::new(), Purse::new("t", 2_000, TTL_MS));
    let answer = answer(budgets.collect());
    purse.install(&cells, &answer, NOW, NOW).unwrap();
    let (set, mut own) = (BudgetSet::new(&answer), Subleases::new(ME));
    for _ in 0..3 {
        let reservation = own.reserve(&purse, &cells, &set, &usd(10), WhenShort::Ask, NOW);
        own.settle(&purse, &cells, reservation.unwrap(), &usd(4), NOW);
    }
    cells.take_calls();
    own.flush(&purse, &cells, NOW);
    assert_eq!(cells.take_calls().sets, 256);
}
