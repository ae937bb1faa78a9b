//! While the sidecar is asked, nothing goes on: neither headers nor body, however the rest of the body arrives.

use std::sync::LazyLock;

use serde_json::json;
use tokio::sync::OnceCell;
use tollgate_core::key::KeyHash;
use tollgate_stack::Stack;
use tollgate_tests::slow_sidecar::SlowSidecar;
use tollgate_tests::{chat, raw};

use super::{CHAT, Client, data, open_everything};

pub(super) static SIDECAR: LazyLock<SlowSidecar> = LazyLock::new(|| SlowSidecar::start().unwrap());

/// A stack whose sidecar can be slow, and moderates the workspace `moderated`.
pub(super) async fn slow() -> &'static Stack {
    static STACK: OnceCell<Stack> = OnceCell::const_new();
    let start = async || {
        // The list of changed keys would tell the gateway of a new key before it asks.
        std::mem::forget(SIDECAR.hold("/v1/keys/changes"));
        let builder = Stack::builder()
            .data(data("slow"))
            .envoy_config(|envoy| {
                open_everything(envoy);
                SIDECAR.stand_in(envoy);
            })
            .filter_config(|config| {
                config["sidecar"]["timeout"] = json!("60s");
                config["moderation"] =
                    json!([{"policy": "default", "match": {"workspaces": ["moderated"]}, "timeout": "60s"}]);
            });
        let stack = builder.start().await.unwrap();
        SIDECAR.in_front_of(&stack.sidecar).unwrap();
        stack
    };
    STACK.get_or_init(start).await
}

/// A client with a key that the gateway does not know yet, and what the question about it contains.
pub(super) async fn stranger(mark: &'static str, workspace: &str) -> (Client<'static>, String) {
    let stack = slow().await;
    let spec = json!({"name": mark, "workspace": workspace});
    let (_, key) = stack.admin.create_key(&spec).await.unwrap();
    let hash = KeyHash::of(key.as_bytes()).to_hex();
    (Client::with_key(stack, mark, key), hash)
}

#[tokio::test]
async fn nothing_goes_on_before_the_key_is_known() {
    for (mark, trailers) in [
        ("callout-key", &b"\r\n"[..]),
        ("callout-key-trailers", b"x-trailer: late\r\n\r\n"),
    ] {
        let (client, hash) = stranger(mark, "unlimited").await;
        let held = SIDECAR.hold(&hash);
        let body = chat("echo in pieces").to_string();
        let (first, rest) = body.as_bytes().split_at(10);
        let mut connection = client.connect().await;
        let start = [
            &client.start(CHAT, &[])[..],
            b"transfer-encoding: chunked\r\n\r\n",
            &raw::chunk(first),
        ]
        .concat();
        connection.send(start).await.unwrap();
        held.arrived().await.unwrap();
        connection.send(raw::chunk(rest)).await.unwrap();
        connection
            .send([&raw::chunk(b"")[..], trailers].concat())
            .await
            .unwrap();
        client.others_are_served().await;
        assert_eq!(
            client.received().await.len(),
            0,
            "{mark}: the provider was called for a stranger"
        );

        drop(held);
        let answer = connection.answer().await.unwrap();
        assert_eq!(answer.status, 200, "{mark}: {}", answer.text());
        assert_eq!(client.received().await[0]["body"], body);
        assert_eq!(client.events(1).await[0]["usage_status"], "complete");
    }
}

#[tokio::test]
async fn nothing_goes_on_for_a_key_that_turns_out_to_be_unknown() {
    let stack = slow().await;
    let key = "tg_test_00000000000000000000000000000000".to_owned();
    let held = SIDECAR.hold(&KeyHash::of(key.as_bytes()).to_hex());
    let client = Client::with_key(stack, "callout-unknown", key);
    let mut connection = client.connect().await;
    let request = client.request(CHAT, &[], chat("echo a").to_string().as_bytes());
    connection.send(request).await.unwrap();
    held.arrived().await.unwrap();
    drop(held);
    let answer = connection.answer().await.unwrap();
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (401, "invalid_api_key")
    );
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn nothing_goes_on_before_the_verdict() {
    let (client, _) = stranger("callout-verdict", "moderated").await;
    for (text, status) in [
        ("echo harmless-7261", 200),
        ("echo sk-abcdefghijklmnopqrstuvwxyz7262", 403),
    ] {
        let held = SIDECAR.hold(text);
        let before = client.received().await.len();
        let mut connection = client.connect().await;
        let body = chat(text).to_string();
        let request = [
            client.chunked(CHAT, &[], body.as_bytes()),
            b"x-trailer: late\r\n\r\n".to_vec(),
        ]
        .concat();
        connection.send(request).await.unwrap();
        held.arrived().await.unwrap();
        client.others_are_served().await;
        assert_eq!(
            client.received().await.len(),
            before,
            "the provider was called before the verdict"
        );

        drop(held);
        let answer = connection.answer().await.unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
        let went_on = usize::from(status == 200);
        assert_eq!(client.received().await.len(), before + went_on, "{text}");
    }
    let events = client.events(2).await;
    let blocked = events.iter().find(|event| event["status"] == 403).unwrap();
    assert_eq!(blocked["error_code"], "content_blocked");
    assert_eq!(blocked["cost_nanousd"], 0);
}
