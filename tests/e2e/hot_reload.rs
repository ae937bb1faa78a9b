//! Configuration that changes while Envoy runs.

use std::time::Duration;

use serde_json::json;
use tollgate_stack::{Stack, wait};
use tollgate_tests::{chat, post};

const PATIENCE: Duration = Duration::from_secs(20);
const CHAT: &str = "/v1/chat/completions";
const STATS: &str = "extension_config_discovery.http_filter.tollgate";

#[tokio::test]
async fn a_bad_configuration_is_refused_by_its_path_and_the_old_one_goes_on() {
    let mut stack = Stack::builder().hot_reload().start().await.unwrap();
    let key = stack.key("unlimited").to_owned();
    assert_eq!(
        post(&stack, CHAT, &key, &chat("echo a")).await.unwrap().status,
        200
    );

    stack
        .reload_filter(|config| config["limits"][0]["period"] = json!("soon"))
        .unwrap();
    wait::until(PATIENCE, "Envoy did not refuse the configuration", async || {
        Ok((stack.envoy_stat(&format!("{STATS}.config_fail")).await? > 0).then_some(()))
    })
    .await
    .unwrap();
    let log = stack.envoy_log();
    assert!(
        log.contains("limits[0].period"),
        "the path of the fault is not in Envoy's log"
    );
    assert_eq!(
        post(&stack, CHAT, &key, &chat("echo a")).await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn a_new_limit_holds_from_the_next_request_on() {
    let mut stack = Stack::builder().hot_reload().start().await.unwrap();
    let key = stack.key("unlimited").to_owned();
    stack
        .reload_filter(|config| {
            config["limits"][0]["match"] = json!({"workspaces": ["unlimited"]});
            config["limits"][0]["amount"] = json!(1);
        })
        .unwrap();
    wait::until(PATIENCE, "Envoy did not take the configuration", async || {
        Ok((stack.envoy_stat(&format!("{STATS}.config_reload")).await? > 1).then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(
        post(&stack, CHAT, &key, &chat("echo a")).await.unwrap().status,
        200
    );
    assert_eq!(
        post(&stack, CHAT, &key, &chat("echo a")).await.unwrap().status,
        429
    );
}
