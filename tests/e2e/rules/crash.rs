//! A worker's VM that crashes: requests go on, and the exchange that was in flight is accounted for by another.

use std::time::Duration;

use serde_json::json;
use tollgate_stack::{Filter, Stack, wait};
use tollgate_tests::{chat, number};

use super::{CHAT, Client, data};

/// A VM is made anew after a pause of about a second, and the journal of a dead one found after some ticks.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn requests_go_on_and_what_was_in_flight_is_accounted_for() {
    let stack = Stack::builder()
        .data(data("crash"))
        .filter(Filter::TrapOnRequest)
        .concurrency(1)
        // A dead worker is known by its silence over so many ticks.
        .filter_config(|config| config["journal"] = json!({"flush_interval": "50ms"}))
        .start()
        .await
        .unwrap();
    let lost = Client::new(&stack, "crash-lost");
    let mut in_flight = lost.connect().await;
    let mut stream = chat("words 1000");
    stream["stream"] = json!(true);
    stream["max_tokens"] = json!(77);
    let fault: (&str, &[u8]) = ("x-mock-fault", b"delay_between=100");
    in_flight
        .send(lost.request(CHAT, &[fault], stream.to_string().as_bytes()))
        .await
        .unwrap();
    assert_eq!(in_flight.head().await.unwrap().status, 200);
    let finished = Client::new(&stack, "crash-before");
    assert_eq!(finished.chat(&[], &chat("echo before")).await.status, 200);

    let culprit = Client::new(&stack, "crash-culprit");
    let answer = culprit.chat(&[("x-test-trap", b"now")], &chat("echo a")).await;
    assert_eq!(answer.status, 503);
    assert!(
        stack.envoy_log().contains("asked to crash"),
        "the VM did not crash"
    );
    assert!(
        in_flight.answer().await.is_err(),
        "the stream of a dead VM went on"
    );

    let after = Client::new(&stack, "crash-after");
    wait::until(PATIENCE, "no request is served after the crash", async || {
        let answer = after.chat(&[], &chat("echo after")).await;
        assert!(matches!(answer.status, 200 | 503), "{answer:?}");
        Ok((answer.status == 200).then_some(()))
    })
    .await
    .unwrap();

    let event = wait::until(PATIENCE, "the exchange in flight was lost", async || {
        let all = stack.admin.events("").await?;
        Ok(all.into_iter().find(|event| event["session"] == "crash-lost"))
    })
    .await
    .unwrap();
    assert_eq!(
        (&event["error_code"], &event["usage_status"]),
        (&json!("worker_lost"), &json!("estimated"))
    );
    assert_eq!(event["workspace"], "unlimited");
    // Charged at its reservation: the prompt, and all that it might have answered.
    assert!(number(&event, "input_tokens") > 0, "{event}");
    assert_eq!(number(&event, "output_tokens"), 77, "{event}");
    assert!(number(&event, "cost_nanousd") >= 77 * 600, "{event}");

    assert_eq!(finished.only_event().await["usage_status"], "complete");
    assert_eq!(lost.only_event().await["error_code"], "worker_lost");
    assert_eq!(culprit.received().await.len(), 0);
    assert_eq!(
        after.received().await.len(),
        1,
        "only the request that was served reached the provider"
    );
}
