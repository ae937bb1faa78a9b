//! The sidecar is away: nobody waits for one that is dead.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_stack::Stack;
use tollgate_tests::{Answer, send};

use super::{Budget, CHAT, PRICE, ask, budgets_are_known, key};

const MAX_TOKENS: u64 = 100;
/// A gateway gives up after so long where the sidecar hangs.
const TIMEOUT: Duration = Duration::from_secs(3);
const FAILURES: u64 = 3;

async fn call(stack: &Stack, key: &str) -> Answer {
    let request = stack
        .http
        .post(format!("{}{CHAT}", stack.gateway))
        .bearer_auth(key);
    send(request.json(&ask(50, MAX_TOKENS))).await.unwrap()
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
