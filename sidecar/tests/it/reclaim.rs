//! Leases that run out: what is left goes back after a grace, and what was in flight is told.

use serde_json::{Value, json};

use super::money::{TestClock, ask, charge, granted, hold, lease_id};
use super::support::{Sidecar, eventually};

const RULES: &str = "budgets: {lease_ttl: 10s, lease_grace: 4s}";
const TOLD: &str = "SELECT COUNT(*) FROM notifications WHERE kind = 'lease.reclaimed'";

async fn start(clock: &TestClock) -> Sidecar {
    Sidecar::start_at(clock.clock(), RULES).await
}

/// Lets a lease run out and its grace pass. The ledger is away for the first of it, and so it is a second grace.
async fn let_run_out(sidecar: &Sidecar, clock: &TestClock) {
    clock.pass(60_000);
    sidecar.beaten(clock).await;
    clock.pass(4_000);
    sidecar.beaten(clock).await;
}

async fn leased(sidecar: &Sidecar, budget: &Value) -> Value {
    sidecar.budget(budget["id"].as_str().unwrap()).await["leased"].clone()
}

#[tokio::test]
async fn what_a_dead_gateway_held_goes_back_and_what_was_in_flight_is_told_once() {
    let clock = TestClock::at("2026-01-15T12:00:00Z");
    let sidecar = start(&clock).await;
    let other = sidecar.beside().await;
    let budget = sidecar.create_budget(json!({"amount": "0.0000001"})).await;
    let id = lease_id(&sidecar.lease(&ask("a", 40)).await);
    sidecar.report("a", hold(&budget, id, 30, 0)).await;
    sidecar.charge("e", json!([charge(&budget, Some(id), 10)])).await;
    let_run_out(&sidecar, &clock).await;
    // Both sidecars take back, and whoever asks for a lease does.
    let (large, small) = (ask("b", 90), ask("c", 1));
    let (one, two) = tokio::join!(sidecar.lease(&large), other.lease(&small));
    assert!(one["exhausted"].is_null() || two["exhausted"].is_null());
    assert_eq!(sidecar.sql(TOLD).await, 1);
    assert_eq!(
        sidecar
            .sql("SELECT COUNT(*) FROM leases WHERE stage = 'closed'")
            .await,
        1
    );
    let unaccounted = "SELECT COUNT(*) FROM notifications WHERE CAST(body AS TEXT) LIKE '%0.00000002%'";
    assert_eq!(sidecar.sql(unaccounted).await, 1);
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn nobody_need_ask_for_it_to_go_back() {
    let clock = TestClock::at("2026-01-15T12:00:00Z");
    let sidecar = start(&clock).await;
    let budget = sidecar.create_budget(json!({})).await;
    sidecar.lease(&ask("a", 40)).await;
    let_run_out(&sidecar, &clock).await;
    eventually(|| leased(&sidecar, &budget), |leased| leased == "0").await;
}

#[tokio::test]
async fn after_the_ledger_was_away_a_lease_has_its_grace_again() {
    let clock = TestClock::at("2026-01-15T12:00:00Z");
    let sidecar = start(&clock).await;
    let budget = sidecar.create_budget(json!({"amount": "0.0000001"})).await;
    let id = lease_id(&sidecar.lease(&ask("a", 100)).await);
    clock.pass(1_800_000);
    assert_eq!(sidecar.lease(&ask("b", 1)).await["exhausted"]["may_return"], true);
    // Its gateway was only waiting for the ledger, and renews it.
    assert_eq!(
        sidecar.report("a", hold(&budget, id, 50, 0)).await["lease"]["status"],
        "open"
    );
    sidecar.beaten(&clock).await;
    clock.pass(4_000);
    sidecar.beaten(&clock).await;
    assert_eq!(sidecar.lease(&ask("b", 1)).await["exhausted"]["may_return"], true);
    assert_eq!(sidecar.sql(TOLD).await, 0);
}

#[tokio::test]
async fn a_renewed_lease_does_not_run_out() {
    let clock = TestClock::at("2026-01-15T12:00:00Z");
    let sidecar = start(&clock).await;
    let budget = sidecar.create_budget(json!({})).await;
    let id = lease_id(&sidecar.lease(&ask("a", 40)).await);
    for _ in 0..5 {
        clock.pass(4_000);
        sidecar.beaten(&clock).await;
        assert_eq!(
            sidecar.report("a", hold(&budget, id, 40, 0)).await["lease"]["status"],
            "open"
        );
    }
}

#[tokio::test]
async fn a_charge_that_comes_after_all_is_charged_and_told_where_it_no_longer_fits() {
    let clock = TestClock::at("2026-01-15T12:00:00Z");
    let sidecar = start(&clock).await;
    let budget = sidecar.create_budget(json!({"amount": "0.0000001"})).await;
    let id = lease_id(&sidecar.lease(&ask("a", 60)).await);
    let_run_out(&sidecar, &clock).await;
    assert_eq!(granted(&sidecar.lease(&ask("b", 80)).await), 80);
    sidecar.charge("e", json!([charge(&budget, Some(id), 50)])).await;
    let shown = sidecar.budget(budget["id"].as_str().unwrap()).await;
    assert_eq!(
        (&shown["spent"], &shown["leased"], &shown["overrun"]),
        (&json!("0.00000005"), &json!("0.00000008"), &json!("0.00000003"))
    );
    assert_eq!(
        sidecar
            .sql("SELECT COUNT(*) FROM charges WHERE manner = 'late'")
            .await,
        1
    );
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn a_clock_that_jumps_back_locks_no_money_for_good() {
    let clock = TestClock::at("2026-01-15T12:00:00Z");
    let sidecar = start(&clock).await;
    let budget = sidecar.create_budget(json!({})).await;
    sidecar.beaten(&clock).await;
    let id = lease_id(&sidecar.lease(&ask("a", 40)).await);
    clock.pass(-3_600_000);
    sidecar.beaten(&clock).await;
    assert_eq!(lease_id(&sidecar.lease(&ask("a", 40)).await), id);
    let_run_out(&sidecar, &clock).await;
    eventually(|| leased(&sidecar, &budget), |leased| leased == "0").await;
}

#[tokio::test]
async fn what_a_dead_gateway_held_goes_back_in_time_though_the_clock_has_jumped_back() {
    let clock = TestClock::at("2026-01-15T12:00:00Z");
    let sidecar = start(&clock).await;
    let budget = sidecar.create_budget(json!({})).await;
    sidecar.beaten(&clock).await;
    sidecar.lease(&ask("a", 40)).await;
    clock.pass(-3_600_000);
    sidecar.beaten(&clock).await;
    let_run_out(&sidecar, &clock).await;
    eventually(|| leased(&sidecar, &budget), |leased| leased == "0").await;
}
