//! Shutting down: what is under way ends, what is queued is written.

use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::support::{GATEWAY, Sidecar, event, expect};

const POLICY: &str =
    "moderation: {policies: {p: {rules: [{name: a, category: c, action: flag, words: [x]}]}}}\n";

#[tokio::test]
async fn queued_verdicts_are_written() {
    let mut sidecar = Sidecar::start_with(POLICY).await;
    for i in 0..200 {
        let request = json!({"policy": "p", "phase": "input", "request_id": i.to_string(), "texts": ["x"]});
        expect(sidecar.gateway("/v1/moderations", &request).await, StatusCode::OK).await;
    }
    sidecar.restart().await;
    let page = sidecar.get("/admin/v1/moderations?limit=1000").await;
    assert_eq!(page["moderations"].as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn a_request_under_way_is_answered() {
    let mut sidecar = Sidecar::start().await;
    let body = json!({"events": [event("a", "w")]}).to_string();
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(sidecar.url.trim_start_matches("http://"))
        .await
        .unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {GATEWAY}\r\nexpect: 100-continue\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The answer to `expect` says that the handler waits for the body.
    let mut buffer = [0; 1024];
    let read = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..read].starts_with(b"HTTP/1.1 100"));
    stream.write_all(first.as_bytes()).await.unwrap();
    sidecar.begin_shutdown();
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""accepted":1"#), "{answer}");
}
