//! Upgraded connections: their frames would pass unmetered.

use tollgate_stack::Stack;
use tollgate_tests::raw;

use super::{CHAT, Client, data, shared};

async fn upgrade(client: &Client<'_>) -> tollgate_tests::Answer {
    let bearer = format!("Bearer {}", client.stack.key("unlimited"));
    let headers: [(&str, &[u8]); 6] = [
        ("authorization", bearer.as_bytes()),
        ("x-test-mark", b"upgrade"),
        ("connection", b"Upgrade"),
        ("upgrade", b"websocket"),
        ("sec-websocket-version", b"13"),
        ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for path in ["/v1/responses", "/v1/realtime"] {
        let answer = client
            .ask([raw::start("GET", path, &headers), b"\r\n".to_vec()].concat())
            .await;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    let start = [
        raw::start("POST", CHAT, &headers),
        b"content-length: 0\r\n\r\n".to_vec(),
    ]
    .concat();
    client.ask(start).await
}

#[tokio::test]
async fn the_filter_refuses_an_upgrade_that_envoy_would_allow() {
    let client = Client::new(shared().await, "upgrade");
    let answer = upgrade(&client).await;
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (400, "invalid_request"),
        "{answer:?}"
    );
    assert_eq!(answer.json()["error"]["param"], "upgrade");
    assert_eq!(client.received().await.len(), 0);
    client.others_are_served().await;
}

#[tokio::test]
async fn the_shipped_configuration_refuses_upgrades_too() {
    let stack = Stack::builder().data(data("upgrades")).start().await.unwrap();
    let client = Client::new(&stack, "upgrade");
    let answer = upgrade(&client).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(client.received().await.len(), 0);
}
