//! Conversations through the gateway: kept where both configurations say so, and nowhere else; redacted; deleted.

use serde_json::{Value, json};
use tollgate_stack::{Repository, Stack, StackBuilder, wait};
use tollgate_tests::{Answer, SETTLED, chat, event, received_header, send};

const CHAT: &str = "/v1/chat/completions";

fn builder() -> StackBuilder {
    let sidecar = Repository::here()
        .root()
        .join("tests/e2e/conversations/sidecar.yaml");
    Stack::builder().sidecar_config(sidecar).filter_config(|config| {
        config["conversations"] = json!([{"match": {"workspaces": ["kept"]}}]);
    })
}

/// Says something in a conversation, with a key of a user of a workspace.
async fn say(stack: &Stack, key: &str, name: &str, body: &Value) -> Answer {
    let request = stack.http.post(format!("{}{CHAT}", stack.gateway));
    let request = request.bearer_auth(key).header("x-tollgate-conversation", name);
    send(request.json(body)).await.unwrap()
}

async fn key(stack: &Stack, workspace: &str, user: &str) -> String {
    let spec = json!({"name": "talks", "workspace": workspace, "user": user});
    stack.admin.create_key(&spec).await.unwrap().1
}

/// The conversations that are kept, once there are so many exchanges in them.
async fn kept(stack: &Stack, exchanges: u64) -> Vec<Value> {
    wait::until(SETTLED, "not every exchange is kept", async || {
        let page = stack.admin.get("/admin/v1/conversations").await?;
        let found = page["conversations"].as_array().cloned().unwrap_or_default();
        let count: u64 = found.iter().filter_map(|one| one["exchanges"].as_u64()).sum();
        Ok((count == exchanges).then_some(found))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn what_was_said_is_kept_redacted_where_policy_says_so_until_it_is_deleted() {
    let stack = builder().start().await.unwrap();
    let (ann, bob) = (key(&stack, "kept", "ann").await, key(&stack, "kept", "bob").await);
    let other = key(&stack, "other", "eve").await;
    let prompt = "echo grüß ada@lovelace.example 日本";
    let mut streamed = chat(prompt);
    streamed["stream"] = json!(true);

    let whole = say(&stack, &ann, "thread-1", &chat(prompt)).await;
    let stream = say(&stack, &ann, "thread-1", &streamed).await;
    let bobs = say(&stack, &bob, "thread-1", &chat(prompt)).await;
    let elsewhere = say(&stack, &other, "thread-1", &chat(prompt)).await;
    for answer in [&whole, &stream, &bobs, &elsewhere] {
        assert_eq!(answer.status, 200, "{}", answer.text());
        event(&stack, answer).await.unwrap();
    }
    assert!(
        whole.text().contains("ada@lovelace.example"),
        "the client's answer is whole"
    );
    let requests = stack.mock.requests().await.unwrap();
    let requests: Vec<&Value> = requests
        .iter()
        .filter(|request| request["path"] == CHAT)
        .collect();
    assert_eq!(requests.len(), 4);
    for request in requests {
        let named = received_header(request, "x-tollgate-conversation").unwrap();
        assert_eq!(named, Vec::<String>::new(), "the provider is told nothing of it");
    }

    let found = kept(&stack, 3).await;
    assert!(found.iter().all(|one| one["workspace"] == "kept"), "{found:?}");
    let anns = found.iter().find(|one| one["user"] == "ann").unwrap();
    assert_eq!(
        (&anns["name"], &anns["exchanges"]),
        (&json!("thread-1"), &json!(2))
    );
    let path = format!("/admin/v1/conversations/{}", anns["id"].as_str().unwrap());
    let text = stack.admin.get(&path).await.unwrap();
    for (exchange, answer) in text["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .zip([&whole, &stream])
    {
        assert_eq!(exchange["request_id"], answer.header("x-tollgate-request-id"));
        assert_eq!(
            exchange["prompt"],
            json!([{"index": 0, "role": "user", "kind": "text", "text": "echo grüß [EMAIL] 日本"}])
        );
        assert_eq!(
            exchange["answer"],
            json!([{"index": 0, "role": "assistant", "kind": "text", "text": "grüß [EMAIL] 日本"}])
        );
    }

    let deleted = stack
        .http
        .delete(format!(
            "{}/admin/v1/conversations?workspace=kept&user=ann",
            stack.sidecar
        ))
        .bearer_auth(&stack.admin_token);
    let deleted = send(deleted).await.unwrap();
    assert_eq!(
        deleted.json(),
        json!({"conversations": 1, "exchanges": 2}),
        "{}",
        deleted.text()
    );
    let left = kept(&stack, 1).await;
    assert_eq!(left[0]["user"], "bob");

    let refused = say(&stack, &bob, "no name", &chat("hello")).await;
    assert_eq!(
        (refused.status, refused.error_code().as_str()),
        (400, "invalid_request")
    );
}
