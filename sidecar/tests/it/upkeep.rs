//! What a sidecar does beside answering, a beat at a time.

use std::future::IntoFuture as _;
use std::net::SocketAddr;

use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tollgate_sidecar::Config;
use tollgate_sidecar::clock::Clock;
use tollgate_sidecar::ledger::Ledger;
use tollgate_sidecar::server::router;
use tollgate_sidecar::state::App;
use tollgate_sidecar::upkeep::beat;
use tollgate_sidecar::verdict_log::VerdictLog;

use super::support::{GATEWAY, event, new_database, yaml};
use crate::database::number;

#[tokio::test]
async fn events_that_nobody_asks_about_are_summed_up_at_every_tenth_beat() {
    let folder = TempDir::new().unwrap();
    let database = new_database(folder.path()).await;
    let config = Config::from_yaml(&yaml(&database, ""), std::iter::empty()).unwrap();
    let ledger = Ledger::open(&config.database).await.unwrap();
    let (verdicts, _writer) = VerdictLog::start(ledger.clone());
    let app = App::new(config, ledger, Clock::system(), verdicts).unwrap();
    // Served without an upkeep of its own: its beats are the test's.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/events", listener.local_addr().unwrap());
    let service = router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, service).into_future());
    let client = reqwest::Client::new();
    let send = async |id: &str| {
        let batch = json!({"events": [event(id, "acme")]});
        let answer = client.post(&url).bearer_auth(GATEWAY).json(&batch).send().await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    };
    let summed_up = async || {
        let requests = "SELECT SUM(requests) FROM rollups WHERE step = 86400000 AND dimension = 'workspace' AND value = 'acme'";
        number(&database, requests).await
    };

    send("first").await;
    for early in 1..10 {
        beat(&app, early).await.unwrap();
    }
    assert_eq!(summed_up().await, 0, "few wait for more");
    beat(&app, 10).await.unwrap();
    assert_eq!(summed_up().await, 1);
    send("second").await;
    beat(&app, 20).await.unwrap();
    assert_eq!(summed_up().await, 2);
}
