//! Sizes: what is too large is refused, what is large passes byte for byte with the right usage.

use serde_json::{Value, json};
use tollgate_tests::raw::{self, Raw};
use tollgate_tests::{Answer, chat, number};

use super::{CHAT, Client, data, shared};
use tollgate_stack::Stack;

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    let client = Client::new(shared().await, "too-large");
    // The length alone is enough: nothing more is sent.
    let start = [&client.start(CHAT, &[])[..], b"content-length: 5000000\r\n\r\n{"].concat();
    let answer = client.ask(start).await;
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (413, "request_too_large")
    );

    let mut connection = client.connect().await;
    connection
        .send(
            [
                &client.start(CHAT, &[])[..],
                b"transfer-encoding: chunked\r\n\r\n",
            ]
            .concat(),
        )
        .await
        .unwrap();
    for _ in 0..5 {
        // Once it has refused, the gateway may hang up on the rest.
        if connection.send(raw::chunk(&vec![b' '; 1 << 20])).await.is_err() {
            break;
        }
    }
    let refused = connection.answer().await.unwrap();
    assert_eq!(
        (refused.status, refused.error_code().as_str()),
        (413, "request_too_large")
    );
    assert_eq!(client.received().await.len(), 0);
    let events = client.events(2).await;
    assert!(events.iter().all(|event| event["status"] == 413), "{events:#?}");
}

#[tokio::test]
async fn large_answers_pass_byte_for_byte_with_the_right_usage() {
    // Their own stack: the mock's record of other tests would be in the way of answers of this size.
    let stack = Stack::builder().data(data("sizes")).start().await.unwrap();
    let client = Client::new(&stack, "large");
    let mut stream = chat("an event of 1 MiB");
    stream["stream"] = json!(true);
    stream["stream_options"] = json!({"include_usage": true});
    let cases = [("big=8388608", chat("8 MiB of JSON")), ("big=1048576", stream)];
    let mut expected = Vec::new();
    for (fault, body) in &cases {
        let fault: (&str, &[u8]) = ("x-mock-fault", fault.as_bytes());
        let request = client.request(CHAT, &[fault], body.to_string().as_bytes());
        let through = client.ask(&request).await;
        let direct = direct(&stack, &request).await;
        assert_eq!(through.status, 200, "{fault:?}");
        assert_eq!(through.body.len(), direct.body.len(), "{fault:?}");
        assert!(
            normalised(&through) == normalised(&direct),
            "{fault:?}: other bytes"
        );
        expected.push(usage(&through));
    }
    let events = client.events(2).await;
    for (event, usage) in events.iter().zip(expected) {
        assert_eq!(event["usage_status"], "complete");
        assert_eq!(event["input_tokens"], usage["prompt_tokens"]);
        assert_eq!(event["output_tokens"], usage["completion_tokens"]);
        assert!(number(event, "response_bytes") > 1 << 20);
    }
}

/// The provider's answer without a gateway between.
async fn direct(stack: &Stack, request: &[u8]) -> Answer {
    let mut connection = Raw::connect(stack.mock.url()).await.unwrap();
    connection.send(request).await.unwrap();
    connection.answer().await.unwrap()
}

/// An answer's text without what differs from one answer to the next: its id and its time.
fn normalised(answer: &Answer) -> Vec<String> {
    let text = answer.text();
    let fields = text.split(',');
    fields
        .filter(|field| !field.contains("\"created\":") && !field.contains("\"id\":"))
        .map(str::to_owned)
        .collect()
}

/// The usage in a JSON answer, or in the last event but one of a stream.
fn usage(answer: &Answer) -> Value {
    let data = answer.sse_data();
    let event = data.iter().rev().nth(1);
    let json: Value = event.map_or_else(|| answer.json(), |event| serde_json::from_str(event).unwrap());
    json["usage"].clone()
}
