//! `kill -9` of the real program: what it acknowledged is in the ledger.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{ADMIN, GATEWAY, event, eventually, new_database, yaml};

const BATCH: usize = 20;

fn spawn(folder: &Path, database: &str, port: u16) -> Child {
    let file = folder.join("sidecar.yaml");
    std::fs::write(&file, yaml(database, "")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_tollgate-sidecar"))
        .args(["serve", "--config", file.to_str().unwrap()])
        .env("TOLLGATE_SIDECAR__LISTEN", format!("127.0.0.1:{port}"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

async fn is_ready(client: &reqwest::Client, url: &str) {
    eventually(
        || async {
            client
                .get(format!("{url}/readyz"))
                .send()
                .await
                .is_ok_and(|r| r.status().is_success())
        },
        |ready| *ready,
    )
    .await;
}

/// Every event id in the ledger, in order.
async fn all_ids(client: &reqwest::Client, url: &str) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let request = client.get(format!("{url}/admin/v1/events?limit=1000&after={after}"));
        let page: Value = request
            .bearer_auth(ADMIN)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let events = page["events"].as_array().unwrap();
        if events.is_empty() {
            return ids;
        }
        ids.extend(
            events
                .iter()
                .map(|event| event["event_id"].as_str().unwrap().to_owned()),
        );
        after = page["next"].as_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_and_no_batch_is_there_in_part() {
    let folder = TempDir::new().unwrap();
    let database = new_database(folder.path()).await;
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let client = reqwest::Client::new();
    let mut acknowledged: Vec<String> = Vec::new();

    for round in 0..3 {
        let mut child = spawn(folder.path(), &database, port);
        is_ready(&client, &url).await;
        let (progress, mut enough) = tokio::sync::mpsc::unbounded_channel();
        let sending = tokio::spawn(send_until_it_dies(client.clone(), url.clone(), round, progress));
        for _ in 0..10 {
            enough.recv().await.unwrap();
        }
        // SIGKILL, with batches on the way.
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(sending.await.unwrap());
    }

    let mut child = spawn(folder.path(), &database, port);
    is_ready(&client, &url).await;
    let kept = all_ids(&client, &url).await;
    child.kill().unwrap();
    child.wait().unwrap();

    let distinct: std::collections::HashSet<&String> = kept.iter().collect();
    assert_eq!(distinct.len(), kept.len(), "an event is there twice");
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !distinct.contains(id)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    assert_eq!(kept.len() % BATCH, 0, "a batch is there in part");
}

/// Sends batches on four connections, and answers the ids of those that were acknowledged.
async fn send_until_it_dies(
    client: reqwest::Client,
    url: String,
    round: usize,
    progress: tokio::sync::mpsc::UnboundedSender<()>,
) -> Vec<String> {
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let (client, url, progress) = (client.clone(), url.clone(), progress.clone());
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for batch in 0.. {
                    let ids: Vec<String> = (0..BATCH)
                        .map(|i| format!("{round}-{sender}-{batch}-{i}"))
                        .collect();
                    let events: Vec<Value> = ids.iter().map(|id| event(id, "w")).collect();
                    let request = client.post(format!("{url}/v1/events")).bearer_auth(GATEWAY);
                    match request.json(&json!({ "events": events })).send().await {
                        Ok(response) if response.status() == StatusCode::OK => acknowledged.extend(ids),
                        _ => break,
                    }
                    let _ = progress.send(());
                }
                acknowledged
            })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for sender in senders {
        acknowledged.extend(sender.await.unwrap());
    }
    acknowledged
}
