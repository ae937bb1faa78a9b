use proptest::prelude::*;

use super::*;
use crate::budget::{OnUnavailable, Unit};
use crate::money::NanoUsd;

const NOW: UnixMillis = UnixMillis(1_000_000);

pub(in crate::budget::purse) fn budget(id: &str, unit: Unit, period: Period, amount: u64) -> AppliedBudget {
    AppliedBudget {
        id: id.to_owned(),
        name: "demo".to_owned(),
        scope: "workspace".to_owned(),
        unit,
        period,
        amount,
        spent: 0,
        period_ends_in_ms: None,
        enforcement: Enforcement::Hard,
        on_unavailable: OnUnavailable::Deny,
        thresholds: vec![80, 100],
        lease: None,
    }
}

pub(in crate::budget::purse) fn facts(user: &str) -> Facts {
    Facts {
        user: Some(user.to_owned()),
        ..Facts::default()
    }
}

fn answer(version: u64, exhausted: Option<Exhausted>) -> LeaseAnswer {
    LeaseAnswer {
        version,
        budgets: vec![budget("b", Unit::Usd, Period::Month, 100)],
        exhausted,
    }
}

fn usd(amount: u64) -> Amounts {
    Amounts {
        usd: NanoUsd(amount),
        ..Amounts::default()
    }
}

#[test]
fn a_set_is_remembered_for_its_facts_and_for_a_while() {
    let mut sets = BudgetSets::new(10, 5_000);
    sets.learn(&facts("ann"), &answer(1, None), NOW);
    assert!(sets.get(&facts("ann"), NOW.plus(4_999)).is_some());
    assert!(sets.get(&facts("bob"), NOW).is_none());
    assert!(sets.get(&facts("ann"), NOW.plus(5_000)).is_none());
    assert!(sets.get_stale(&facts("ann")).is_some());
}

#[test]
fn what_another_worker_has_learned_is_as_old_as_it_was_there() {
    let mut sets = BudgetSets::new(10, 5_000);
    let learned = |version| SharedSet::learned(version, NOW, BudgetSet::new(&answer(version, None)).budgets);
    sets.adopt(&facts("ann"), learned(2));
    assert!(sets.get(&facts("ann"), NOW.plus(4_999)).is_some());
    assert!(sets.get(&facts("ann"), NOW.plus(5_000)).is_none());
    sets.adopt(&facts("bob"), learned(1));
    assert!(
        sets.get_stale(&facts("bob")).is_none(),
        "it is of an older version"
    );
    sets.adopt(&facts("bob"), learned(3));
    assert!(sets.get_stale(&facts("ann")).is_none(), "so is this, now");
}

#[test]
fn sets_of_an_older_version_are_forgotten() {
    let mut sets = BudgetSets::new(10, 5_000);
    sets.learn(&facts("ann"), &answer(1, None), NOW);
    sets.forget_older(1);
    assert!(sets.get(&facts("ann"), NOW).is_some());
    sets.forget_older(2);
    assert!(sets.get_stale(&facts("ann")).is_none());
}

#[test]
fn no_more_sets_are_remembered_than_may_be() {
    let mut sets = BudgetSets::new(10, 5_000);
    for user in 0..1_000 {
        sets.learn(&facts(&user.to_string()), &answer(1, None), NOW);
        assert!(sets.get(&facts(&user.to_string()), NOW).is_some());
    }
    assert_eq!(sets.by_facts.len(), 10);
}

/// The ledger's answer to a request that needed more than the 7 that are not charged.
fn spent(available: u64, period_ends_in_ms: Option<u64>) -> LeaseAnswer {
    let exhausted = Exhausted {
        budget_id: "b".to_owned(),
        available,
        may_return: false,
    };
    let mut answer = answer(1, Some(exhausted));
    (answer.budgets[0].spent, answer.budgets[0].period_ends_in_ms) = (93, period_ends_in_ms);
    answer
}

#[test]
fn a_budget_that_is_spent_is_not_asked_for_again_for_a_moment() {
    let mut sets = BudgetSets::new(10, 5_000);
    let set = sets.learn(&facts("ann"), &spent(7, None), NOW);
    assert!(sets.denied(&set, &usd(8), NOW).is_some());
    assert_eq!(sets.denied(&set, &usd(7), NOW), None);
    assert_eq!(sets.denied(&set, &usd(8), NOW.plus(DENIED_MS)), None);
}

#[test]
fn a_smaller_request_is_asked_for_where_what_others_hold_could_pay_it() {
    let mut sets = BudgetSets::new(10, 5_000);
    let set = sets.learn(&facts("ann"), &spent(0, None), NOW);
    assert!(sets.denied(&set, &usd(8), NOW).is_some());
    assert_eq!(sets.denied(&set, &usd(7), NOW), None);
}

#[test]
fn in_the_next_period_a_budget_is_asked_for_at_once() {
    let mut sets = BudgetSets::new(10, 5_000);
    let set = sets.learn(&facts("ann"), &spent(7, Some(300)), NOW);
    assert!(sets.denied(&set, &usd(8), NOW.plus(299)).is_some());
    assert_eq!(sets.denied(&set, &usd(8), NOW.plus(300)), None);
}

#[test]
fn a_budget_whose_money_may_return_is_asked_for_again() {
    let mut sets = BudgetSets::new(10, 5_000);
    let busy = Exhausted {
        budget_id: "b".to_owned(),
        available: 0,
        may_return: true,
    };
    let set = sets.learn(&facts("ann"), &answer(1, Some(busy)), NOW);
    assert_eq!(sets.denied(&set, &usd(8), NOW), None);
}

#[test]
fn a_refusal_says_the_amounts_as_people_read_them() {
    let mut month = budget("b", Unit::Usd, Period::Month, 1_500_000_000);
    month.name = "team".to_owned();
    let exceeded = month.exceeded(1_499_000_000, Some(1_500));
    assert_eq!(
        (exceeded.used.as_str(), exceeded.limit.as_str()),
        ("1.499", "1.5")
    );
    assert_eq!((exceeded.unit.as_str(), exceeded.reset_seconds), ("usd", Some(2)));
}

#[test]
fn output_is_cut_to_what_the_tightest_budget_pays() {
    let left = Amounts {
        usd: NanoUsd(1_000),
        tokens: 500,
        requests: 1,
    };
    let need = |output: u64| Amounts {
        usd: NanoUsd(100 + output * 3),
        tokens: 50 + output,
        requests: 1,
    };
    assert_eq!(affordable_output(&left, 10_000, need), Some(300));
    assert_eq!(affordable_output(&left, 10, need), Some(10));
    let poor = Amounts {
        usd: NanoUsd(99),
        ..left
    };
    assert_eq!(affordable_output(&poor, 10_000, need), None);
    assert_eq!(
        affordable_output(&Amounts::UNBOUNDED, u64::MAX, |_| Amounts::default()),
        Some(u64::MAX)
    );
}

proptest! {
    #[test]
    fn one_token_more_than_is_affordable_is_not(left: u64, base in 0..1_000_000_u64, price in 1..10_000_u64, most: u64) {
        let left = usd(left);
        let need = |output: u64| usd(output.saturating_mul(price).saturating_add(base));
        match affordable_output(&left, most, need) {
            None => prop_assert!(need(0).usd > left.usd),
            Some(output) => {
                prop_assert!(need(output).usd <= left.usd);
                prop_assert!(output == most || need(output + 1).usd > left.usd);
            }
        }
    }
}
