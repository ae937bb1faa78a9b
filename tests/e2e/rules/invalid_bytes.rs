//! Bytes that are not UTF-8, wherever HTTP lets them stand: no worker's VM dies of them.

use serde_json::json;
use tollgate_tests::chat;

use super::{CHAT, Client, shared};

const INVALID: &[u8] = b"a\xff\xfe\xc0\x80b";

#[tokio::test]
async fn headers_with_invalid_utf8_do_not_hurt_the_worker() {
    let client = Client::new(shared().await, "invalid-header");
    let names = [
        "x-anything",
        "user-agent",
        "x-tollgate-anything",
        "x-forwarded-for",
        "cookie",
        "content-language",
    ];
    for name in names {
        let answer = client.chat(&[(name, INVALID)], &chat("echo a")).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    assert_eq!(client.received().await.len(), names.len());
    client.others_are_served().await;
}

#[tokio::test]
async fn a_key_of_invalid_utf8_is_an_unknown_key() {
    let stack = shared().await;
    let client = Client::with_key(stack, "invalid-key", String::new());
    for name in ["x-api-key", "api-key", "x-goog-api-key"] {
        let start =
            tollgate_tests::raw::start("POST", CHAT, &[("x-test-mark", b"invalid-key"), (name, INVALID)]);
        let answer = client
            .ask([start, b"content-length: 2\r\n\r\n{}".to_vec()].concat())
            .await;
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (401, "invalid_api_key"),
            "{name}"
        );
    }
    assert_eq!(client.received().await.len(), 0);
    client.others_are_served().await;
}

#[tokio::test]
async fn headers_that_decide_are_refused_where_they_are_not_text() {
    let client = Client::new(shared().await, "invalid-deciding");
    let body = chat("echo a").to_string();
    for name in ["content-encoding", "transfer-encoding"] {
        let request = client.request(CHAT, &[(name, INVALID)], body.as_bytes());
        let answer = client.ask(request).await;
        assert!(
            (400..=501).contains(&answer.status) && answer.status != 503,
            "{name}: {answer:?}"
        );
    }
    // A session that is no text is no session.
    let answer = client
        .chat(&[("x-tollgate-session", INVALID)], &chat("echo a"))
        .await;
    assert!(matches!(answer.status, 200 | 400), "{answer:?}");
    client.others_are_served().await;
}

#[tokio::test]
async fn bodies_with_invalid_utf8_are_refused_and_stay_here() {
    let client = Client::new(shared().await, "invalid-body");
    let in_content =
        b"{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"a\xff\xfeb\"}]}";
    let in_name =
        b"{\"model\":\"gpt-4o-mini\",\"\xc3\x28\":1,\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}";
    let gemini = b"{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"\xed\xa0\x80\"}]}]}";
    let bodies: [(&str, &[u8]); 6] = [
        (CHAT, in_content),
        (CHAT, in_name),
        (CHAT, INVALID),
        ("/v1/embeddings", b"{\"model\":\"text-embedding-3-small\",\"input\":\"\x80\"}"),
        ("/v1/messages", b"{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":8,\"messages\":[{\"role\":\"user\",\"content\":\"\xf5\"}]}"),
        ("/v1beta/models/gemini-2.5-flash:generateContent", gemini),
    ];
    for (path, body) in bodies {
        let answer = client.ask(client.request(path, &[], body)).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
    }
    assert_eq!(client.received().await.len(), 0);
    for event in client.events(bodies.len()).await {
        assert_eq!(
            (&event["status"], &event["error_code"]),
            (&json!(400), &json!("invalid_request"))
        );
        assert_eq!(
            (&event["cost_nanousd"], &event["usage_status"]),
            (&json!(0), &json!("none"))
        );
    }
    client.others_are_served().await;
}

#[tokio::test]
async fn answers_with_invalid_utf8_pass_as_they_are() {
    let client = Client::new(shared().await, "invalid-answer");
    // `{"id":"\xff\xfe"}` and an event whose text is cut within a character.
    let bodies = ["eyJpZCI6Iv/+In0=", "ZGF0YTogeyJpZCI6Isz/In0KCg=="];
    for (kind, body) in ["application/json", "text/event-stream"].into_iter().zip(bodies) {
        let script = json!({"headers": [["content-type", kind]], "chunks": [{"base64": body}]});
        let id = client.stack.mock.script(&script).await.unwrap();
        let answer = client
            .chat(&[("x-mock-script", id.as_bytes())], &chat("echo a"))
            .await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains(&0xff), "{kind}: {answer:?}");
    }
    let events = client.events(2).await;
    assert!(
        events.iter().all(|event| event["usage_status"] == "estimated"),
        "{events:#?}"
    );
    client.others_are_served().await;
}
