//! A body that was changed takes its length with it: a stale one would make its tail the next client's request.

use serde_json::{Value, json};
use tollgate_stack::Stack;
use tollgate_tests::raw::Raw;
use tollgate_tests::{chat, received_header};

use super::{CHAT, Client, data, open_everything, shared};

const LONG: &str = "an-alias-that-is-much-longer-than-the-name-of-the-model-that-it-stands-for";

/// One worker and one client, so that requests one after the other share a connection to the provider.
async fn one_worker() -> Stack {
    let builder = Stack::builder()
        .data(data("stale-length"))
        .concurrency(1)
        .envoy_config(open_everything)
        .filter_config(|config| {
            config["model_aliases"] = json!({"4o": "gpt-4o-mini-2024-07-18", LONG: "gpt-4o"});
        });
    builder.start().await.unwrap()
}

/// Sends each request, and after each one that nothing changes; then looks at the provider's side.
#[tokio::test]
async fn the_next_request_on_the_providers_connection_is_intact() {
    let stack = one_worker().await;
    let client = Client::new(&stack, "stale-length");
    let model = |model: &str, stream: bool| {
        let mut body = chat("echo one two");
        body["model"] = json!(model);
        if stream {
            body["stream"] = json!(true);
        }
        body.to_string()
    };
    let no_usage = json!({
        "model": LONG, "stream": true, "stream_options": {"include_usage": false},
        "messages": [{"role": "user", "content": "echo one two"}],
    });
    let changed = [
        ("a longer name", model("4o", false), "gpt-4o-mini-2024-07-18"),
        ("a shorter name", model(LONG, false), "gpt-4o"),
        ("usage asked for", model("gpt-4o", true), "gpt-4o"),
        (
            "usage asked for, and a longer name",
            model("4o", true),
            "gpt-4o-mini-2024-07-18",
        ),
        (
            "usage no longer declined, and a shorter name",
            no_usage.to_string(),
            "gpt-4o",
        ),
    ];
    let plain = chat("echo the next request").to_string();
    let mut connection = client.connect().await;
    for (what, body, _) in &changed {
        let chunked = [client.chunked(CHAT, &[], body.as_bytes()), b"\r\n".to_vec()].concat();
        let with_trailers = [
            client.chunked(CHAT, &[], body.as_bytes()),
            b"x-trailer: late\r\n\r\n".to_vec(),
        ]
        .concat();
        for first in [client.request(CHAT, &[], body.as_bytes()), chunked, with_trailers] {
            for request in [first, client.request(CHAT, &[], plain.as_bytes())] {
                connection.send(request).await.unwrap();
                let answer = connection.answer().await.unwrap();
                assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            }
        }
    }
    let received = client.received().await;
    assert_eq!(
        received.len(),
        changed.len() * 6,
        "the provider counts other requests"
    );
    for (index, pair) in received.chunks(2).enumerate() {
        let (what, _, name) = &changed[index / 3];
        let asked_for = json!({"include_usage": true});
        let body: Value = serde_json::from_str(pair[0]["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["model"], *name, "{what}");
        assert_eq!(
            body.get("stream_options"),
            body.get("stream").map(|_| &asked_for),
            "{what}"
        );
        assert_length(&pair[0], what);
        assert_eq!(pair[1]["body"], plain, "{what}");
        assert_eq!(
            pair[0]["connection"], pair[1]["connection"],
            "{what}: not the same connection"
        );
    }
}

#[tokio::test]
async fn an_answer_that_becomes_shorter_does_not_hang_the_client() {
    let client = Client::new(shared().await, "stale-answer");
    let text = concat!(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}],\"usage\":null}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"total_tokens\":6}}\n\n",
        "data: [DONE]\n\n",
    );
    let length = text.len().to_string();
    let headers = json!([["content-type", "text/event-stream"], ["content-length", length]]);
    let script = json!({"headers": headers, "chunks": [{"text": text}]});
    let id = client.stack.mock.script(&script).await.unwrap();
    let mut body = chat("echo a");
    body["stream"] = json!(true);
    let mut connection: Raw = client.connect().await;
    for _ in 0..2 {
        let request = client.request(
            CHAT,
            &[("x-mock-script", id.as_bytes())],
            body.to_string().as_bytes(),
        );
        connection.send(request).await.unwrap();
        let answer = connection.answer().await.unwrap();
        let data = answer.sse_data();
        assert_eq!((data.len(), data[1].as_str()), (2, "[DONE]"), "{data:?}");
    }
    for event in client.events(2).await {
        assert_eq!(
            (
                &event["input_tokens"],
                &event["output_tokens"],
                &event["usage_status"]
            ),
            (&json!(5), &json!(1), &json!("complete"))
        );
    }
}

/// One length, and the right one; or chunks.
fn assert_length(request: &Value, what: &str) {
    let body = request["body"].as_str().unwrap();
    let lengths = received_header(request, "content-length").unwrap();
    let codings = received_header(request, "transfer-encoding").unwrap();
    if codings.is_empty() {
        assert_eq!(lengths, [body.len().to_string()], "{what}");
    } else {
        assert!(lengths.is_empty(), "{what}: {lengths:?} beside {codings:?}");
    }
}
