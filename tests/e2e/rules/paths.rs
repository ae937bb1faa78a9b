//! Paths: what is not known to be metered never reaches a provider, however it is spelt.

use serde_json::json;
use tollgate_stack::Stack;
use tollgate_tests::{chat, raw};

use super::{Client, data, shared};

const UNKNOWN: [&str; 16] = [
    "/",
    "/v1/files",
    "/v1/fine_tuning/jobs",
    "/v1/chat/completions/",
    "/V1/Chat/Completions",
    "/v1/chat/completions;a=b",
    "/v1/threads/t/messages",
    "/v1/%63hat/completions",
    "/v1/chat%2fcompletions",
    "/v1/chat/completions%00",
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/v1/./chat/completions",
    "/v1/files/../chat/completions",
    "/v1/chat/completions/../../files",
    "/v1/chat/completions/..%2f..%2ffiles",
];

#[tokio::test]
async fn a_path_that_is_not_known_is_refused_as_it_is_spelt() {
    let client = Client::new(shared().await, "paths");
    let body = chat("echo a").to_string();
    for path in UNKNOWN {
        let answer = client.ask(client.request(path, &[], body.as_bytes())).await;
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (404, "unknown_endpoint"),
            "{path}"
        );
    }
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn the_shipped_configuration_passes_no_other_spelling_either() {
    let stack = Stack::builder().data(data("paths")).start().await.unwrap();
    let client = Client::new(&stack, "paths");
    let body = chat("echo a").to_string();
    let mut served = 0;
    for path in UNKNOWN {
        let answer = client.ask(client.request(path, &[], body.as_bytes())).await;
        // Envoy may bring a path into its one spelling; what it then is must be metered.
        assert!(matches!(answer.status, 200 | 400 | 404), "{path}: {answer:?}");
        served += usize::from(answer.status == 200);
    }
    let received = client.received().await;
    assert_eq!(received.len(), served);
    assert!(
        received.iter().all(|request| request["path"] == super::CHAT),
        "{received:#?}"
    );
    for event in client.events(served).await {
        assert_eq!(
            (&event["usage_status"], &event["dialect"]),
            (&json!("complete"), &json!("chat_completions"))
        );
    }
}

#[tokio::test]
async fn a_method_that_is_not_known_is_refused() {
    let client = Client::new(shared().await, "methods");
    let bearer = format!("Bearer {}", client.stack.key("unlimited"));
    let headers: [(&str, &[u8]); 2] = [("authorization", bearer.as_bytes()), ("x-test-mark", b"methods")];
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "post", "GET"] {
        let request = raw::start(method, super::CHAT, &headers);
        let answer = client
            .ask([request, b"content-length: 0\r\n\r\n".to_vec()].concat())
            .await;
        assert!(matches!(answer.status, 400 | 404), "{method}: {answer:?}");
    }
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn a_refusal_wears_the_envelope_of_the_path_it_resembles() {
    let client = Client::new(shared().await, "path-envelopes");
    let anthropic = client
        .ask(client.request("/v1/messages/batches", &[], b"{}"))
        .await;
    assert_eq!(
        (anthropic.status, &anthropic.json()["type"]),
        (404, &json!("error"))
    );
    let gemini = client
        .ask(client.request("/v1beta/models/gemini-2.5-flash:tuneModel", &[], b"{}"))
        .await;
    assert_eq!(
        (gemini.status, &gemini.json()["error"]["status"]),
        (404, &json!("NOT_FOUND"))
    );
    assert_eq!(client.received().await.len(), 0);
}
