//! Answers without a body, and answers that are not the provider's.

use serde_json::{Value, json};
use tollgate_tests::{chat, number, raw};

use super::{CHAT, Client, shared};

#[tokio::test]
async fn an_answer_without_a_body_does_not_hang() {
    let client = Client::new(shared().await, "empty-answer");
    let scripts: [Value; 5] = [
        json!({"status": 204}),
        json!({"status": 304}),
        json!({"status": 200, "headers": [["content-type", "application/json"], ["content-length", "0"]]}),
        json!({"status": 200, "headers": [["content-type", "application/json"]]}),
        json!({"status": 200, "headers": [["content-type", "text/event-stream"]]}),
    ];
    let mut connection = client.connect().await;
    for script in &scripts {
        let id = client.stack.mock.script(script).await.unwrap();
        let body = chat("echo a").to_string();
        connection
            .send(client.request(CHAT, &[("x-mock-script", id.as_bytes())], body.as_bytes()))
            .await
            .unwrap();
        let answer = connection.answer().await.unwrap();
        assert_eq!(
            (json!(answer.status), answer.body.len()),
            (script["status"].clone(), 0)
        );
    }
    let events = client.events(scripts.len()).await;
    assert!(
        events
            .iter()
            .all(|event| number(event, "output_tokens") == 0 && event["error_code"].is_null()),
        "{events:#?}"
    );
}

#[tokio::test]
async fn a_free_path_passes_without_a_body() {
    let client = Client::new(shared().await, "empty-request");
    let bearer = format!("Bearer {}", client.stack.key("unlimited"));
    let headers: [(&str, &[u8]); 2] = [
        ("authorization", bearer.as_bytes()),
        ("x-test-mark", b"empty-request"),
    ];
    let answer = client
        .ask([raw::start("GET", "/v1/models", &headers), b"\r\n".to_vec()].concat())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(client.received().await.len(), 1);
}

#[tokio::test]
async fn a_metered_path_without_a_body_is_refused_at_once() {
    let client = Client::new(shared().await, "no-body");
    let answer = client
        .ask([client.start(CHAT, &[]), b"content-length: 0\r\n\r\n".to_vec()].concat())
        .await;
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (400, "invalid_request")
    );
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn our_own_answers_are_not_metered() {
    let client = Client::new(shared().await, "local-reply");
    let answer = client
        .chat(&[], &json!({"model": "gpt-4o-mini", "messages": "text"}))
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("x-tollgate-cost"), "");
    let event = client.only_event().await;
    assert_eq!(
        (&event["usage_status"], number(&event, "response_bytes")),
        (&json!("none"), 0),
        "{event}"
    );
    assert_eq!(number(&event, "cost_nanousd"), 0);
}

#[tokio::test]
async fn envoys_own_answer_for_a_provider_that_is_gone_costs_nothing() {
    let client = Client::new(shared().await, "provider-gone");
    let answer = client.chat(&[("x-mock-fault", b"close")], &chat("echo a")).await;
    assert_eq!(answer.status, 503);
    let event = client.only_event().await;
    assert_eq!(
        (&event["status"], &event["usage_status"]),
        (&json!(503), &json!("none")),
        "{event}"
    );
    assert_eq!(number(&event, "cost_nanousd"), 0);
}
