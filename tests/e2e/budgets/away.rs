//! The sidecar is away: what is leased is spent to its end, then each budget's own policy counts; and nobody waits for
//! a sidecar that is dead.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_core::key::KeyHash;
use tollgate_stack::{Stack, wait};
use tollgate_tests::{Answer, SETTLED, number, send};

use super::{Budget, CHAT, PRICE, Standing, ask, budgets_are_known, cost_served, key};

const MAX_TOKENS: u64 = 100;
/// A gateway gives up after so long where the sidecar hangs.
const TIMEOUT: Duration = Duration::from_secs(3);
const FAILURES: u64 = 3;
/// Requests before the sidecar goes away: a lease is as large as the pace of the spend wants it.
const LATELY: usize = 20;
/// A gateway reports each second, and has its answer: nothing is under way any more.
const REPORTED: Duration = Duration::from_millis(1_500);
/// More than what a request can cost: its output, and a prompt that is far shorter.
const DEAREST: u64 = MAX_TOKENS * PRICE.1 * 5 / 4;
/// Far more requests than a lease pays for.
const MOST: usize = 5_000;
/// Requests that are let go beyond the lease.
const BEYOND: usize = 20;

async fn call(stack: &Stack, key: &str) -> Answer {
    let request = stack
        .http
        .post(format!("{}{CHAT}", stack.gateway))
        .bearer_auth(key);
    send(request.json(&ask(50, MAX_TOKENS))).await.unwrap()
}

/// A system with a budget of this policy, a lease of it in hand, and a sidecar that is gone.
async fn left_alone(on_unavailable: &str) -> (Stack, String, Budget, Standing) {
    // A key that needs no sidecar: only the budget is the subject here.
    let key = "tg_test_0123456789abcdefghijklmnopqrstuv".to_owned();
    let sha256 = KeyHash::of(key.as_bytes()).to_hex();
    let mut stack = Stack::builder()
        .concurrency(2)
        .filter_config(move |config| {
            config["keys"] = json!([{"id": "key_alone", "sha256": sha256, "workspace": "alone"}]);
        })
        .start()
        .await
        .unwrap();
    let more = json!({"on_unavailable": on_unavailable});
    let budget = Budget::of_workspace(&stack, "alone", "100", more).await;
    budgets_are_known(&stack).await;
    for _ in 0..LATELY {
        let answer = call(&stack, &key).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let mut standing = budget.has_spent(cost_served(&stack).await).await;
    loop {
        tokio::time::sleep(REPORTED).await;
        let later = budget.standing().await.unwrap();
        if later == standing {
            break;
        }
        standing = later;
    }
    stack.kill_sidecar().unwrap();
    assert!(standing.leased > 2 * DEAREST, "{standing:?}");
    (stack, key, budget, standing)
}

/// What of a lease was spent: all but what would not have paid for one more request.
fn assert_spent_to_its_end(spent: u64, before: &Standing) {
    assert!(spent <= before.leased, "{spent} spent of {before:?}");
    assert!(
        spent + DEAREST > before.leased,
        "only {spent} spent of {before:?}"
    );
}

#[tokio::test]
async fn the_lease_is_spent_to_its_end_and_then_requests_are_refused() {
    let (mut stack, key, budget, before) = left_alone("deny").await;
    let mut refusal = None;
    for _ in 0..MOST {
        let answer = call(&stack, &key).await;
        if answer.status != 200 {
            refusal = Some(answer);
            break;
        }
    }
    let refusal = refusal.expect("nobody was refused, though the lease is spent");
    assert_eq!(
        (refusal.status, refusal.error_code().as_str()),
        (503, "sidecar_unavailable"),
        "{}",
        refusal.text()
    );
    assert_spent_to_its_end(cost_served(&stack).await - before.spent, &before);

    stack.start_sidecar().await.unwrap();
    wait::until(
        SETTLED,
        "requests are refused though the sidecar is back",
        async || Ok((call(&stack, &key).await.status == 200).then_some(())),
    )
    .await
    .unwrap();
    let standing = budget.has_spent(cost_served(&stack).await).await;
    assert_eq!((standing.debt, standing.overrun), (0, 0), "{standing:?}");
}

#[tokio::test]
async fn with_the_policy_to_allow_requests_go_on_as_debt_that_is_settled_later() {
    let (mut stack, key, budget, before) = left_alone("allow").await;
    let mut beyond = 0;
    while beyond < BEYOND {
        let answer = call(&stack, &key).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let served = stack.mock.served().await.unwrap();
        assert!(number(&served, "requests") < MOST as u64, "the lease has no end");
        if cost_served(&stack).await - before.spent > before.leased {
            beyond += 1;
        }
    }

    stack.start_sidecar().await.unwrap();
    let standing = budget.has_spent(cost_served(&stack).await).await;
    // The lease has paid first; all that it could not pay, and nothing else, is debt.
    assert_spent_to_its_end(standing.spent - before.spent - standing.debt, &before);
    assert!(standing.debt > 0 && standing.overrun == 0, "{standing:?}");
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([name, &pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "kill {name}");
}

#[tokio::test]
async fn after_some_failures_nobody_waits_for_a_sidecar_that_hangs() {
    let stack = Stack::builder()
        .filter_config(|config: &mut Value| {
            config["sidecar"]["timeout"] = json!(format!("{}s", TIMEOUT.as_secs()));
            config["sidecar"]["breaker"] = json!({"failures": FAILURES, "pause": "60s"});
        })
        .envoy_config(|envoy| {
            // Envoy itself would leave a sidecar that does not answer.
            let clusters = envoy.pointer_mut("/static_resources/clusters").unwrap();
            for cluster in clusters.as_array_mut().unwrap() {
                let cluster = cluster.as_object_mut().unwrap();
                cluster.remove("health_checks");
                cluster.remove("outlier_detection");
            }
        })
        .start()
        .await
        .unwrap();
    let key = key(&stack, "waits").await;
    // A lease that is spent at once: each request needs all that there could be of it.
    let amount = MAX_TOKENS * PRICE.1 * 3;
    Budget::of_workspace(&stack, "waits", &format!("0.{amount:09}"), json!({})).await;
    budgets_are_known(&stack).await;
    // The key is known, the budget is not: a request of this workspace waits for the sidecar.
    let models = stack
        .http
        .get(format!("{}/v1/models", stack.gateway))
        .bearer_auth(&key);
    assert_eq!(send(models).await.unwrap().status, 200);
    let pid = stack.up_file().pids["sidecar"];
    signal(pid, "-STOP");
    for number in 0..FAILURES {
        let began = Instant::now();
        assert_eq!(call(&stack, &key).await.status, 503);
        assert!(began.elapsed() >= TIMEOUT, "request {number} has not waited");
    }
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(call(&stack, &key).await.status, 503);
        assert!(
            began.elapsed() < TIMEOUT,
            "a request has waited for a dead sidecar"
        );
    }
    signal(pid, "-CONT");
}
