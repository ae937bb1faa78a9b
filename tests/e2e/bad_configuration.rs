//! A faulty configuration: Envoy does not start with it, and says where the fault is. (For one that comes while
//! Envoy runs, see `hot_reload`.)

use serde_json::{Value, json};
use tollgate_stack::Stack;

async fn refusal(edit: impl FnOnce(&mut Value) + Send + 'static) -> String {
    match Stack::builder().filter_config(edit).start().await {
        Ok(_) => panic!("Envoy started with a faulty configuration"),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test]
async fn envoy_does_not_start_and_names_the_path_of_every_fault() {
    let told = refusal(|config| {
        config["limits"][0]["period"] = json!("soon");
    })
    .await;
    assert!(told.contains("limits[0].period"), "{told}");
    let unknown = refusal(|config| config["sidecar"]["tmeout"] = json!("1s")).await;
    assert!(
        unknown.contains("sidecar") && unknown.contains("tmeout"),
        "{unknown}"
    );
    let nested = refusal(|config| config["validation"] = json!([{"rules": {"max_messages": -1}}])).await;
    assert!(nested.contains("validation[0].rules.max_messages"), "{nested}");
}
