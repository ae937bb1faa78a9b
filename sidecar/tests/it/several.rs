//! Several sidecars on one database: order and idempotence are the ledger's, not the process's.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Sidecar, event, expect, tail};

const BATCHES: usize = 20;

async fn two() -> [Arc<Sidecar>; 2] {
    let one = Sidecar::start().await;
    let other = one.beside().await;
    [Arc::new(one), Arc::new(other)]
}

#[tokio::test]
async fn a_tail_on_one_misses_nothing_that_is_written_through_both() {
    let sidecars = two().await;
    let writers: Vec<_> = sidecars
        .iter()
        .enumerate()
        .map(|(writer, sidecar)| {
            let sidecar = sidecar.clone();
            tokio::spawn(async move {
                for batch in 0..BATCHES {
                    sidecar
                        .send_events(&[event(&format!("{writer}-{batch}"), "w")])
                        .await;
                }
            })
        })
        .collect();
    tail(&sidecars[0], 2 * BATCHES).await;
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn sidecars_may_start_on_an_empty_database_at_the_same_moment() {
    let one = Sidecar::start().await;
    let others = [one.beside().await, one.beside().await, one.beside().await];
    for sidecar in others.iter().chain([&one]) {
        let response = sidecar.request(Method::GET, "/readyz").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn one_batch_sent_to_both_at_once_is_there_once() {
    let [one, other] = two().await;
    let batch: Vec<Value> = (0..50).map(|i| event(&format!("e{i}"), "w")).collect();
    let (first, second) = tokio::join!(one.send_events(&batch), other.send_events(&batch));
    let accepted = first["accepted"].as_u64().unwrap() + second["accepted"].as_u64().unwrap();
    let duplicates = first["duplicates"].as_u64().unwrap() + second["duplicates"].as_u64().unwrap();
    assert_eq!((accepted, duplicates), (50, 50));
}

#[tokio::test]
async fn a_key_changed_through_one_is_fed_by_the_other() {
    let [one, other] = two().await;
    let created = one.create_key(&json!({"name": "a", "workspace": "w"})).await;
    let response = other.gateway("/v1/keys/changes", &json!({"after": 0})).await;
    let fed = expect(response, StatusCode::OK).await;
    assert_eq!(fed["keys"][0]["id"], created["id"]);
}
