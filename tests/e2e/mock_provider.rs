//! The mock provider through Envoy: its faults must arrive as they were asked for, or other tests prove nothing.

use serde_json::{Value, json};
use tollgate_stack::Stack;
use tollgate_tests::{chat, send};

/// Envoy without the filter: what arrives is what the mock and Envoy make of it.
async fn bare() -> Stack {
    let without_filter = |config: &mut Value| {
        let chain = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
        let filters = config.pointer_mut(chain).and_then(Value::as_array_mut).unwrap();
        filters.retain(|filter| filter["name"] != "tollgate");
    };
    Stack::builder()
        .envoy_config(without_filter)
        .start()
        .await
        .unwrap()
}

fn ask(stack: &Stack, fault: &str, body: &Value) -> reqwest::RequestBuilder {
    let url = format!("{}/v1/chat/completions", stack.gateway);
    stack.http.post(url).header("x-mock-fault", fault).json(body)
}

#[tokio::test]
async fn faults_reach_the_client_through_envoy() {
    let stack = bare().await;
    let mut stream = chat("echo one two three four");
    stream["stream"] = json!(true);

    let whole = send(ask(&stack, "", &stream)).await.unwrap();
    assert_eq!(whole.sse_data().last().map(String::as_str), Some("[DONE]"));

    let split = send(ask(&stack, "chunk=3", &stream)).await.unwrap();
    assert_eq!(split.sse_data().len(), whole.sse_data().len());

    let failed = send(ask(&stack, "status=429", &stream)).await.unwrap();
    assert_eq!((failed.status, failed.header("retry-after")), (429, "1"));

    for fault in ["cut_after=2", "cut_after=2, reset", "cut_after=100b"] {
        assert!(
            send(ask(&stack, fault, &stream)).await.is_err(),
            "{fault}: the stream looks whole"
        );
    }
    for fault in ["close", "reset"] {
        assert_eq!(
            send(ask(&stack, fault, &stream)).await.unwrap().status,
            503,
            "{fault}"
        );
    }
}

#[tokio::test]
async fn a_script_answers_byte_for_byte() {
    let stack = bare().await;
    let script = json!({
        "status": 418, "headers": [["content-type", "text/plain"], ["x-twice", "1"], ["x-twice", "2"]],
        "chunks": [{"text": "hel"}, {"base64": "bG8gw6k=", "delay_ms": 5}], "times": 1,
    });
    let id = stack.mock.script(&script).await.unwrap();
    let scripted = || ask(&stack, "", &chat("echo a")).header("x-mock-script", &id);
    let answer = send(scripted()).await.unwrap();
    assert_eq!((answer.status, answer.text()), (418, "hello é".to_owned()));
    assert_eq!(
        send(scripted()).await.unwrap().status,
        200,
        "a script for one answer is used up"
    );
}

#[tokio::test]
async fn the_mock_tells_what_it_received() {
    let stack = bare().await;
    send(ask(&stack, "", &chat("echo a"))).await.unwrap();
    let requests = stack.mock.requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0]["path"], "/v1/chat/completions");
    assert_eq!(requests[0]["outcome"], "sent");
    let body: Value = serde_json::from_str(requests[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, chat("echo a"));
    let served = stack.mock.served().await.unwrap();
    assert_eq!(
        (&served["requests"], &served["models"]["gpt-4o-mini"]["requests"]),
        (&json!(1), &json!(1))
    );
}
