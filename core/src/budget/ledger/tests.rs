use proptest::prelude::*;

use super::*;
use crate::budget::{Amounts, Enforcement, Window};
use crate::money::NanoUsd;
use crate::wire::{BudgetCharge, LeaseHold, LeaseId, LeaseStatus};

const NOW: UnixMillis = UnixMillis(1_000_000);

fn rules() -> LeaseRules {
    LeaseRules {
        ttl_ms: 10_000,
        grace_ms: 5_000,
        max_age_ms: 60_000,
        share: 4,
        ahead: 8,
    }
}

fn line(amount: u64) -> Line {
    Line {
        budget_id: "b".to_owned(),
        unit: Unit::Usd,
        account: Account::new(Window::EVER, amount, Enforcement::Hard),
        leases: Vec::new(),
        raise_ends: RaiseEnds::default(),
    }
}

fn usd(amount: u64) -> Amounts {
    Amounts {
        usd: NanoUsd(amount),
        ..Amounts::default()
    }
}

fn hold(id: u64, returned: u64, used: u64) -> LeaseHold {
    LeaseHold {
        budget_id: "b".to_owned(),
        lease_id: LeaseId(id),
        returned,
        used,
        waiting: 0,
        recent: 0,
        done: false,
    }
}

fn charge(lease_id: Option<u64>, charged: u64) -> BudgetCharge {
    BudgetCharge {
        budget_id: "b".to_owned(),
        lease_id: lease_id.map(LeaseId),
        reserved: charged,
        charged,
    }
}

/// Asks for one request of a gateway; leases are numbered by how many there are.
fn ask(lines: &mut [Line], instance: &str, need: u64, holds: &[LeaseHold]) -> Result<(), Denied> {
    ask_at(lines, instance, need, need, holds, NOW)
}

fn ask_at(
    lines: &mut [Line],
    instance: &str,
    need: u64,
    least: u64,
    holds: &[LeaseHold],
    now: UnixMillis,
) -> Result<(), Denied> {
    let mut last = lines
        .iter()
        .flat_map(|line| &line.leases)
        .map(|lease| lease.id.0)
        .max()
        .unwrap_or(0);
    let ask = Ask {
        instance,
        need: usd(need),
        least: usd(least),
        holds,
    };
    grant(lines, &ask, now, &rules(), &mut || {
        last += 1;
        LeaseId(last)
    })
}

fn granted(line: &Line) -> Vec<u64> {
    line.leases.iter().map(|lease| lease.granted).collect()
}

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

#[derive(Debug, Clone)]
enum Op {
    Ask {
        who: usize,
        need: u64,
        waiting: u64,
        recent: u64,
    },
    Report {
        who: usize,
        back: u64,
        done: bool,
    },
    Settle {
        lease: usize,
        part: u64,
    },
    Reclaim {
        after_ms: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..3_usize, 1..60_u64, 0..200_u64, 0..500_u64).prop_map(|(who, need, waiting, recent)| Op::Ask {
            who,
            need,
            waiting,
            recent
        }),
        (0..3_usize, 0..50_u64, any::<bool>()).prop_map(|(who, back, done)| Op::Report { who, back, done }),
        (0..6_usize, 0..100_u64).prop_map(|(lease, part)| Op::Settle { lease, part }),
        (0..20_000_u64).prop_map(|after_ms| Op::Reclaim { after_ms }),
    ]
}

proptest! {
    #[test]
    fn no_order_of_events_overspends(amount in 0..2_000_u64, ops in prop::collection::vec(op(), 1..80)) {
        let mut lines = [line(amount)];
        let mut now = NOW;
        for op in ops {
            match op {
                Op::Ask { who, need, waiting, recent } => {
                    let names = ["a", "b", "c"];
                    let holds: Vec<LeaseHold> = lines[0]
                        .usable(names[who], now, &rules())
                        .map(|lease| LeaseHold { waiting, recent, ..hold(lease.id.0, lease.returned, lease.granted - lease.returned) })
                        .into_iter()
                        .collect();
                    let before = lines[0].account.room();
                    let asked = ask_at(&mut lines, names[who], need, need, &holds, now);
                    if before >= need {
                        prop_assert_eq!(asked, Ok(()));
                    }
                }
                Op::Report { who, back, done } => {
                    let name = ["a", "b", "c"][who];
                    let held = lines[0].usable(name, now, &rules()).map(|lease| {
                        let returned = (lease.returned + back).min(lease.granted - lease.settled);
                        LeaseHold { done, ..hold(lease.id.0, returned, lease.granted - returned) }
                    });
                    if let Some(held) = held {
                        lines[0].report(name, &held, now, &rules());
                    }
                }
                Op::Settle { lease, part } => {
                    let Line { account, leases, .. } = &mut lines[0];
                    if let Some(lease) = leases.get_mut(lease) {
                        let charged = lease.outstanding() * part / 100;
                        account.settle(&charge(Some(lease.id.0), charged), Some(lease));
                    }
                }
                Op::Reclaim { after_ms } => {
                    now = now.plus(after_ms);
                    lines[0].reclaim(now, &LedgerClock::default(), &rules());
                }
            }
            let Line { account, leases, .. } = &lines[0];
            prop_assert!(account.committed() <= amount);
            prop_assert_eq!(account.leased, leases.iter().map(Lease::outstanding).sum::<u64>());
            prop_assert_eq!(account.overrun, 0);
        }
    }

    #[test]
    fn others_find_a_request_worth_while_a_lease_is_cut_ahead(
        amount in 1_u64..1_000_000,
        need in 1_u64..1_000,
        recent in 0_u64..1_000_000,
        gateways in 1_usize..8,
    ) {
        let mut lines = [line(amount)];
        for gateway in 0..gateways {
            let before = lines[0].account.room();
            let asked = ask(&mut lines, &gateway.to_string(), need, &[]);
            prop_assert_eq!(asked.is_ok(), before >= need);
            let Some(lease) = lines[0].usable(&gateway.to_string(), NOW, &rules()) else { continue };
            let busy = LeaseHold { recent, ..hold(lease.id.0, 0, need) };
            lines[0].report(&gateway.to_string(), &busy, NOW, &rules());
            let ahead = before - need - lines[0].account.room();
            prop_assert!(ahead == 0 || lines[0].account.room() >= need);
        }
    }
}
