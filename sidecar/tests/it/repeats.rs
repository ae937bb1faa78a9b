//! A creation that is tried again under the same idempotency key.

use std::sync::Arc;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::money::TestClock;
use super::support::{ADMIN, Sidecar, expect};
use crate::database::execute;

const KEYS: &str = "/admin/v1/keys";
const ROUNDS: usize = 20;
const AT_ONCE: usize = 24;

async fn create(sidecar: &Sidecar, path: &str, token: &str, key: &str, body: &Value) -> Response {
    let request = sidecar.request(Method::POST, path).bearer_auth(token);
    let request = request.header("idempotency-key", key);
    request.json(body).send().await.unwrap()
}

fn key(name: &str) -> Value {
    json!({"name": name, "workspace": "acme"})
}

async fn keys(sidecar: &Sidecar) -> usize {
    sidecar.get(KEYS).await["keys"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_same_creation_is_done_once_and_answered_the_same_for_a_day() {
    let clock = TestClock::at("2026-03-01T12:00:00Z");
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    let first = create(&sidecar, KEYS, ADMIN, "one", &key("k")).await;
    let location = first.headers()["location"].clone();
    let first = expect(first, StatusCode::CREATED).await;
    for time in ["2026-03-01T12:00:01Z", "2026-03-02T11:59:59Z"] {
        clock.set(time);
        let again = create(&sidecar, KEYS, ADMIN, "one", &key("k")).await;
        assert_eq!(again.headers()["location"], location);
        assert_eq!(again.headers()["cache-control"], "no-store");
        assert_eq!(expect(again, StatusCode::CREATED).await, first, "the secret too");
    }
    assert_eq!(keys(&sidecar).await, 1);
    let other = create(&sidecar, KEYS, ADMIN, "two", &key("k")).await;
    assert_ne!(expect(other, StatusCode::CREATED).await["id"], first["id"]);
    clock.set("2026-03-02T12:00:00Z");
    let later = create(&sidecar, KEYS, ADMIN, "one", &key("k")).await;
    assert_ne!(
        expect(later, StatusCode::CREATED).await["id"],
        first["id"],
        "a day is over"
    );
}

#[tokio::test]
async fn another_body_or_another_path_under_the_same_key_is_refused() {
    let sidecar = Sidecar::start().await;
    create(&sidecar, KEYS, ADMIN, "one", &key("k")).await;
    let webhook = json!({"url": "https://example.com/a"});
    for (path, body) in [(KEYS, key("another")), ("/admin/v1/webhooks", webhook)] {
        let refused = create(&sidecar, path, ADMIN, "one", &body).await;
        let problem = expect(refused, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(problem["type"], "urn:tollgate:problem:idempotency-key-reused");
    }
    assert_eq!(keys(&sidecar).await, 1);
}

#[tokio::test]
async fn a_creation_that_was_refused_may_be_tried_again() {
    let sidecar = Sidecar::start().await;
    let refused = create(&sidecar, KEYS, ADMIN, "one", &key("")).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let made = create(&sidecar, KEYS, ADMIN, "one", &key("k")).await;
    assert_eq!(made.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn what_one_caller_is_answered_no_other_is() {
    let sidecar = Sidecar::start().await;
    let token = json!({"name": "t", "role": "owner"});
    let token = create(&sidecar, "/admin/v1/tokens", ADMIN, "token", &token).await;
    let token = expect(token, StatusCode::CREATED).await["token"].clone();
    let mine = expect(
        create(&sidecar, KEYS, ADMIN, "one", &key("k")).await,
        StatusCode::CREATED,
    )
    .await;
    let theirs = create(&sidecar, KEYS, token.as_str().unwrap(), "one", &key("k")).await;
    let theirs = expect(theirs, StatusCode::CREATED).await;
    assert_ne!(mine["id"], theirs["id"]);
}

#[tokio::test]
async fn many_at_once_are_one() {
    let sidecar = Arc::new(Sidecar::start().await);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let sidecar = sidecar.clone();
            tokio::spawn(async move { create(&sidecar, KEYS, ADMIN, "one", &key("k")).await })
        })
        .collect();
    for task in tasks {
        let status = task.await.unwrap().status();
        // Those that come while it is being made are told to wait.
        assert!(
            [StatusCode::CREATED, StatusCode::CONFLICT].contains(&status),
            "{status}"
        );
    }
    assert_eq!(keys(&sidecar).await, 1);
}

/// Whoever is refused may try again, so its key is free again amid the others that come under it.
#[tokio::test]
async fn many_at_once_that_are_refused_are_each_refused_or_told_to_wait() {
    let one = Arc::new(Sidecar::start().await);
    let other = Arc::new(one.beside().await);
    for round in 0..ROUNDS {
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let sidecar = Arc::clone(if number % 2 == 0 { &one } else { &other });
                let idempotency = round.to_string();
                tokio::spawn(async move { create(&sidecar, KEYS, ADMIN, &idempotency, &key("")).await })
            })
            .collect();
        for task in tasks {
            let response = task.await.unwrap();
            let status = response.status();
            assert!(
                [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::CONFLICT].contains(&status),
                "{status}: {}",
                response.text().await.unwrap()
            );
        }
    }
    let made = create(&one, KEYS, ADMIN, "0", &key("k")).await;
    assert_eq!(
        made.status(),
        StatusCode::CREATED,
        "no try is left that seems to run"
    );
}

/// Whether it was done is nowhere told, so it is not done again: better a caller who looks than two keys.
#[tokio::test]
async fn what_a_sidecar_died_amid_is_not_done_again_until_a_day_is_over() {
    let clock = TestClock::at("2026-03-01T12:00:00Z");
    let sidecar = Sidecar::start_at(clock.clock(), "").await;
    create(&sidecar, KEYS, ADMIN, "one", &key("k")).await;
    // As it is between what was done and its answer's being kept.
    execute(sidecar.database(), "UPDATE replies SET sealed = NULL").await;
    let again = create(&sidecar, KEYS, ADMIN, "one", &key("k")).await;
    let problem = expect(again, StatusCode::CONFLICT).await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("see whether it was done, and send a new key"),
        "{detail}"
    );
    assert_eq!(keys(&sidecar).await, 1);
    clock.set("2026-03-02T12:00:00Z");
    let later = create(&sidecar, KEYS, ADMIN, "one", &key("k")).await;
    assert_eq!(later.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_rotation_that_is_tried_again_draws_no_further_secret() {
    let sidecar = Sidecar::start().await;
    let made = sidecar.create_key(&key("k")).await;
    let path = format!("{KEYS}/{}/rotate", made["id"].as_str().unwrap());
    let body = json!({"grace_seconds": 60});
    let first = expect(create(&sidecar, &path, ADMIN, "one", &body).await, StatusCode::OK).await;
    let again = expect(create(&sidecar, &path, ADMIN, "one", &body).await, StatusCode::OK).await;
    assert_eq!(first["key"], again["key"]);
}

#[tokio::test]
async fn a_key_that_is_none_or_comes_twice_is_refused() {
    let sidecar = Sidecar::start().await;
    for values in [&[""][..], &["a", "b"], &[&"x".repeat(256)]] {
        let mut request = sidecar.request(Method::POST, KEYS).bearer_auth(ADMIN);
        for value in values {
            request = request.header("idempotency-key", *value);
        }
        let response = request.json(&key("k")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{values:?}");
    }
    assert_eq!(keys(&sidecar).await, 0);
}
