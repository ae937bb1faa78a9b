//! What becomes of a lease that is given back, or that nobody gives back.

use super::*;

#[test]
fn a_lease_that_is_done_is_closed_when_its_last_charge_has_come() {
    let mut lines = [line(100)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    let done = LeaseHold {
        done: true,
        ..hold(1, 0, 7)
    };
    let answer = lines[0].report("a", &done, NOW, &rules());
    assert_eq!(answer.status, LeaseStatus::Closed);
    assert_eq!(lines[0].account.leased, 7);
    let Line { account, leases, .. } = &mut lines[0];
    account.settle(&charge(Some(1), 7), leases.first_mut());
    assert_eq!((account.leased, account.spent), (0, 7));
    assert_eq!(leases[0].stage, Stage::Closed);
}

#[test]
fn an_expired_lease_goes_back_after_its_grace_and_says_what_was_in_flight() {
    let mut lines = [line(100)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    lines[0].report("a", &hold(1, 0, 10), NOW, &rules());
    let clock = LedgerClock {
        last: NOW,
        resumed: UnixMillis(0),
    };
    assert_eq!(lines[0].reclaim(NOW.plus(14_999), &clock, &rules()), []);
    let reclaimed = lines[0].reclaim(NOW.plus(15_000), &clock, &rules());
    assert_eq!(reclaimed.len(), 1);
    assert_eq!((reclaimed[0].amount, reclaimed[0].unaccounted), (32, 10));
    assert_eq!(lines[0].account.leased, 0);
    assert_eq!(lines[0].reclaim(NOW.plus(20_000), &clock, &rules()), []);
}

#[test]
fn what_a_dead_gateway_held_goes_back_in_time_though_the_clock_has_jumped_back() {
    let mut lines = [line(100)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    let mut clock = LedgerClock::default();
    let before = UnixMillis(NOW.0 - 500_000);
    clock.beat(NOW);
    clock.beat(before);
    assert_eq!(lines[0].reclaim(before, &clock, &rules()), []);
    let later = before.plus(15_000);
    clock.last = later;
    assert_eq!(lines[0].reclaim(later, &clock, &rules()).len(), 1);
    assert_eq!(lines[0].account.leased, 0);
}

#[test]
fn what_was_given_back_is_not_used_as_well_by_an_older_message() {
    let mut lines = [line(100)];
    ask(&mut lines, "a", 40, &[]).unwrap();
    // Sixteen were used, and have been settled at nothing and given back since.
    lines[0].report("a", &hold(1, 55, 0), NOW, &rules());
    lines[0].report("a", &hold(1, 39, 16), NOW, &rules());
    assert_eq!(lines[0].account.room(), 100);
    ask(&mut lines, "a", 100, &[]).unwrap();
    assert_eq!(lines[0].account.room(), 0);
}
