//! Workers that died, reservations that nobody settles, and clocks that jump.

use super::*;

#[test]
fn nobody_is_waited_for_any_longer_because_the_clock_has_jumped_back() {
    let fixture = Fixture::leased(100);
    let question = fixture
        .purse
        .ask(&fixture.cells, Some(&fixture.set), &usd(70), 1_000, NOW);
    let _lost = question.unwrap();
    let before = UnixMillis(NOW.0 - 500_000);
    assert_eq!(fixture.report(before)[0].waiting, 70);
    assert_eq!(fixture.report(before.plus(7_000))[0].waiting, 0);
}

#[test]
fn a_forgotten_reservation_is_kept_no_longer_because_the_clock_has_jumped_back() {
    let fixture = Fixture::leased(100);
    let _forgotten = fixture.reserve(60).unwrap();
    let before = UnixMillis(NOW.0 - 500_000);
    assert!(!fixture.report(before)[0].done);
    assert!(fixture.report(before.plus(TTL_MS))[0].done);
}

#[test]
fn a_worker_that_died_while_it_waited_is_not_waited_for_for_good() {
    let fixture = Fixture::leased(100);
    let question = |now| {
        let (_waiting, holds) = fixture
            .purse
            .ask(&fixture.cells, Some(&fixture.set), &usd(70), 1_000, now)
            .unwrap();
        holds[0].waiting
    };
    assert_eq!(question(NOW), 70);
    assert_eq!(question(NOW.plus(1_000)), 140);
    assert_eq!(question(NOW.plus(7_000)), 70);
}

#[test]
fn what_a_dead_worker_had_reserved_counts_as_spent() {
    let fixture = Fixture::leased(100);
    let lost = fixture.reserve(60).unwrap();
    let other = fixture
        .purse
        .reserve(
            &fixture.cells,
            &fixture.set,
            &usd(10),
            WhenShort::Ask,
            WorkerTag(2),
            NOW,
        )
        .unwrap();
    fixture.purse.worker_lost(&fixture.cells, ME).unwrap();
    assert_eq!(fixture.left(NOW), 30);
    // It was not dead, only slow: its event comes second, and here it changes nothing either.
    let fresh = fixture.reserve(20).unwrap();
    fixture.purse.settle(&fixture.cells, lost, &usd(1), NOW);
    assert_eq!(fixture.left(NOW), 10);
    fixture.purse.settle(&fixture.cells, fresh, &usd(20), NOW);
    fixture.purse.settle(&fixture.cells, other, &usd(0), NOW);
    assert_eq!(fixture.left(NOW), 20);
}

#[test]
fn a_reservation_that_nobody_settles_counts_as_spent_in_the_end() {
    let fixture = Fixture::leased(100);
    let _forgotten = fixture.reserve(60).unwrap();
    fixture.report(NOW.plus(TTL_MS - 1));
    let hold = &fixture.report(NOW.plus(TTL_MS))[0];
    assert_eq!((hold.used, hold.done), (60, true));
}
