//! Trailers: with them no body callback says that the body is whole, which must not let anything by.

use serde_json::{Value, json};
use tollgate_tests::chat;

use super::{CHAT, Client, shared};

const TRAILERS: &[u8] = b"x-trailer: late\r\n\r\n";

#[tokio::test]
async fn a_request_with_trailers_is_served_and_accounted_for() {
    let client = Client::new(shared().await, "trailers-good");
    let body = chat("echo with trailers").to_string();
    let answer = client
        .ask([&client.chunked(CHAT, &[], body.as_bytes())[..], TRAILERS].concat())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = client.received().await;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0]["body"], body);
    let event = client.only_event().await;
    assert_eq!(event["usage_status"], "complete");
    assert_eq!(event["input_tokens"], answer.json()["usage"]["prompt_tokens"]);
}

#[tokio::test]
async fn trailers_do_not_bypass_validation() {
    let client = Client::new(shared().await, "trailers-invalid");
    let no_list = json!({"model": "gpt-4o-mini", "messages": "text"}).to_string();
    for body in [no_list.as_bytes(), b"{\"model\":\"gpt-4o-mini\"", b"\xff\xfe"] {
        let answer = client
            .ask([&client.chunked(CHAT, &[], body)[..], TRAILERS].concat())
            .await;
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (400, "invalid_request")
        );
    }
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn a_body_of_trailers_only_is_refused() {
    let client = Client::new(shared().await, "trailers-only");
    let answer = client
        .ask([&client.chunked(CHAT, &[], b"")[..], TRAILERS].concat())
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn trailers_do_not_bypass_a_limit() {
    let stack = shared().await;
    let spec = json!({"name": "trailers", "workspace": "demo"});
    let (_, key) = stack.admin.create_key(&spec).await.unwrap();
    let client = Client::with_key(stack, "trailers-limit", key);
    let body = chat("echo a").to_string();
    let mut statuses = Vec::new();
    for _ in 0..7 {
        let answer = client
            .ask([&client.chunked(CHAT, &[], body.as_bytes())[..], TRAILERS].concat())
            .await;
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..5], [200; 5]);
    assert_eq!(statuses[5..], [429; 2]);
    assert_eq!(client.received().await.len(), 5);
}

#[tokio::test]
async fn an_answer_with_trailers_is_passed_on_and_metered() {
    let client = Client::new(shared().await, "trailers-answer");
    let mut stream = chat("echo one two three");
    stream["stream"] = json!(true);
    for body in [chat("echo one two three"), stream] {
        let answer = client.chat(&[("x-mock-fault", b"trailers")], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("three"), "{}", answer.text());
    }
    let events: Vec<Value> = client.events(2).await;
    assert!(
        events.iter().all(|event| event["usage_status"] == "complete"),
        "{events:#?}"
    );
}
