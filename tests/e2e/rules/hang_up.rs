//! A client that hangs up, at every stage: one event, the right one, and nobody works for it any longer.

use serde_json::{Value, json};
use std::time::Duration;
use tollgate_stack::wait;
use tollgate_tests::{chat, number};

use super::pending_callout::{SIDECAR, stranger};
use super::{CHAT, Client, shared};

const PATIENCE: Duration = Duration::from_secs(20);

fn stream(content: &str) -> Vec<u8> {
    let mut body = chat(content);
    body["stream"] = json!(true);
    body.to_string().into_bytes()
}

fn assert_left_unserved(event: &Value) {
    assert_eq!(event["error_code"], "client_closed", "{event}");
    assert_eq!(
        (&event["usage_status"], &event["cost_nanousd"]),
        (&json!("none"), &json!(0)),
        "{event}"
    );
    assert_eq!(event["status"], 0, "{event}");
}

/// What was going on at the provider has ended because Envoy hung up there too.
async fn provider_was_left(client: &Client<'_>) {
    wait::until(
        PATIENCE,
        "the provider still works for a client that left",
        async || {
            let received = client.received().await;
            Ok((received.len() == 1 && received[0]["outcome"] == "aborted").then_some(()))
        },
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn before_the_body_is_whole() {
    let client = Client::new(shared().await, "left-in-body");
    let mut connection = client.connect().await;
    let start = [
        &client.start(CHAT, &[])[..],
        b"content-length: 1000\r\n\r\n{\"model\"",
    ]
    .concat();
    connection.send(start).await.unwrap();
    // The gateway has read the headers when it refuses nothing on another connection.
    client.others_are_served().await;
    drop(connection);
    assert_left_unserved(&client.only_event().await);
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn while_the_key_is_asked_for() {
    let (client, hash) = stranger("left-in-key", "unlimited").await;
    let held = SIDECAR.hold(&hash);
    let mut connection = client.connect().await;
    connection
        .send(client.request(CHAT, &[], &stream("echo a")))
        .await
        .unwrap();
    held.arrived().await.unwrap();
    drop(connection);
    // The event comes although the answer to the question does not.
    assert_left_unserved(&client.events(1).await[0]);
    drop(held);
    client.others_are_served().await;
    assert_left_unserved(&client.only_event().await);
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn while_the_prompt_is_judged() {
    let (client, _) = stranger("left-in-verdict", "moderated").await;
    let held = SIDECAR.hold("echo left-9113");
    let mut connection = client.connect().await;
    connection
        .send(client.request(CHAT, &[], &stream("echo left-9113")))
        .await
        .unwrap();
    held.arrived().await.unwrap();
    drop(connection);
    let event = client.events(1).await.remove(0);
    assert_left_unserved(&event);
    assert_eq!(event["request_model"], "gpt-4o-mini");
    drop(held);
    client.others_are_served().await;
    assert_left_unserved(&client.only_event().await);
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn before_the_answer_begins() {
    let client = Client::new(shared().await, "left-before-answer");
    let mut connection = client.connect().await;
    connection
        .send(client.request(CHAT, &[("x-mock-fault", b"slow=600000")], &stream("echo a")))
        .await
        .unwrap();
    wait::until(PATIENCE, "the provider was not called", async || {
        Ok((client.received().await.len() == 1).then_some(()))
    })
    .await
    .unwrap();
    drop(connection);
    let event = client.only_event().await;
    assert_eq!(
        (&event["error_code"], &event["usage_status"]),
        (&json!("client_closed"), &json!("estimated"))
    );
    assert_eq!(number(&event, "output_tokens"), 0, "{event}");
    assert!(
        number(&event, "input_tokens") > 0 && number(&event, "cost_nanousd") > 0,
        "{event}"
    );
    provider_was_left(&client).await;
}

#[tokio::test]
async fn within_a_json_answer() {
    let client = Client::new(shared().await, "left-in-json");
    let mut connection = client.connect().await;
    let body = chat("words 400").to_string();
    connection
        .send(client.request(CHAT, &[("x-mock-fault", b"stall")], body.as_bytes()))
        .await
        .unwrap();
    wait::until(PATIENCE, "the provider was not called", async || {
        Ok((client.received().await.len() == 1).then_some(()))
    })
    .await
    .unwrap();
    drop(connection);
    let event = client.only_event().await;
    assert_eq!(
        (&event["error_code"], &event["usage_status"]),
        (&json!("client_closed"), &json!("estimated"))
    );
    assert!(number(&event, "input_tokens") > 0, "{event}");
    provider_was_left(&client).await;
}

#[tokio::test]
async fn within_a_stream() {
    let client = Client::new(shared().await, "left-in-stream");
    let mut connection = client.connect().await;
    let fault: (&str, &[u8]) = ("x-mock-fault", b"delay_between=50");
    connection
        .send(client.request(CHAT, &[fault], &stream("words 100000")))
        .await
        .unwrap();
    let head = connection.head().await.unwrap();
    assert_eq!(head.status, 200);
    let mut seen = String::new();
    while seen.matches("data: ").count() < 5 {
        seen.push_str(&String::from_utf8_lossy(&connection.some().await.unwrap()));
    }
    drop(connection);
    let event = client.only_event().await;
    assert_eq!(event["error_code"], "client_closed", "{event}");
    assert_eq!(
        (&event["usage_status"], &event["status"]),
        (&json!("estimated"), &json!(200)),
        "{event}"
    );
    assert!(number(&event, "input_tokens") > 0, "{event}");
    // What was seen, and not the hundred thousand words that were asked for.
    assert!((2..1000).contains(&number(&event, "output_tokens")), "{event}");
    assert!(event["time_to_first_token_ms"].is_u64(), "{event}");
    provider_was_left(&client).await;
}

#[tokio::test]
async fn a_provider_that_hangs_up_is_not_the_clients_doing() {
    let client = Client::new(shared().await, "provider-left");
    let mut connection = client.connect().await;
    connection
        .send(client.request(CHAT, &[("x-mock-fault", b"cut_after=3")], &stream("words 100")))
        .await
        .unwrap();
    assert!(connection.answer().await.is_err(), "the stream looks whole");
    let event = client.only_event().await;
    assert_eq!(
        (&event["error_code"], &event["usage_status"]),
        (&json!("upstream_closed"), &json!("estimated"))
    );
    assert!(number(&event, "cost_nanousd") > 0, "{event}");
}
