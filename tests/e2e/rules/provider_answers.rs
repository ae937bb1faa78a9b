//! What a provider says goes to the client as it is, also where Tollgate cannot read it or uses the same words.

use serde_json::{Value, json};
use tollgate_tests::{chat, number, received_header};

use super::{Client, shared};

#[tokio::test]
async fn a_compressed_answer_to_a_request_for_a_plain_one_passes_and_is_estimated() {
    let client = Client::new(shared().await, "gzip");
    let mut stream = chat("words 50");
    stream["stream"] = json!(true);
    let headers: [(&str, &[u8]); 2] = [("x-mock-fault", b"gzip"), ("accept-encoding", b"gzip, br")];
    for body in [chat("words 50"), stream] {
        let answer = client.chat(&headers, &body).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, "gzip"));
        assert_eq!(answer.body[..2], [0x1f, 0x8b], "no gzip any more");
    }
    for request in client.received().await {
        assert_eq!(
            received_header(&request, "accept-encoding").unwrap(),
            ["identity"]
        );
    }
    for event in client.events(2).await {
        assert_eq!(event["usage_status"], "estimated", "{event}");
        assert!(
            number(&event, "input_tokens") > 0 && number(&event, "output_tokens") > 0,
            "{event}"
        );
        assert!(number(&event, "cost_nanousd") > 0, "{event}");
    }
}

#[tokio::test]
async fn a_providers_headers_of_our_names_are_kept_under_another() {
    let stack = shared().await;
    let spec = json!({"name": "ratelimits", "workspace": "demo"});
    let (_, key) = stack.admin.create_key(&spec).await.unwrap();
    let client = Client::with_key(stack, "provider-headers", key);
    let body = json!({"id": "a", "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
    let script = json!({
        "headers": [
            ["content-type", "application/json"], ["x-ratelimit-limit-requests", "9999"],
            ["x-ratelimit-remaining-tokens", "123"], ["x-tollgate-cost", "0"], ["ratelimit", "\"x\";r=1"],
            ["anthropic-ratelimit-requests-limit", "50"], ["x-request-id", "theirs"],
        ],
        "chunks": [{"text": body.to_string()}],
    });
    let id = stack.mock.script(&script).await.unwrap();
    let answer = client
        .chat(&[("x-mock-script", id.as_bytes())], &chat("echo a"))
        .await;
    assert_eq!(answer.json(), body);
    let expected = [
        ("x-provider-ratelimit-limit-requests", "9999"),
        ("x-provider-ratelimit-remaining-tokens", "123"),
        ("x-provider-tollgate-cost", "0"),
        ("x-provider-ratelimit", "\"x\";r=1"),
        ("anthropic-ratelimit-requests-limit", "50"),
        ("x-request-id", "theirs"),
        ("x-ratelimit-limit-requests", "5"),
        ("x-ratelimit-remaining-requests", "4"),
        ("x-ratelimit-remaining-tokens", ""),
    ];
    for (name, value) in expected {
        assert_eq!(answer.header(name), value, "{name}: {:#?}", answer.headers);
    }
    assert_ne!(answer.header("x-tollgate-cost"), "0");
}

#[tokio::test]
async fn an_error_of_the_provider_is_the_providers_own_and_costs_nothing() {
    let client = Client::new(shared().await, "provider-error");
    let mut bodies: Vec<Value> = Vec::new();
    for status in [b"status=429", b"status=500"] {
        let answer = client.chat(&[("x-mock-fault", status)], &chat("echo a")).await;
        assert_eq!(answer.header("x-request-id"), "req_mock");
        bodies.push(answer.json());
    }
    assert!(
        bodies
            .iter()
            .all(|body| body["error"]["tollgate"].is_null() && body["error"].is_object())
    );
    let events = client.events(2).await;
    assert_eq!(
        (&events[0]["status"], &events[1]["status"]),
        (&json!(429), &json!(500))
    );
    assert!(
        events.iter().all(|event| number(event, "cost_nanousd") == 0),
        "{events:#?}"
    );
}
