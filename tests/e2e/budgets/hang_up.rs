//! A client that hangs up pays for what it received, and its reservation is free at once.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_stack::{Stack, wait};
use tollgate_tests::raw::{Raw, start};
use tollgate_tests::{SETTLED, number, send};

use super::{Budget, CHAT, PRICE, ask, charge, key, shared};

/// Output tokens of each request, reserved whole.
const TOKENS: u64 = 1_000;
const RECEIVED: usize = 10;
/// Far shorter than the stream would have been, and than any lease lasts.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Reads a stream until it has brought so many events with content.
async fn receive(connection: &mut Raw, chunks: usize) {
    let mut text = String::new();
    while text.matches("\"content\":\" word\"").count() + 1 < chunks {
        text.push_str(&String::from_utf8_lossy(&connection.some().await.unwrap()));
    }
}

async fn only_event(stack: &Stack, workspace: &str, code: &str) -> Value {
    wait::until(SETTLED, "no event of the client that left", async || {
        let events = stack.admin.events(&format!("workspace={workspace}")).await?;
        Ok(events
            .into_iter()
            .find(|event| event["error_code"] == json!(code)))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn after_ten_chunks_it_pays_for_ten_and_the_rest_is_there_for_the_next_one() {
    let stack = shared().await;
    let key = key(&stack, "leaves").await;
    // Enough for one request, not for two.
    let whole = TOKENS * PRICE.1;
    let amount = format!("0.{:09}", whole * 3 / 2);
    let budget = Budget::of_workspace(&stack, "leaves", &amount, json!({})).await;
    let mut body = ask(TOKENS, TOKENS);
    body["stream"] = json!(true);
    let text = body.to_string();
    let head = start(
        "POST",
        CHAT,
        &[
            ("authorization", format!("Bearer {key}").as_bytes()),
            ("content-type", b"application/json"),
            ("x-mock-fault", b"delay_between=50"),
            ("content-length", text.len().to_string().as_bytes()),
        ],
    );
    let mut connection = Raw::connect(&stack.gateway).await.unwrap();
    connection
        .send([&head[..], b"\r\n", text.as_bytes()].concat())
        .await
        .unwrap();
    assert_eq!(connection.head().await.unwrap().status, 200);
    receive(&mut connection, RECEIVED).await;

    // While it runs, its reservation is held: what is left pays a part of another request, and not the whole.
    let request = stack
        .http
        .post(format!("{}{CHAT}", stack.gateway))
        .bearer_auth(&key);
    let request = request.json(&ask(1, TOKENS));
    let beside = send(request.try_clone().unwrap()).await.unwrap();
    assert!(
        beside.header("x-tollgate-warning").contains("lowered"),
        "{beside:?}"
    );

    drop(connection);
    // At once the next request has all of its tokens.
    let next = wait::until(AT_ONCE, "the reservation is still held", async || {
        let answer = send(request.try_clone().unwrap()).await?;
        Ok(
            (answer.status == 200 && !answer.header("x-tollgate-warning").contains("lowered"))
                .then_some(answer),
        )
    })
    .await
    .unwrap();
    assert_eq!(next.status, 200);

    let event = only_event(&stack, "leaves", "client_closed").await;
    let status = event["usage_status"].as_str().unwrap();
    assert!(["partial", "estimated"].contains(&status), "{event}");
    let (charged, reserved) = charge(&event, &budget);
    assert!(reserved >= whole, "{event}");
    let received = number(&event, "output_tokens");
    // What was under way to the client when it left is charged, too.
    assert!(
        (RECEIVED as u64..RECEIVED as u64 + 100).contains(&received),
        "{event}"
    );
    assert_eq!(
        charged,
        number(&event, "input_tokens") * PRICE.0 + received * PRICE.1
    );
}
