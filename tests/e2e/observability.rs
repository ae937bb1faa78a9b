//! What operators see: metrics with labels, and the access log.

use serde_json::Value;
use tollgate_stack::{Stack, wait};
use tollgate_tests::{SETTLED, chat, post};

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn prometheus_sees_labels_and_not_their_encoding() {
    let stack = Stack::builder().start().await.unwrap();
    post(&stack, CHAT, stack.key("unlimited"), &chat("echo a"))
        .await
        .unwrap();
    post(&stack, CHAT, "tg_test_none", &chat("echo a")).await.unwrap();
    let wanted = [
        r#"tollgate_requests_total{workspace="unlimited",model="gpt-4o-mini",provider="openai",status="200"} 1"#,
        r#"tollgate_refusals_total{reason="invalid_api_key"} 1"#,
    ];
    wait::until(SETTLED, "the metrics do not show both requests", async || {
        let url = format!("{}/stats/prometheus", stack.envoy_admin);
        let text = stack.http.get(url).send().await?.text().await?;
        assert!(!text.contains(";workspace="), "a label is still inside a name");
        Ok(wanted.iter().all(|line| text.contains(line)).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_access_log_says_who_called_which_model_at_what_cost() {
    let stack = Stack::builder().start().await.unwrap();
    let answer = post(&stack, CHAT, stack.key("unlimited"), &chat("echo a"))
        .await
        .unwrap();
    let id = answer.header("x-tollgate-request-id").to_owned();
    let line = wait::until(SETTLED, "the access log does not show the request", async || {
        let log = stack.access_log();
        Ok(log.lines().find(|line| line.contains(&id)).map(str::to_owned))
    })
    .await
    .unwrap();
    let entry: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(entry["workspace"], "unlimited");
    assert_eq!(entry["model"], "gpt-4o-mini");
    assert_eq!(entry["decision"], "allow");
    assert_eq!(entry["cost_usd"], answer.header("x-tollgate-cost"));
    assert_eq!(entry["path"], CHAT);
}
