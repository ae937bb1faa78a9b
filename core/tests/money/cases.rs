//! Single cases that the schedules meet by chance, each for itself.

use tollgate_core::budget::ledger::LeaseRules;
use tollgate_core::time::UnixMillis;

use crate::plan::{Outcome, Plan, Request, budget};
use crate::store::AccountKey;
use crate::verdict;
use crate::weather::{Trouble, Weather};
use crate::world::{Ended, World};

/// What one request of these costs: 8 tokens of prompt and 10 of output, and twice that with other prices.
const COST: u64 = 8 * 1_000 + 10 * 2_000;

/// A plan with one gateway, one worker, one sidecar and one budget.
fn plan(begins_at: &str, budget_json: &str) -> Plan {
    Plan {
        begins_at: begins_at.parse::<jiff::Timestamp>().unwrap().into(),
        span_ms: 20_000,
        gateways: 1,
        workers: 1,
        sidecars: 1,
        rules: LeaseRules {
            ttl_ms: 10_000,
            grace_ms: 5_000,
            ..LeaseRules::default()
        },
        tick_ms: 250,
        wait_ms: 3_000,
        poll_ms: 100,
        max_exchange_ms: 600_000,
        min_output_tokens: 1_000,
        max_events: 1_000,
        budgets: vec![budget(budget_json)],
        requests: Vec::new(),
        troubles: Vec::new(),
        weather: Weather::quiet(),
        is_ample: false,
    }
}

/// A request that costs [`COST`], and how it is answered.
fn request(takes_ms: u64) -> Request {
    Request {
        gateway: 0,
        workspace: 0,
        max_tokens: 10,
        tier: 0,
        takes_ms,
        outcome: Outcome::Whole(100),
        leaves_after_ms: None,
    }
}

fn run(plan: Plan) -> World {
    let mut world = World::new(plan, 0, None);
    world.keep_lines();
    if let Err(broken) = verdict::settle(&mut world) {
        let lines: Vec<_> = world.lines().cloned().collect();
        panic!("{broken:?}\n{}", lines.join("\n"));
    }
    world
}

/// How many requests were served, and how many refused.
fn served(world: &World) -> (usize, usize) {
    let ends = world.requests.values().map(|underway| underway.ended.clone());
    let ends: Vec<_> = ends.map(Option::unwrap).collect();
    let served = ends.iter().filter(|ended| **ended == Ended::Served).count();
    (served, ends.len() - served)
}

/// What is spent in each window, by its first moment.
fn spent(world: &World) -> Vec<(String, u64)> {
    let accounts = world.store.accounts.iter();
    accounts
        .map(|((_, start), account)| (start.timestamp().to_string(), account.spent))
        .collect()
}

fn at(text: &str) -> UnixMillis {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

#[test]
fn an_exchange_across_the_end_of_a_month_is_paid_from_the_month_in_which_it_began() {
    // New York sets its clocks back two hours after November has begun there.
    let mut plan = plan(
        "2026-11-01T03:59:50Z",
        r#"{"name":"b0","unit":"usd","period":"month","time_zone":"America/New_York","amount":"0.0001"}"#,
    );
    plan.requests = vec![
        (1_000, request(12_000)),
        (2_000, request(50)),
        (15_000, request(50)),
    ];
    let world = run(plan);
    assert_eq!(served(&world), (3, 0));
    assert_eq!(
        spent(&world),
        [
            ("2026-10-01T04:00:00Z".to_owned(), 2 * COST),
            ("2026-11-01T04:00:00Z".to_owned(), COST)
        ]
    );
}

#[test]
fn a_day_of_25_hours_ends_when_it_is_over_there() {
    let mut plan = plan(
        "2026-10-25T22:59:50Z",
        r#"{"name":"b0","unit":"requests","period":"day","time_zone":"Europe/Berlin","amount":"2"}"#,
    );
    plan.requests = [1_000, 2_000, 5_000, 9_000, 11_500, 12_500, 14_000]
        .map(|due| (due, request(50)))
        .to_vec();
    let world = run(plan);
    assert_eq!(served(&world), (4, 3));
    assert_eq!(
        spent(&world),
        [
            ("2026-10-24T22:00:00Z".to_owned(), 2),
            ("2026-10-25T23:00:00Z".to_owned(), 2)
        ]
    );
}

#[test]
fn a_budget_lowered_below_what_is_spent_pays_nothing_more_and_forgets_nothing() {
    let mut plan = plan(
        "2026-01-15T12:00:00Z",
        r#"{"name":"b0","unit":"usd","period":"month","amount":"0.001"}"#,
    );
    plan.requests = vec![
        (1_000, request(50)),
        (2_000, request(50)),
        // This one is under way when the amount is lowered: it is paid.
        (4_000, request(3_000)),
        (9_000, request(50)),
        (17_000, request(50)),
    ];
    let budget = 0;
    plan.troubles = vec![
        (5_000, Trouble::Amount { budget, percent: 1 }),
        (15_000, Trouble::Amount { budget, percent: 100 }),
    ];
    let world = run(plan);
    assert_eq!(served(&world), (4, 1));
    let account = world.store.accounts.values().next().unwrap();
    assert_eq!(
        (account.spent, account.leased, account.amount),
        (4 * COST, 0, 1_000_000)
    );
}

#[test]
fn a_price_that_changes_in_mid_flight_holds_for_requests_that_come_after() {
    let mut plan = plan(
        "2026-01-15T12:00:00Z",
        r#"{"name":"b0","unit":"usd","period":"month","amount":"0.001"}"#,
    );
    plan.requests = vec![(1_000, request(6_000)), (4_000, request(50))];
    plan.troubles = vec![(
        3_000,
        Trouble::Prices {
            gateway: 0,
            variant: 1,
        },
    )];
    let world = run(plan);
    let dearer = 8 * 1_500 + 10 * 5_000;
    assert_eq!(served(&world), (2, 0));
    assert_eq!(spent(&world)[0].1, COST + dearer);
}

#[test]
fn a_ledger_whose_clock_jumps_back_over_the_end_of_a_month_pays_from_the_month_that_it_is_again() {
    let mut plan = plan(
        "2026-03-31T23:59:58Z",
        r#"{"name":"b0","unit":"usd","period":"month","amount":"0.001"}"#,
    );
    plan.requests = [1_000, 4_000, 7_000, 14_000]
        .map(|due| (due, request(50)))
        .to_vec();
    plan.troubles = vec![(5_000, Trouble::LedgerClock { by_ms: -8_000 })];
    let world = run(plan);
    assert_eq!(served(&world), (4, 0));
    let sums = spent(&world);
    assert_eq!(sums.iter().map(|(_, spent)| spent).sum::<u64>(), 4 * COST);
    // The second was paid from April, the third (it is still March again) is not paid from a third account.
    assert_eq!(sums.len(), 2);
    assert!(sums[0].1 >= COST && sums[1].1 >= COST, "{sums:?}");
}

#[test]
fn a_gateway_whose_clock_jumps_asks_the_ledger_and_goes_on() {
    for by_ms in [-3_600_000, 300_000] {
        let mut plan = plan(
            "2026-01-15T12:00:00Z",
            r#"{"name":"b0","unit":"usd","period":"month","amount":"0.001"}"#,
        );
        plan.requests = [1_000, 4_000, 7_000].map(|due| (due, request(50))).to_vec();
        plan.troubles = vec![(5_000, Trouble::GatewayClock { gateway: 0, by_ms })];
        let world = run(plan);
        assert_eq!(served(&world), (3, 0), "{by_ms}");
        assert_eq!(spent(&world)[0].1, 3 * COST);
    }
}

#[test]
fn what_a_killed_gateway_had_in_flight_is_told_to_the_nano_dollar() {
    let mut plan = plan(
        "2026-01-15T12:00:00Z",
        r#"{"name":"b0","unit":"usd","period":"month","amount":"0.001"}"#,
    );
    plan.requests = vec![(1_000, request(50)), (4_000, request(9_000))];
    let killed = Trouble::GatewayKilled {
        gateway: 0,
        back_after_ms: 1_000,
    };
    plan.troubles = vec![(7_000, killed)];
    let world = run(plan);
    let told: u64 = world
        .store
        .reclaimed
        .iter()
        .map(|reclaimed| reclaimed.unaccounted)
        .sum();
    assert_eq!((spent(&world)[0].1, told), (COST, COST));
}

#[test]
fn a_month_begins_with_all_of_its_amount() {
    let mut plan = plan(
        "2026-02-27T23:59:55Z",
        r#"{"name":"b0","unit":"requests","period":"month","start_day":31,"amount":"1"}"#,
    );
    plan.requests = [1_000, 3_000, 7_000].map(|due| (due, request(50))).to_vec();
    let world = run(plan);
    assert_eq!(served(&world), (2, 1));
    let windows: Vec<AccountKey> = world.store.accounts.keys().copied().collect();
    assert_eq!(
        windows,
        [(0, at("2026-01-31T00:00:00Z")), (0, at("2026-02-28T00:00:00Z"))]
    );
}
