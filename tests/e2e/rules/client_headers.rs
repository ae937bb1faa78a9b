//! What a client may not say to a provider.

use tollgate_tests::{chat, received_header};

use super::{Client, shared};

#[tokio::test]
async fn the_clients_key_reaches_the_provider_in_no_header() {
    let stack = shared().await;
    let client = Client::new(stack, "key-elsewhere");
    let key = stack.key("unlimited").as_bytes();
    // The good key in `authorization`; the same again wherever an SDK would put it.
    let headers: [(&str, &[u8]); 3] = [("x-api-key", key), ("api-key", key), ("x-goog-api-key", key)];
    let answer = client.chat(&headers, &chat("echo a")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = client.received().await;
    assert!(
        !received[0].to_string().contains(stack.key("unlimited")),
        "{:#}",
        received[0]
    );
    assert_eq!(
        received_header(&received[0], "authorization").unwrap(),
        ["Bearer demo-openai-credential"]
    );
}

#[tokio::test]
async fn what_only_the_gateway_may_say_is_removed() {
    let client = Client::new(shared().await, "own-headers");
    let removed = [
        "x-tollgate-workspace",
        "X-Tollgate-Cost",
        "x-tollgate-request-id",
        "x-http-method-override",
    ];
    let mut headers: Vec<(&str, &[u8])> = removed.iter().map(|name| (*name, &b"mine"[..])).collect();
    headers.push(("x-tollgate-workspace", b"twice"));
    headers.push(("anthropic-beta", b"kept"));
    let answer = client.chat(&headers, &chat("echo a")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_ne!(answer.header("x-tollgate-request-id"), "mine");
    let received = client.received().await;
    for name in removed.iter().chain(&["x-tollgate-session"]) {
        let values = received_header(&received[0], &name.to_ascii_lowercase()).unwrap();
        assert!(values.is_empty(), "{name}: {values:?}");
    }
    assert_eq!(received_header(&received[0], "anthropic-beta").unwrap(), ["kept"]);
    assert_eq!(client.only_event().await["workspace"], "unlimited");
}
