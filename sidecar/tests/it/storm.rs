//! Many gateways at one budget, through two sidecars: it is never overspent, not for an instant, and all of it can be
//! spent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::money::{ask, charge, done, granted, lease_id};
use super::support::Sidecar;

const GATEWAYS: u64 = 64;
const REQUESTS: u64 = 6;
/// Of each request.
const NEED: u64 = 1_000;
/// Enough for half of what is asked for.
const AMOUNT: u64 = GATEWAYS * REQUESTS * NEED / 2;

const OVERSPENT: &str = "SELECT COUNT(*) FROM budget_accounts WHERE spent + leased > amount";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_instant_finds_it_overspent_and_no_request_is_refused_while_there_is_money() {
    let one = Arc::new(Sidecar::start().await);
    let other = Arc::new(one.beside().await);
    let amount = format!("0.{AMOUNT:09}");
    let budget = one.create_budget(json!({"amount": amount})).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let watching = {
        let (one, is_over) = (Arc::clone(&one), Arc::clone(&is_over));
        tokio::spawn(async move {
            let mut looks = 0;
            while !is_over.load(Ordering::Relaxed) || looks == 0 {
                assert_eq!(one.sql(OVERSPENT).await, 0);
                looks += 1;
            }
        })
    };
    let (paid, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut gateways = JoinSet::new();
    for gateway in 0..GATEWAYS {
        let sidecars = [Arc::clone(&one), Arc::clone(&other)];
        let (budget, paid, refused) = (budget.clone(), Arc::clone(&paid), Arc::clone(&refused));
        gateways.spawn(async move {
            let instance = format!("gateway-{gateway}");
            for request in 0..REQUESTS {
                let sidecar = &sidecars[usize::try_from(gateway + request).unwrap() % 2];
                let name = format!("{gateway}-{request}");
                if spend(sidecar, &instance, &name, &budget).await {
                    paid.fetch_add(1, Ordering::Relaxed);
                } else {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    gateways.join_all().await;
    is_over.store(true, Ordering::Relaxed);
    watching.await.unwrap();
    let paid = paid.load(Ordering::Relaxed);
    assert_eq!(
        paid * NEED,
        AMOUNT,
        "refused: {}",
        refused.load(Ordering::Relaxed)
    );
    let shown = one.budget(budget["id"].as_str().unwrap()).await;
    assert_eq!(
        (
            &shown["spent"],
            &shown["leased"],
            &shown["remaining"],
            &shown["overrun"]
        ),
        (&shown["amount"], &json!("0"), &json!("0"), &json!("0"))
    );
    one.assert_balanced().await;
    assert_eq!(one.sql("SELECT COUNT(*) FROM notifications").await, 2);
}

/// One request of a gateway that leases for it, charges its event and gives the rest back.
async fn spend(sidecar: &Sidecar, instance: &str, name: &str, budget: &Value) -> bool {
    let mut request = ask(instance, NEED);
    request["wait_ms"] = json!(10_000);
    let answer = loop {
        let answer = sidecar.lease(&request).await;
        match answer["exhausted"]["may_return"].as_bool() {
            None => break answer,
            Some(false) => return false,
            // On a slow machine others may hold money for longer than this call.
            Some(true) => {}
        }
    };
    let id = lease_id(&answer);
    assert!(granted(&answer) >= NEED);
    let reported = done(budget, id, NEED);
    let event = json!([charge(budget, Some(id), NEED)]);
    // In either order, and sometimes twice.
    if name.len().is_multiple_of(2) {
        sidecar.charge(name, event.clone()).await;
        sidecar.report(instance, reported.clone()).await;
        sidecar.charge(name, event).await;
    } else {
        sidecar.report(instance, reported.clone()).await;
        sidecar.charge(name, event).await;
        sidecar.report(instance, reported).await;
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_cross_each_other_settle_all_their_budgets() {
    let one = Arc::new(Sidecar::start().await);
    let other = Arc::new(one.beside().await);
    let mut budgets = Vec::new();
    for (subject, unit) in [
        (json!({}), "usd"),
        (json!({"workspace": "acme"}), "usd"),
        (json!({}), "tokens"),
    ] {
        budgets.push(
            one.create_budget(json!({"subject": subject, "unit": unit, "amount": "100"}))
                .await,
        );
    }
    let mut request = ask("a", 100);
    request["need"]["tokens"] = json!(10);
    request["least"]["tokens"] = json!(10);
    let answer = one.lease(&request).await;
    let mut batches = JoinSet::new();
    for batch in 0..24_usize {
        let sidecar = Arc::clone(if batch % 2 == 0 { &one } else { &other });
        let mut charges: Vec<Value> = answer["budgets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|budget| charge(budget, budget["lease"]["lease_id"].as_u64(), 1))
            .collect();
        // Each batch has them in another order.
        charges.rotate_left(batch % 3);
        batches.spawn(async move {
            for event in 0..5 {
                sidecar.charge(&format!("{batch}-{event}"), json!(charges)).await;
            }
        });
    }
    batches.join_all().await;
    for budget in &budgets {
        assert_eq!(
            one.sql(&format!(
                "SELECT spent FROM budget_accounts WHERE budget_id = '{}'",
                budget["id"].as_str().unwrap()
            ))
            .await,
            120
        );
    }
    one.assert_balanced().await;
}
