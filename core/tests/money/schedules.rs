//! Thousands of schedules, each decided by its seed.

use crate::plan::Plan;
use crate::tally::Tally;
use crate::verdict::{Outcome, outcome};

/// What a calm day must have seen.
const ON_CALM_DAYS: [&str; 9] = [
    "reached",
    "held",
    "denied",
    "budget_exceeded",
    "leased charge",
    "counted charge",
    "intrusion",
    "probe served",
    "probe refused",
];

/// What storms must have seen beside.
const IN_STORMS: [&str; 18] = [
    "late charge",
    "debt",
    "overrun",
    "known event",
    "lost message",
    "lost answer",
    "late message",
    "refusing host",
    "record refused by the host",
    "sidecar death",
    "gateway death",
    "worker death",
    "in flight at a dead gateway",
    "nobody there",
    "sidecar_unavailable",
    "amount set",
    "deposit",
    "period ended",
];

/// How many lines of what happened a broken rule shows.
const LAST_LINES: usize = 60;

/// Runs schedules of a kind: `TOLLGATE_MONEY_SCHEDULES` of them, or the one of `TOLLGATE_MONEY_SEED`, if that is
/// of this kind, with all that happens in it.
fn run(kind: &str, count: u64, draw: fn(u64) -> Plan) -> Tally {
    if let Ok(which) = std::env::var("TOLLGATE_MONEY_SEED") {
        return replay(kind, &which, draw);
    }
    let count = std::env::var("TOLLGATE_MONEY_SCHEDULES").map_or(count, |count| count.parse().unwrap());
    let mut tally = Tally::default();
    for seed in 0..count {
        let Outcome {
            tally: of, broken, ..
        } = outcome(draw(seed), seed, None, false);
        tally.add(&of);
        let Some(broken) = broken else { continue };
        for line in last_lines(seed, draw) {
            println!("{line}");
        }
        panic!(
            "{:?}: {}\nTOLLGATE_MONEY_SEED={kind}:{seed} shows all that happened",
            broken.rule, broken.how
        );
    }
    tally
}

fn replay(kind: &str, which: &str, draw: fn(u64) -> Plan) -> Tally {
    let Some(seed) = which.strip_prefix(&format!("{kind}:")) else {
        println!("skipped: TOLLGATE_MONEY_SEED={which} is no schedule of this kind");
        return Tally::default();
    };
    let seed = seed.parse().unwrap();
    println!("{:#?}", draw(seed));
    let Outcome { tally, broken, lines } = outcome(draw(seed), seed, None, true);
    for line in lines {
        println!("{line}");
    }
    assert!(broken.is_none(), "{broken:?}");
    tally
}

fn last_lines(seed: u64, draw: fn(u64) -> Plan) -> Vec<String> {
    let mut lines = outcome(draw(seed), seed, None, true).lines;
    lines.split_off(lines.len().saturating_sub(LAST_LINES))
}

/// A simulation in which nothing happens would find nothing.
fn assert_has_seen(tally: &Tally, what: &[&str]) {
    if std::env::var("TOLLGATE_MONEY_SEED").is_ok() {
        return;
    }
    let unseen: Vec<_> = what.iter().filter(|what| tally.of(what) == 0).collect();
    assert!(unseen.is_empty(), "never seen: {unseen:?} in {tally:#?}");
}

#[test]
fn on_a_calm_day_no_request_is_refused_while_there_is_money_for_it() {
    let tally = run("calm", 700, Plan::calm);
    assert_has_seen(&tally, &ON_CALM_DAYS);
}

#[test]
fn in_storms_no_budget_is_overspent_and_every_exchange_has_one_event() {
    let tally = run("stormy", 1_300, Plan::stormy);
    assert_has_seen(&tally, &ON_CALM_DAYS);
    assert_has_seen(&tally, &IN_STORMS);
}

#[test]
fn what_workers_pay_from_their_own_memory_overspends_no_budget_and_refuses_no_request_without_a_reason() {
    let tally = run("ample", 60, Plan::ample);
    assert_has_seen(
        &tally,
        &["sublease", "budget_exceeded", "worker death", "late charge"],
    );
}

#[test]
fn a_service_tier_overspends_no_budget_and_every_exchange_costs_what_the_tier_costs_that_served_it() {
    let tally = run("tiers", 150, Plan::tiers);
    assert_has_seen(
        &tally,
        &["dear tier", "leased charge", "budget_exceeded", "worker death"],
    );
}
