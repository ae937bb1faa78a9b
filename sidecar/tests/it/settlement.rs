//! Settlement: what an event charges is applied once, with the event, whatever else is true.

use serde_json::{Value, json};

use super::money::{ask, charge, charging, lease_id};
use super::support::Sidecar;

async fn spent(sidecar: &Sidecar, budget: &Value) -> Value {
    sidecar.budget(budget["id"].as_str().unwrap()).await["spent"].clone()
}

#[tokio::test]
async fn an_event_that_is_delivered_twice_is_charged_once() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({})).await;
    let id = lease_id(&sidecar.lease(&ask("a", 1_000)).await);
    let event = charging("e", json!([charge(&budget, Some(id), 700)]));
    sidecar.send_events(&[event.clone(), event.clone()]).await;
    sidecar.send_events(&[event]).await;
    assert_eq!(spent(&sidecar, &budget).await, "0.0000007");
    assert_eq!(
        sidecar
            .sql("SELECT COUNT(*) FROM charges WHERE manner = 'leased'")
            .await,
        1
    );
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn a_batch_settles_with_every_budget_of_each_event() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({})).await;
    let soft = sidecar
        .create_budget(json!({"subject": {}, "unit": "tokens", "amount": "10", "enforcement": "soft"}))
        .await;
    let id = lease_id(&sidecar.lease(&ask("a", 1_000)).await);
    let events: Vec<Value> = (0..300)
        .map(|i| {
            charging(
                &format!("e{i}"),
                json!([charge(&budget, Some(id), 10), charge(&soft, None, 7)]),
            )
        })
        .collect();
    sidecar.send_events(&events).await;
    // Charges without a lease are of the window of the event's time, which is past; those with one of its.
    assert_eq!(spent(&sidecar, &budget).await, "0.000003");
    assert_eq!(
        sidecar
            .sql("SELECT SUM(charged) FROM charges WHERE manner = 'counted'")
            .await,
        2_100
    );
    assert_eq!(sidecar.sql("SELECT SUM(overrun) FROM budget_accounts").await, 0);
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn events_show_what_they_were_charged_to() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({})).await;
    let id = lease_id(&sidecar.lease(&ask("a", 1_000)).await);
    let charges = json!([{"budget_id": budget["id"], "lease_id": id, "reserved": 1_000, "charged": 700}]);
    sidecar
        .send_events(&[charging("e", charges.clone()), charging("f", json!([]))])
        .await;
    let page = sidecar.get("/admin/v1/events").await;
    assert_eq!(page["events"][0]["charges"], charges);
    assert_eq!(page["events"][1]["charges"], json!([]));
}

#[tokio::test]
async fn what_went_on_while_the_sidecar_was_away_is_a_debt_in_the_window_of_its_time() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar
        .create_budget(json!({"on_unavailable": "allow", "amount": "0.0000001", "period": "total"}))
        .await;
    sidecar.charge("e", json!([charge(&budget, None, 140)])).await;
    let shown = sidecar.budget(budget["id"].as_str().unwrap()).await;
    assert_eq!(shown["spent"], "0.00000014");
    assert_eq!(shown["debt"], "0.00000014");
    assert_eq!(shown["overrun"], "0.00000004");
    assert_eq!(shown["remaining"], "0");
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn a_charge_to_no_budget_is_kept_and_costs_no_other_charge() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({})).await;
    let stranger = json!({"id": "bud_none"});
    let id = lease_id(&sidecar.lease(&ask("a", 1_000)).await);
    // The second names a lease of another budget.
    let charges = json!([
        charge(&stranger, None, 1),
        charge(&stranger, Some(id), 2),
        charge(&budget, Some(id), 3)
    ]);
    let answer = sidecar.charge("e", charges).await;
    assert_eq!(answer["accepted"], 1);
    assert_eq!(
        sidecar
            .sql("SELECT SUM(charged) FROM charges WHERE manner = 'unknown'")
            .await,
        3
    );
    assert_eq!(spent(&sidecar, &budget).await, "0.000000003");
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn each_threshold_is_told_once_with_the_charge_that_reached_it() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar
        .create_budget(json!({"amount": "0.0000001", "period": "total"}))
        .await;
    let told = async |percent: u32| {
        let select = format!(
            "SELECT COUNT(*) FROM notifications WHERE kind = 'budget.threshold' AND dedupe_key LIKE '%:{percent}'"
        );
        sidecar.sql(&select).await
    };
    for (charged, eighty, hundred) in [(79, 0, 0), (1, 1, 0), (19, 1, 0), (1, 1, 1), (50, 1, 1)] {
        sidecar
            .charge(
                &format!("{charged}-{eighty}-{hundred}"),
                json!([charge(&budget, None, charged)]),
            )
            .await;
        assert_eq!(
            (told(80).await, told(100).await),
            (eighty, hundred),
            "after {charged}"
        );
    }
}

#[tokio::test]
async fn a_budget_that_refuses_what_little_is_left_has_reached_its_end() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({"amount": "0.0000001"})).await;
    // A request that is larger than the budget says nothing about it.
    sidecar.lease(&ask("a", 101)).await;
    assert_eq!(sidecar.sql("SELECT COUNT(*) FROM notifications").await, 0);
    let id = lease_id(&sidecar.lease(&ask("a", 95)).await);
    sidecar.charge("e", json!([charge(&budget, Some(id), 95)])).await;
    assert_eq!(sidecar.sql("SELECT COUNT(*) FROM notifications").await, 1);
    for _ in 0..2 {
        assert_eq!(
            sidecar.lease(&ask("b", 10)).await["exhausted"]["may_return"],
            false
        );
        assert_eq!(sidecar.sql("SELECT COUNT(*) FROM notifications").await, 2);
    }
}

#[tokio::test]
async fn a_budget_of_few_requests_has_reached_its_end_when_it_cannot_pay_another_one() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({"amount": "0.0000001"})).await;
    let told = async || sidecar.sql("SELECT COUNT(*) FROM notifications").await;
    let id = lease_id(&sidecar.lease(&ask("a", 60)).await);
    sidecar.charge("e", json!([charge(&budget, Some(id), 60)])).await;
    // One that is larger than all that it has paid for: smaller ones may still be paid.
    assert_eq!(
        sidecar.lease(&ask("b", 61)).await["exhausted"]["may_return"],
        false
    );
    assert_eq!(told().await, 0);
    sidecar.lease(&ask("b", 60)).await;
    assert_eq!(told().await, 2, "both thresholds");
    sidecar.lease(&ask("b", 60)).await;
    assert_eq!(told().await, 2, "they were told before");
}

#[tokio::test]
async fn a_batch_of_more_budgets_than_a_statement_takes_is_settled() {
    const EVENTS: i64 = 1_000;
    let sidecar = Sidecar::start().await;
    // Soft ones in one window each: their accounts are made, read, locked and written with the batch.
    let mut budgets = Vec::new();
    for name in ["one", "two", "three"] {
        let enforcement = json!({"name": name, "subject": {}, "period": "day", "enforcement": "soft"});
        budgets.push(sidecar.create_budget(enforcement).await);
    }
    let events: Vec<Value> = (0..EVENTS)
        .map(|day| {
            let charges: Vec<Value> = budgets.iter().map(|budget| charge(budget, None, 1)).collect();
            let mut event = charging(&format!("e{day}"), json!(charges));
            let time = jiff::Timestamp::from_second(1_600_000_000 + day * 86_400).unwrap();
            event["time"] = json!(time);
            event
        })
        .collect();
    sidecar.send_events(&events).await;
    assert_eq!(
        sidecar
            .sql("SELECT COUNT(*) FROM budget_accounts WHERE spent = 1")
            .await,
        3 * EVENTS
    );
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn an_event_of_a_time_that_no_calendar_has_is_charged_and_costs_no_other() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({})).await;
    let mut wild = charging("wild", json!([charge(&budget, None, 700)]));
    // Its month has no end: that would be in the year 10000.
    wild["time"] = json!("9999-12-30T00:00:00Z");
    let sent = sidecar
        .send_events(&[charging("e", json!([charge(&budget, None, 5)])), wild])
        .await;
    assert_eq!(sent["accepted"], 2);
    assert_eq!(
        sidecar
            .sql("SELECT SUM(charged) FROM charges WHERE manner = 'debt'")
            .await,
        705
    );
    assert_eq!(
        spent(&sidecar, &budget).await,
        "0.0000007",
        "charged to the month of now"
    );
    sidecar.assert_balanced().await;
}
