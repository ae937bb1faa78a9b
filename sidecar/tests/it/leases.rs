//! Leases: from all budgets that apply or from none, once for a question that comes twice, and held while money may
//! come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::money::{ask, charge, done, granted, hold, lease_id};
use super::support::{Sidecar, event, expect};

#[tokio::test]
async fn without_budgets_nothing_is_leased_and_the_version_is_zero() {
    let sidecar = Sidecar::start().await;
    assert_eq!(
        sidecar.lease(&ask("a", 1)).await,
        json!({"version": 0, "budgets": []})
    );
}

#[tokio::test]
async fn a_gateway_gets_a_part_of_what_is_left() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({})).await;
    let answer = sidecar.lease(&ask("a", 1_000_000)).await;
    assert_eq!(answer["version"], 1);
    assert_eq!(granted(&answer), 9_000_000);
    let applied = &answer["budgets"][0];
    assert_eq!(
        (&applied["id"], &applied["name"], &applied["scope"]),
        (
            &budget["id"],
            &json!("workspace acme per month"),
            &json!("workspace")
        )
    );
    assert_eq!(applied["amount"], 1_000_000_000);
    assert_eq!(applied["lease"]["status"], "open");
    assert!(applied["period_ends_in_ms"].as_u64().unwrap() > 0);
    let shown = sidecar.budget(budget["id"].as_str().unwrap()).await;
    assert_eq!(
        (&shown["spent"], &shown["leased"]),
        (&json!("0"), &json!("0.009"))
    );
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn a_question_that_comes_twice_grows_a_lease_once() {
    let sidecar = Sidecar::start().await;
    sidecar.create_budget(json!({})).await;
    let first = sidecar.lease(&ask("a", 1_000_000)).await;
    let second = sidecar.lease(&ask("a", 1_000_000)).await;
    assert_eq!(
        (lease_id(&first), granted(&first)),
        (lease_id(&second), granted(&second))
    );
}

#[tokio::test]
async fn all_budgets_pay_or_none_does() {
    let sidecar = Sidecar::start().await;
    let large = sidecar.create_budget(json!({})).await;
    let small = sidecar
        .create_budget(json!({"name": "all", "subject": {}, "amount": "0.000000005", "period": "day"}))
        .await;
    let answer = sidecar.lease(&ask("a", 6)).await;
    assert_eq!(
        answer["exhausted"],
        json!({"budget_id": small["id"], "available": 5, "may_return": false})
    );
    assert_eq!(answer["budgets"].as_array().unwrap().len(), 2);
    assert_eq!(sidecar.budget(large["id"].as_str().unwrap()).await["leased"], "0");
    let answer = sidecar.lease(&ask("a", 5)).await;
    assert_eq!(answer["exhausted"], Value::Null);
    assert_eq!(
        sidecar.budget(small["id"].as_str().unwrap()).await["leased"],
        "0.000000005"
    );
}

#[tokio::test]
async fn a_request_of_somebody_else_is_under_no_budget() {
    let sidecar = Sidecar::start().await;
    sidecar.create_budget(json!({})).await;
    let mut other = ask("a", 1);
    other["facts"]["workspace"] = json!("beta");
    assert_eq!(sidecar.lease(&other).await, json!({"version": 1, "budgets": []}));
}

#[tokio::test]
async fn a_cap_for_single_requests_is_told_and_not_leased() {
    let sidecar = Sidecar::start().await;
    for subject in [json!({}), json!({"user": "*"})] {
        sidecar
            .create_budget(
                json!({"subject": subject, "unit": "tokens", "period": "request", "amount": "10000"}),
            )
            .await;
    }
    let mut request = ask("a", 1);
    request["facts"]["user"] = json!("ann");
    let budgets = sidecar.lease(&request).await["budgets"].clone();
    assert_eq!(budgets.as_array().unwrap().len(), 2);
    for budget in budgets.as_array().unwrap() {
        assert_eq!(
            (&budget["period"], &budget["amount"]),
            (&json!("request"), &json!(10_000))
        );
        assert_eq!(budget["lease"], Value::Null);
    }
    assert_eq!(sidecar.sql("SELECT COUNT(*) FROM budget_accounts").await, 0);
}

#[tokio::test]
async fn a_call_is_held_until_another_gateway_gives_back() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({"amount": "0.00000001"})).await;
    let first = sidecar.lease(&ask("a", 10)).await;
    assert_eq!(granted(&first), 10);
    let mut waiting = ask("b", 10);
    waiting["wait_ms"] = json!(20_000);
    let giving_back = async {
        // The call is under way before anything comes back: else it need not wait.
        let mut at_once = ask("b", 10);
        at_once["wait_ms"] = json!(0);
        assert_eq!(sidecar.lease(&at_once).await["exhausted"]["may_return"], true);
        sidecar.report("a", done(&budget, lease_id(&first), 0)).await
    };
    let (answer, closed) = tokio::join!(sidecar.lease(&waiting), giving_back);
    assert_eq!(closed["lease"]["status"], "closed");
    assert_eq!(answer["exhausted"], Value::Null);
    assert_eq!(granted(&answer), 10);
}

#[tokio::test]
async fn a_call_held_by_one_sidecar_hears_of_what_came_back_through_another() {
    let one = Sidecar::start().await;
    let other = one.beside().await;
    let budget = one.create_budget(json!({"amount": "0.00000001"})).await;
    let first = one.lease(&ask("a", 10)).await;
    let mut waiting = ask("b", 10);
    waiting["wait_ms"] = json!(20_000);
    let (answer, _) = tokio::join!(
        one.lease(&waiting),
        other.report("a", done(&budget, lease_id(&first), 0))
    );
    assert_eq!(granted(&answer), 10);
}

#[tokio::test]
async fn a_call_is_held_no_longer_than_its_gateway_waits() {
    let sidecar = Sidecar::start().await;
    sidecar.create_budget(json!({"amount": "0.00000001"})).await;
    sidecar.lease(&ask("a", 10)).await;
    let mut waiting = ask("b", 10);
    waiting["wait_ms"] = json!(300);
    let began = std::time::Instant::now();
    let answer = sidecar.lease(&waiting).await;
    assert_eq!(answer["exhausted"]["may_return"], true);
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_call_is_not_held_for_money_that_is_spent() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({"amount": "0.00000001"})).await;
    let first = sidecar.lease(&ask("a", 10)).await;
    sidecar
        .charge("e", json!([charge(&budget, Some(lease_id(&first)), 10)]))
        .await;
    let mut waiting = ask("b", 10);
    waiting["wait_ms"] = json!(20_000);
    let answer = sidecar.lease(&waiting).await;
    assert_eq!(answer["exhausted"]["may_return"], false);
}

#[tokio::test]
async fn what_is_reported_is_renewed_returned_and_closed() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({})).await;
    let id = lease_id(&sidecar.lease(&ask("a", 1_000)).await);
    let reported = sidecar.report("a", hold(&budget, id, 1_000, 5_000)).await;
    assert_eq!(reported["lease"]["status"], "open");
    assert_eq!(reported["amount"], 1_000_000_000);
    let of = || async { sidecar.budget(budget["id"].as_str().unwrap()).await["leased"].clone() };
    assert_eq!(of().await, "0.000004");
    let reported = sidecar.report("a", done(&budget, id, 1_000)).await;
    assert_eq!(reported["lease"]["status"], "closed");
    // What is used is still leased: its charge is on the way.
    assert_eq!(of().await, "0.000001");
    sidecar
        .charge("e", json!([charge(&budget, Some(id), 1_000)]))
        .await;
    assert_eq!(of().await, "0");
    sidecar.assert_balanced().await;
}

#[tokio::test]
async fn a_lease_that_the_ledger_never_gave_is_closed() {
    let sidecar = Sidecar::start().await;
    let budget = sidecar.create_budget(json!({})).await;
    let reported = sidecar.report("a", hold(&budget, 77, 1, 0)).await;
    assert_eq!(reported["budget_id"], budget["id"]);
    assert_eq!(reported["lease"]["status"], "closed");
}

#[tokio::test]
async fn a_question_that_cannot_be_is_refused_by_field() {
    let sidecar = Sidecar::start().await;
    let mut nameless = ask("", 1);
    nameless["holds"] = json!(vec![hold(&json!({"id": "b"}), 1, 0, 0); 1_001]);
    let response = sidecar.gateway("/v1/leases", &nameless).await;
    let problem = expect(response, reqwest::StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(problem["errors"][0]["pointer"], "#/instance");
    assert_eq!(problem["errors"][1]["pointer"], "#/holds");
}

#[tokio::test]
async fn many_that_ask_at_once_are_given_what_there_is_and_no_more() {
    let sidecar = Arc::new(Sidecar::start().await);
    sidecar.create_budget(json!({"amount": "0.000000100"})).await;
    // Gateways of one name: what each asks is answered together with what the others ask.
    let asking: Vec<_> = (0..60)
        .map(|number| {
            let sidecar = sidecar.clone();
            tokio::spawn(async move { sidecar.lease(&ask(&format!("i{number}"), 3)).await })
        })
        .collect();
    let (mut given, mut refused, mut ids) = (0, 0, std::collections::BTreeSet::new());
    for question in asking {
        let answer = question.await.unwrap();
        if answer["exhausted"].is_null() {
            given += granted(&answer);
            assert!(granted(&answer) >= 3, "{answer}");
            assert!(ids.insert(lease_id(&answer)), "two gateways have one lease");
        } else {
            refused += 1;
        }
    }
    assert!((98..=100).contains(&given), "{given} of 100 were leased");
    assert!(refused > 0);
    sidecar.assert_balanced().await;
}

/// Many workers send their events at once; the one request that waits for money does not wait for them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_does_not_queue_behind_batches_of_events() {
    const BATCHES: usize = 40;
    let sidecar = Arc::new(Sidecar::start().await);
    sidecar.create_budget(json!({})).await;
    let (mut batches, answered) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for batch in 0..BATCHES {
        let (sidecar, answered) = (Arc::clone(&sidecar), Arc::clone(&answered));
        let events = Vec::from_iter((0..100).map(|number| event(&format!("{batch}-{number}"), "acme")));
        batches.spawn(async move {
            sidecar.send_events(&events).await;
            answered.fetch_add(1, Ordering::Relaxed);
        });
    }
    // The others wait by then.
    batches.join_next().await.unwrap().unwrap();
    sidecar.lease(&ask("a", 1_000)).await;
    let before = answered.load(Ordering::Relaxed);
    assert!(before < BATCHES / 2, "{before} of {BATCHES} batches came first");
    batches.join_all().await;
}
