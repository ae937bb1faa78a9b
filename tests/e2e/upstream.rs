//! `--upstream`: all provider traffic to one server, under its own name and path.

use tollgate_stack::Stack;
use tollgate_tests::{chat, post, received_header};

#[tokio::test]
async fn all_provider_traffic_goes_to_the_given_server_under_its_prefix() {
    let provider = Stack::builder().start().await.unwrap();
    let upstream = format!("{}/openai/", provider.mock.url());
    let stack = Stack::builder()
        .upstream(upstream.parse().unwrap())
        .start()
        .await
        .unwrap();
    let key = stack.key("unlimited");
    let answer = post(&stack, "/v1/chat/completions", key, &chat("echo a"))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let requests = provider.mock.requests().await.unwrap();
    assert_eq!(requests[0]["path"], "/openai/v1/chat/completions");
    let host = provider.mock.url().trim_start_matches("http://");
    assert_eq!(received_header(&requests[0], "host").unwrap(), [host]);
}
