//! What is given back of a lease, and when.

use super::*;

#[test]
fn a_lease_that_nobody_uses_is_given_back_whole() {
    let fixture = Fixture::leased(100);
    let reservation = fixture.reserve(60).unwrap();
    fixture.purse.settle(&fixture.cells, reservation, &usd(25), NOW);
    assert!(!fixture.report(NOW.plus(1_000))[0].done);
    let last = fixture.report(NOW.plus(40_000));
    assert_eq!((last[0].done, last[0].used), (true, 25));
    assert_eq!(
        fixture.reserve_at(1, NOW.plus(40_000)),
        Err(NotReserved::Short(0))
    );
}

#[test]
fn near_the_end_of_a_budget_what_is_not_needed_is_given_back_at_once() {
    let fixture = Fixture::leased(100);
    let _open = fixture.reserve(60).unwrap();
    fixture.reported(
        LeaseState {
            scarce: true,
            ..state(1, 100)
        },
        NOW,
    );
    assert_eq!(fixture.report(NOW)[0].returned, 40);
    assert_eq!(fixture.report(NOW)[0].returned, 40, "a total, not a difference");
}

#[test]
fn what_requests_wait_for_is_not_given_back() {
    let fixture = Fixture::leased(100);
    fixture.reported(
        LeaseState {
            scarce: true,
            ..state(1, 100)
        },
        NOW,
    );
    let (waiting, holds) = fixture
        .purse
        .ask(&fixture.cells, Some(&fixture.set), &usd(70), 1_000, NOW)
        .unwrap();
    assert_eq!(holds[0].waiting, 70);
    assert_eq!(fixture.report(NOW)[0].returned, 30);
    fixture.purse.stop_waiting(&fixture.cells, waiting);
    assert_eq!(fixture.report(NOW)[0].returned, 100);
}

#[test]
fn near_the_end_of_a_budget_what_pays_for_none_that_waits_is_given_back_for_others_to_add_to() {
    let fixture = Fixture::leased(100);
    fixture.reported(
        LeaseState {
            scarce: true,
            ..state(1, 100)
        },
        NOW,
    );
    let question = fixture
        .purse
        .ask(&fixture.cells, Some(&fixture.set), &usd(130), 1_000, NOW);
    let (waiting, _) = question.unwrap();
    assert_eq!(fixture.report(NOW)[0].returned, 100);
    fixture.purse.stop_waiting(&fixture.cells, waiting);
}
