//! How large a lease is, when it grows, and when it is replaced.

use super::*;

#[test]
fn a_first_lease_is_good_for_some_requests_but_not_for_all_that_is_left() {
    let mut lines = [line(1_000)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    assert_eq!(granted(&lines[0]), [90]);
    let mut small = [line(100)];
    ask(&mut small, "a", 10, &[]).unwrap();
    assert_eq!(granted(&small[0]), [10 + 90 / 4]);
}

#[test]
fn near_the_end_a_lease_is_no_more_than_the_request_needs() {
    let mut lines = [line(30)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    assert_eq!(granted(&lines[0]), [10]);
    let state = lines[0].state_for("a", NOW, &rules()).unwrap();
    assert!(state.scarce);
}

#[test]
fn all_leases_grow_or_none() {
    let mut lines = [line(1_000), line(5)];
    let denied = ask(&mut lines, "a", 10, &[]).unwrap_err();
    assert_eq!(
        denied,
        Denied {
            line: 1,
            available: 5,
            may_return: false
        }
    );
    assert!(
        lines
            .iter()
            .all(|line| line.leases.is_empty() && line.account.leased == 0)
    );
}

#[test]
fn a_request_that_can_do_with_less_gets_what_is_left() {
    let mut lines = [line(30)];
    ask_at(&mut lines, "a", 100, 20, &[], NOW).unwrap();
    assert_eq!(granted(&lines[0]), [30]);
}

#[test]
fn what_is_leased_elsewhere_may_return_and_what_is_spent_may_not() {
    let mut lines = [line(10)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    assert!(ask(&mut lines, "b", 10, &[]).unwrap_err().may_return);
    let Line { account, leases, .. } = &mut lines[0];
    account.settle(&charge(Some(1), 1), leases.first_mut());
    assert!(!ask(&mut lines, "b", 10, &[]).unwrap_err().may_return);
}

#[test]
fn a_question_that_comes_twice_grows_a_lease_once() {
    let mut lines = [line(100_000)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    let before = lines.clone();
    ask(&mut lines, "a", 10, &[]).unwrap();
    assert_eq!(lines, before);
    // Everything is used: the lease grows for the first of two equal messages.
    let used = hold(1, 0, 90);
    ask(&mut lines, "a", 10, std::slice::from_ref(&used)).unwrap();
    let before = lines.clone();
    ask(&mut lines, "a", 10, &[used]).unwrap();
    assert_eq!(lines, before);
}

#[test]
fn a_lease_grows_for_all_requests_that_wait() {
    let mut lines = [line(100_000)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    let used = LeaseHold {
        waiting: 640,
        ..hold(1, 0, 90)
    };
    ask(&mut lines, "a", 10, &[used]).unwrap();
    assert_eq!(granted(&lines[0]), [90 + 640 + 80]);
}

#[test]
fn a_return_that_comes_twice_counts_once() {
    let mut lines = [line(100)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    for _ in 0..2 {
        lines[0].report("a", &hold(1, 12, 10), NOW, &rules());
        assert_eq!(lines[0].account.leased, 20);
    }
}

#[test]
fn a_lease_in_use_is_topped_up_before_it_is_spent() {
    let mut lines = [line(10_000)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    let busy = LeaseHold {
        recent: 200,
        ..hold(1, 0, 85)
    };
    lines[0].report("a", &busy, NOW, &rules());
    assert_eq!(granted(&lines[0]), [85 + 200]);
}

#[test]
fn an_old_lease_is_replaced_while_its_charges_still_come() {
    let mut lines = [line(1_000)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    let later = NOW.plus(60_000);
    let answer = lines[0].report("a", &hold(1, 0, 10), later, &rules());
    assert_eq!(answer.status, LeaseStatus::Retired);
    ask_at(&mut lines, "a", 10, 10, &[hold(1, 0, 10)], later).unwrap();
    assert_eq!(lines[0].leases.len(), 2);
    assert_eq!(
        lines[0].state_for("a", later, &rules()).unwrap().lease_id,
        LeaseId(2)
    );
}

#[test]
fn a_lease_older_than_one_the_gateway_knows_is_not_grown() {
    let mut lines = [line(1_000)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    let mut last = 7;
    let holds = [hold(7, 0, 0)];
    let question = Ask {
        instance: "a",
        need: usd(10),
        least: usd(10),
        holds: &holds,
    };
    grant(&mut lines, &question, NOW, &rules(), &mut || {
        last += 1;
        LeaseId(last)
    })
    .unwrap();
    assert_eq!(
        lines[0].state_for("a", NOW, &rules()).unwrap().lease_id,
        LeaseId(8)
    );
}

#[test]
fn a_lowered_amount_leases_nothing_more_until_it_fits_again() {
    let mut lines = [line(100)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    lines[0].account.amount = 20;
    assert!(ask(&mut lines, "b", 1, &[]).is_err());
    let state = lines[0].report("a", &hold(1, 0, 10), NOW, &rules());
    assert!(
        state.scarce,
        "the gateway is told to give back what it does not need"
    );
}
