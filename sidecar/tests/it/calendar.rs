//! Windows of periods: money of one month is not paid by the next, in the budget's own time zone, whatever the clock
//! does.

use serde_json::{Value, json};

use super::money::{TestClock, ask, charge, charging, hold, lease_id};
use super::support::Sidecar;

async fn start(time: &str) -> (Sidecar, TestClock) {
    let clock = TestClock::at(time);
    (Sidecar::start_at(clock.clock(), "").await, clock)
}

async fn spent(sidecar: &Sidecar, budget: &Value) -> Value {
    sidecar.budget(budget["id"].as_str().unwrap()).await["spent"].clone()
}

#[tokio::test]
async fn a_month_is_whole_again_where_its_time_zone_says_and_what_is_late_is_of_the_month_before() {
    let (sidecar, clock) = start("2026-03-31T21:59:59Z").await;
    let budget = sidecar
        .create_budget(json!({"time_zone": "europe/berlin", "amount": "0.0000001"}))
        .await;
    assert_eq!(budget["time_zone"], "Europe/Berlin");
    // Summer time began in this month: 23:00 in UTC is the beginning of 1 March, 22:00 that of 1 April.
    assert_eq!(budget["period_start"], "2026-02-28T23:00:00Z");
    assert_eq!(budget["period_end"], "2026-03-31T22:00:00Z");
    let march = sidecar.lease(&ask("a", 100)).await;
    assert_eq!(march["budgets"][0]["period_ends_in_ms"], 1_000);
    assert_eq!(sidecar.lease(&ask("b", 1)).await["exhausted"]["may_return"], true);

    clock.pass(1_000);
    let april = sidecar.lease(&ask("a", 100)).await;
    assert_eq!(april["exhausted"], Value::Null);
    assert!(lease_id(&april) > lease_id(&march));
    let reported = sidecar.report("a", hold(&budget, lease_id(&march), 100, 0)).await;
    assert_eq!(reported["lease"]["status"], "retired");
    sidecar
        .charge("e", json!([charge(&budget, Some(lease_id(&march)), 90)]))
        .await;
    assert_eq!(spent(&sidecar, &budget).await, "0");
    assert_eq!(
        sidecar.budget(budget["id"].as_str().unwrap()).await["period_start"],
        "2026-03-31T22:00:00Z"
    );
    sidecar
        .charge("f", json!([charge(&budget, Some(lease_id(&april)), 70)]))
        .await;
    assert_eq!(spent(&sidecar, &budget).await, "0.00000007");
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn a_day_is_as_long_as_it_is_there() {
    let (sidecar, _) = start("2026-03-29T12:00:00Z").await;
    let budget = sidecar
        .create_budget(json!({"period": "day", "time_zone": "Europe/Berlin"}))
        .await;
    assert_eq!(budget["period_start"], "2026-03-28T23:00:00Z");
    assert_eq!(budget["period_end"], "2026-03-29T22:00:00Z");
}

#[tokio::test]
async fn a_month_may_begin_on_any_day() {
    let (sidecar, _) = start("2026-02-14T12:00:00Z").await;
    let budget = sidecar.create_budget(json!({"start_day": 15})).await;
    assert_eq!(budget["period_start"], "2026-01-15T00:00:00Z");
    assert_eq!(budget["period_end"], "2026-02-15T00:00:00Z");
}

#[tokio::test]
async fn a_charge_without_a_lease_is_of_the_month_of_its_event() {
    let (sidecar, _) = start("2026-02-01T00:00:10Z").await;
    let budget = sidecar.create_budget(json!({"enforcement": "soft"})).await;
    let mut january = charging("e", json!([charge(&budget, None, 5)]));
    january["time"] = json!("2026-01-31T23:59:59Z");
    let mut february = charging("f", json!([charge(&budget, None, 7)]));
    february["time"] = json!("2026-02-01T00:00:00Z");
    sidecar.send_events(&[january, february]).await;
    assert_eq!(spent(&sidecar, &budget).await, "0.000000007");
    assert_eq!(sidecar.sql("SELECT COUNT(*) FROM budget_accounts").await, 2);
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn a_clock_that_jumps_back_over_the_end_of_a_month_gives_a_lease_that_is_newer_than_all() {
    let (sidecar, clock) = start("2026-01-31T23:59:59Z").await;
    let budget = sidecar.create_budget(json!({})).await;
    let january = lease_id(&sidecar.lease(&ask("a", 10)).await);
    clock.set("2026-02-01T00:00:01Z");
    let february = lease_id(&sidecar.lease(&ask("a", 10)).await);
    clock.set("2026-01-31T23:59:59Z");
    let mut again = ask("a", 10);
    again["holds"] = json!([hold(&budget, february, 0, 0)]);
    let newest = lease_id(&sidecar.lease(&again).await);
    assert!(january < february && february < newest);
    sidecar
        .charge(
            "e",
            json!([
                charge(&budget, Some(newest), 3),
                charge(&budget, Some(february), 4)
            ]),
        )
        .await;
    assert_eq!(spent(&sidecar, &budget).await, "0.000000003");
    sidecar.assert_balanced().await;
}
