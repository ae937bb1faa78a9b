//! Headers that come twice: Envoy, a provider and Tollgate could each believe another one.

use tollgate_tests::chat;

use super::{CHAT, Client, shared};

#[tokio::test]
async fn a_second_credential_is_refused_wherever_it_stands() {
    let client = Client::new(shared().await, "duplicate-credential");
    let good = format!("Bearer {}", client.stack.key("unlimited"));
    let cases: [&[(&str, &[u8])]; 4] = [
        // The client sends the good key itself; these follow it.
        &[("authorization", b"Bearer tg_test_other")],
        &[("Authorization", good.as_bytes())],
        &[("x-api-key", b"a"), ("x-api-key", b"b")],
        &[("X-Goog-Api-Key", b"a"), ("x-goog-api-key", b"a")],
    ];
    for headers in cases {
        let answer = client.chat(headers, &chat("echo a")).await;
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (401, "invalid_api_key"),
            "{headers:?}"
        );
    }
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn a_second_content_header_is_refused() {
    let client = Client::new(shared().await, "duplicate-content");
    // The client says application/json itself.
    let types: &[(&str, &[u8])] = &[("content-type", b"text/plain")];
    let encodings: &[(&str, &[u8])] = &[("content-encoding", b"identity"), ("content-encoding", b"gzip")];
    for headers in [types, encodings] {
        let answer = client.chat(headers, &chat("echo a")).await;
        assert_eq!(
            (answer.status, answer.error_code().as_str()),
            (400, "invalid_request"),
            "{headers:?}"
        );
        assert_eq!(answer.json()["error"]["param"], headers[0].0);
    }
    assert_eq!(client.received().await.len(), 0);
}

#[tokio::test]
async fn two_ways_to_end_a_body_never_become_two_requests() {
    let client = Client::new(shared().await, "duplicate-length");
    let body = chat("echo a").to_string();
    // What a server that believes the other header would take for a second request.
    let inner = client.request(CHAT, &[("x-smuggled", b"yes")], body.as_bytes());
    let length = inner.len().to_string();
    let cases: [&[(&str, &[u8])]; 4] = [
        &[("content-length", b"2"), ("content-length", length.as_bytes())],
        &[("content-length", b"2, 2")],
        &[
            ("transfer-encoding", b"chunked"),
            ("content-length", length.as_bytes()),
        ],
        &[
            ("transfer-encoding", b"identity"),
            ("content-length", length.as_bytes()),
        ],
    ];
    for headers in cases {
        let mut connection = client.connect().await;
        let start = [
            client.start(CHAT, headers),
            b"\r\n".to_vec(),
            b"0\r\n\r\n".to_vec(),
            inner.clone(),
        ]
        .concat();
        connection.send(start).await.unwrap();
        let answer = connection.answer().await.unwrap();
        assert!(matches!(answer.status, 400 | 501), "{headers:?}: {answer:?}");
    }
    assert_eq!(client.received().await.len(), 0, "{:#?}", client.received().await);
}

#[tokio::test]
async fn a_compressed_request_is_refused() {
    let client = Client::new(shared().await, "compressed");
    let answer = client
        .chat(&[("content-encoding", b"gzip")], &chat("echo a"))
        .await;
    assert_eq!(
        (answer.status, answer.json()["error"]["param"].as_str()),
        (400, Some("content-encoding"))
    );
    assert_eq!(client.received().await.len(), 0);
}
