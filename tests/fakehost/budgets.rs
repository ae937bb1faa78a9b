//! Budgets that workers pay from their own memory: what clients read of them, and what a worker's end leaves behind.

use std::time::Duration;

use serde_json::Value;
use tollgate_core::wire::{AppliedBudget, LeaseId};
use tollgate_fakehost::Host;

use crate::gateway::{KNOWN, answer, boot_beside, chat, config};
use crate::sidecar::{Ledger, three_budgets};

/// The lease of the budget that counts requests: what is used of it is a number of exchanges.
const REQUESTS: LeaseId = LeaseId(3);

/// Workers that know their caller's budgets, and a sidecar that keeps them.
fn boot(budgets: Vec<AppliedBudget>, workers: usize) -> (Host, Ledger) {
    let mut sidecar = Ledger::leasing(budgets);
    let host = boot_beside(&config(), workers, &mut sidecar);
    let first = host.worker(0).send(chat(KNOWN));
    host.answer_callouts(|request| sidecar.answer(request));
    first.respond(&answer());
    (host, sidecar)
}

/// The answer's header after one more exchange.
fn used(host: &Host, worker: usize) -> u64 {
    let exchange = host.worker(worker).send(chat(KNOWN));
    exchange.respond(&answer());
    let header = exchange
        .client()
        .header("x-tollgate-budget-used")
        .map(str::to_owned);
    header.unwrap().parse().unwrap()
}

fn reported(host: &Host, sidecar: &mut Ledger) -> u64 {
    sidecar.collect_for(host, Duration::from_secs(3));
    sidecar.holds[&REQUESTS].used
}

#[test]
fn the_headers_count_every_exchange_of_the_worker_and_those_of_others_from_the_next_tick_on() {
    let (host, _) = boot(three_budgets().split_off(2), 2);
    // Each answer tells what was used before its request.
    for before in 1..40 {
        assert_eq!(used(&host, 0), before);
    }
    host.tick_all();
    assert_eq!(used(&host, 1), 40);
    let limits = host.worker(0).send(chat(KNOWN));
    limits.respond(&answer());
    assert_eq!(
        limits.client().header("x-tollgate-budget-limit"),
        Some("1000000000000")
    );
}

#[test]
fn what_is_reported_is_what_exchanges_have_used_as_soon_as_nobody_is_at_work() {
    let (host, mut sidecar) = boot(three_budgets(), 2);
    for number in 0..60 {
        used_nothing_else(&host, number % 2);
    }
    assert_eq!(reported(&host, &mut sidecar), 61);
    let charged = |budget: &str| -> u64 {
        let events = sidecar.all();
        let charges = events.iter().flat_map(|event| &event.charges);
        charges
            .filter(|charge| charge.budget_id == budget)
            .map(|charge| charge.charged)
            .sum()
    };
    for (budget, lease) in [("bud_usd", 1), ("bud_tokens", 2), ("bud_requests", 3)] {
        assert_eq!(sidecar.holds[&LeaseId(lease)].used, charged(budget), "{budget}");
    }
}

fn used_nothing_else(host: &Host, worker: usize) {
    host.worker(worker).send(chat(KNOWN)).respond(&answer());
}

#[test]
fn a_worker_that_crashes_takes_what_it_held_with_it_and_every_exchange_is_charged_once() {
    let (mut host, mut sidecar) = boot(three_budgets(), 2);
    for _ in 0..20 {
        used_nothing_else(&host, 0);
    }
    let _in_flight = host.worker(0).send(chat(KNOWN));
    host.crash(0);
    for number in 0..10 {
        used_nothing_else(&host, number % 2);
    }
    sidecar.collect_for(&host, Duration::from_secs(40));
    let events = sidecar.all();
    let charges = events.iter().flat_map(|event| &event.charges);
    let requests = charges.filter(|charge| charge.budget_id == "bud_requests");
    assert_eq!(requests.map(|charge| charge.charged).sum::<u64>(), 32);
    // What it held beside counts as used until the lease ends: it is little.
    let used = sidecar.holds[&REQUESTS].used;
    assert!((32..32 + 64 * 2).contains(&used), "{used}");
    assert_eq!(sidecar.repeats, 0);
}

#[test]
fn a_configuration_that_goes_leaves_nothing_reserved() {
    let (mut host, mut sidecar) = boot(three_budgets(), 1);
    for _ in 0..20 {
        used_nothing_else(&host, 0);
    }
    let open = host.worker(0).send(chat(KNOWN));
    let mut next: Value = config();
    next["gateway_id"] = "next".into();
    host.update_config(next.to_string()).unwrap();
    open.respond(&answer());
    assert_eq!(reported(&host, &mut sidecar), 22);
}
