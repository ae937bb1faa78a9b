//! What charges do to an account: overruns, debts, thresholds.

use super::*;

#[test]
fn a_late_charge_is_charged_and_told_as_an_overrun_where_it_no_longer_fits() {
    let mut lines = [line(30)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    lines[0].reclaim(NOW.plus(100_000), &LedgerClock::default(), &rules());
    ask_at(&mut lines, "b", 25, 25, &[], NOW.plus(100_000)).unwrap();
    let Line { account, leases, .. } = &mut lines[0];
    let settled = account.settle(&charge(Some(1), 10), leases.first_mut());
    assert_eq!(
        settled,
        Settled {
            manner: Manner::Late,
            overrun: 5
        }
    );
    assert_eq!((account.spent, account.leased, account.overrun), (10, 25, 5));
}

#[test]
fn a_call_that_cost_more_than_was_reserved_is_paid_from_what_is_left() {
    let mut lines = [line(30)];
    ask(&mut lines, "a", 10, &[]).unwrap();
    let Line { account, leases, .. } = &mut lines[0];
    let settled = account.settle(&charge(Some(1), 14), leases.first_mut());
    assert_eq!(
        settled,
        Settled {
            manner: Manner::Leased,
            overrun: 0
        }
    );
    assert_eq!((account.spent, account.leased, account.room()), (14, 0, 16));
    // The gateway owes four of its lease; they are not taken from the budget twice.
    ask(&mut lines, "a", 16, &[hold(1, 0, 14)]).unwrap();
    assert_eq!((granted(&lines[0]), lines[0].account.room()), (vec![30], 0));
}

#[test]
fn a_debt_is_charged_without_a_lease() {
    let mut account = line(30).account;
    let settled = account.settle(&charge(None, 40), None);
    assert_eq!(
        settled,
        Settled {
            manner: Manner::Debt,
            overrun: 10
        }
    );
    assert_eq!((account.spent, account.debt, account.overrun), (40, 40, 10));
}

#[test]
fn a_soft_budget_counts_and_has_no_overrun() {
    let mut account = Account::new(Window::EVER, 30, Enforcement::Soft);
    let settled = account.settle(&charge(None, 40), None);
    assert_eq!(
        settled,
        Settled {
            manner: Manner::Counted,
            overrun: 0
        }
    );
}

#[test]
fn each_threshold_is_told_once() {
    let mut account = line(100).account;
    let mut told = Vec::new();
    for _ in 0..100 {
        account.settle(&charge(None, 1), None);
        told.extend(
            account
                .cross(&[80, 100], false)
                .into_iter()
                .map(|percent| (percent, account.spent)),
        );
    }
    assert_eq!(told, [(80, 80), (100, 100)]);
    assert!(account.cross(&[80, 100], true).is_empty());
}

#[test]
fn a_budget_that_refuses_has_reached_its_end_though_a_rest_is_left() {
    let mut account = line(100).account;
    account.settle(&charge(None, 97), None);
    assert_eq!(account.cross(&[80, 100], true), [80, 100]);
}

#[test]
fn a_deposit_rearms_the_thresholds_that_are_no_longer_reached() {
    let mut account = line(100).account;
    account.settle(&charge(None, 100), None);
    assert_eq!(account.cross(&[50, 80, 100], false), [50, 80, 100]);
    account.deposit(80);
    assert_eq!((account.amount, account.told.as_slice()), (180, [50].as_slice()));
}
