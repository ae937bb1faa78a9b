//! Webhooks: who is told of a budget's thresholds, how it is signed, and what becomes of what cannot be delivered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode as Status};
use axum::routing::post;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tollgate_sidecar::webhook::SigningSecret;

use super::support::{Sidecar, event, eventually, expect};

const QUICK: &str = "webhooks: {first_retry: 20ms, max_retry: 50ms, attempts: 7, timeout: 2s}\n";

/// A receiver that fails a number of times first, and keeps what it was sent.
#[derive(Clone)]
struct Receiver {
    url: String,
    inbox: Arc<Mutex<Inbox>>,
}

#[derive(Default)]
struct Inbox {
    failures_left: u32,
    attempts: Vec<Attempt>,
}

#[derive(Clone)]
struct Attempt {
    answered: Status,
    headers: HeaderMap,
    body: String,
}

impl Receiver {
    async fn start(failures: u32) -> Self {
        let inbox = Arc::new(Mutex::new(Inbox {
            failures_left: failures,
            ..Inbox::default()
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/hook", post(receive))
            .with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inbox }
    }

    fn attempts(&self) -> Vec<Attempt> {
        self.inbox.lock().unwrap().attempts.clone()
    }

    /// What it accepted.
    fn accepted(&self) -> Vec<Attempt> {
        let all = self.attempts();
        all.into_iter()
            .filter(|attempt| attempt.answered.is_success())
            .collect()
    }
}

async fn receive(State(inbox): State<Arc<Mutex<Inbox>>>, headers: HeaderMap, body: Bytes) -> Status {
    let mut inbox = inbox.lock().unwrap();
    let answered = if inbox.failures_left > 0 {
        inbox.failures_left -= 1;
        Status::INTERNAL_SERVER_ERROR
    } else {
        Status::OK
    };
    inbox.attempts.push(Attempt {
        answered,
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    answered
}

async fn subscribe(sidecar: &Sidecar, url: &str, kinds: &[&str]) -> Value {
    let body = json!({"url": url, "kinds": kinds});
    let response = sidecar.admin(Method::POST, "/admin/v1/webhooks", &body).await;
    expect(response, StatusCode::CREATED).await
}

/// Charges nano-dollars to a budget.
async fn spend(sidecar: &Sidecar, budget: &str, nano_usd: u64) {
    static EVENTS: AtomicU64 = AtomicU64::new(0);
    let mut event = event(
        &format!("spent-{}", EVENTS.fetch_add(1, Ordering::Relaxed)),
        "acme",
    );
    event["charges"] = json!([{"budget_id": budget, "reserved": nano_usd, "charged": nano_usd}]);
    sidecar.send_events(&[event]).await;
}

/// Waits until a receiver has accepted so many.
async fn accepted(receiver: &Receiver, count: usize) -> Vec<Attempt> {
    eventually(async || receiver.accepted(), |accepted| accepted.len() == count).await
}

/// A budget of a dollar for the workspace `acme`.
async fn a_dollar(sidecar: &Sidecar) -> String {
    let body = json!({
        "name": "acme", "subject": {"workspace": "acme"}, "unit": "usd", "period": "total", "amount": "1.00",
    });
    let response = sidecar.admin(Method::POST, "/admin/v1/budgets", &body).await;
    let created = expect(response, StatusCode::CREATED).await;
    created["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_threshold_is_told_once_though_the_receiver_fails_five_times() {
    let sidecar = Sidecar::start_with(QUICK).await;
    let receiver = Receiver::start(5).await;
    let webhook = subscribe(&sidecar, &receiver.url, &["budget.threshold"]).await;
    let budget = a_dollar(&sidecar).await;
    spend(&sidecar, &budget, 850_000_000).await;
    accepted(&receiver, 1).await;
    spend(&sidecar, &budget, 10_000_000).await;

    let attempts = receiver.attempts();
    assert_eq!(attempts.len(), 6);
    let first = &attempts[0];
    let secret = SigningSecret::parse(webhook["secret"].as_str().unwrap()).unwrap();
    for attempt in &attempts {
        let header = |name: &str| attempt.headers[name].to_str().unwrap();
        assert_eq!(
            header("webhook-id"),
            first.headers["webhook-id"].to_str().unwrap()
        );
        let timestamp: i64 = header("webhook-timestamp").parse().unwrap();
        assert_eq!(
            header("webhook-signature"),
            secret.sign(header("webhook-id"), timestamp, &attempt.body)
        );
    }
    let body: Value = serde_json::from_str(&attempts[5].body).unwrap();
    assert_eq!(body["type"], "budget.threshold");
    assert_eq!(body["id"], first.headers["webhook-id"].to_str().unwrap());
    assert_eq!(body["data"]["percent"], 80);
    assert_eq!(body["data"]["budget"]["id"], budget.as_str());

    let id = webhook["id"].as_str().unwrap();
    let path = format!("/admin/v1/webhooks/{id}/deliveries");
    eventually_state(&sidecar, &path, "delivered").await;
    let listed = sidecar.get(&path).await;
    assert_eq!(listed["deliveries"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["deliveries"][0]["attempts"], 6);
}

#[tokio::test]
async fn each_threshold_is_one_delivery_with_two_sidecars_on_one_ledger() {
    let sidecar = Sidecar::start_with(QUICK).await;
    let other = sidecar.beside().await;
    let receiver = Receiver::start(0).await;
    subscribe(&sidecar, &receiver.url, &[]).await;
    let budget = a_dollar(&sidecar).await;
    for _ in 0..10 {
        spend(&sidecar, &budget, 50_000_000).await;
        spend(&other, &budget, 50_000_000).await;
    }
    accepted(&receiver, 2).await;
    // Whatever else there were would be delivered before this one.
    subscribe(&other, &receiver.url, &[]).await;
    let mut told: Vec<u64> = receiver
        .attempts()
        .iter()
        .map(|attempt| {
            serde_json::from_str::<Value>(&attempt.body).unwrap()["data"]["percent"]
                .as_u64()
                .unwrap()
        })
        .collect();
    // Two sidecars deliver side by side, so which of the two arrives first is nobody's promise.
    told.sort_unstable();
    assert_eq!(told, [80, 100]);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_a_dead_letter_that_can_be_sent_again() {
    let sidecar = Sidecar::start_with(QUICK).await;
    let receiver = Receiver::start(7).await;
    let webhook = subscribe(&sidecar, &receiver.url, &[]).await;
    let budget = a_dollar(&sidecar).await;
    spend(&sidecar, &budget, 800_000_000).await;
    let id = webhook["id"].as_str().unwrap();
    let path = format!("/admin/v1/webhooks/{id}/deliveries");
    let dead = eventually_state(&sidecar, &path, "dead").await;
    assert_eq!(dead["attempts"], 7);
    assert_eq!(dead["last_status"], 500);
    assert_eq!(dead["next_attempt_at"], Value::Null);
    assert!(receiver.accepted().is_empty());

    let again = format!("{path}/{}/retry", dead["id"].as_str().unwrap());
    let response = sidecar.admin(Method::POST, &again, &json!({})).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    eventually_state(&sidecar, &path, "delivered").await;
    assert_eq!(receiver.accepted().len(), 1);
    let response = sidecar.admin(Method::POST, &again, &json!({})).await;
    expect(response, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn a_receiver_that_nobody_listens_for_is_told_in_words() {
    let sidecar = Sidecar::start_with(QUICK).await;
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let webhook = subscribe(&sidecar, &format!("http://{free}/"), &[]).await;
    let budget = a_dollar(&sidecar).await;
    spend(&sidecar, &budget, 1_000_000_000).await;
    let path = format!(
        "/admin/v1/webhooks/{}/deliveries",
        webhook["id"].as_str().unwrap()
    );
    let dead = eventually_state(&sidecar, &path, "dead").await;
    let error = dead["last_error"].as_str().unwrap();
    assert!(error.starts_with("cannot connect"), "{error}");
    assert_eq!(dead["last_status"], Value::Null);
}

#[tokio::test]
async fn a_paused_webhook_is_told_nothing_and_one_that_is_new_nothing_of_before() {
    let sidecar = Sidecar::start_with(QUICK).await;
    let receiver = Receiver::start(0).await;
    let paused = subscribe(&sidecar, &receiver.url, &[]).await;
    let path = format!("/admin/v1/webhooks/{}", paused["id"].as_str().unwrap());
    let response = sidecar
        .admin(Method::PATCH, &path, &json!({"status": "paused"}))
        .await;
    assert_eq!(expect(response, StatusCode::OK).await["status"], "paused");
    let budget = a_dollar(&sidecar).await;
    spend(&sidecar, &budget, 850_000_000).await;
    let late = subscribe(&sidecar, &receiver.url, &[]).await;
    spend(&sidecar, &budget, 150_000_000).await;
    accepted(&receiver, 1).await;
    let body: Value = serde_json::from_str(&receiver.accepted()[0].body).unwrap();
    assert_eq!(body["data"]["percent"], 100);
    let none = sidecar.get(&format!("{path}/deliveries")).await;
    assert_eq!(none["deliveries"], json!([]));

    let path = format!("/admin/v1/webhooks/{}", late["id"].as_str().unwrap());
    let response = sidecar.admin(Method::DELETE, &path, &json!({})).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let response = sidecar.admin(Method::DELETE, &path, &json!({})).await;
    expect(response, StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn a_webhook_that_cannot_be_is_refused_with_its_field() {
    let sidecar = Sidecar::start().await;
    for (body, pointer) in [
        (json!({"url": "ftp://example.com/"}), "#/url"),
        (json!({"url": "https://user:pass@example.com/"}), "#/url"),
        (json!({"url": "not a url"}), "#/url"),
        (
            json!({"url": "https://example.com/", "kinds": ["budget.tresholds"]}),
            "#/kinds/0",
        ),
    ] {
        let response = sidecar.admin(Method::POST, "/admin/v1/webhooks", &body).await;
        let problem = expect(response, StatusCode::UNPROCESSABLE_ENTITY).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    let listed = sidecar.get("/admin/v1/webhooks").await;
    assert_eq!(listed, json!({"webhooks": [], "next": null}));
}

/// The first delivery of a list, once it is in this state.
async fn eventually_state(sidecar: &Sidecar, path: &str, state: &str) -> Value {
    let listed = eventually(
        async || sidecar.get(path).await,
        |listed| listed["deliveries"][0]["state"] == state,
    )
    .await;
    listed["deliveries"][0].clone()
}
