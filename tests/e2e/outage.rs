//! The sidecar away, killed and hung, under load: requests go on, and every one has exactly one event.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tollgate_stack::{Stack, wait};
use tollgate_tests::{Answer, chat, number, post, send, settled};

const CHAT: &str = "/v1/chat/completions";
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECTIONS: usize = 4;
/// How long the sidecar is away.
const AWAY: Duration = Duration::from_secs(30);

/// Requests that follow each other on a few connections until they are told to end.
struct Load {
    goes_on: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    connections: JoinSet<Vec<Answer>>,
}

// === impl Load ===

impl Load {
    fn start(stack: &Stack, key: &str) -> Self {
        let (goes_on, answered) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let mut connections = JoinSet::new();
        for connection in 0..CONNECTIONS {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            let mut body = chat("echo one two three");
            // Half of the connections stream.
            body["stream"] = json!(connection % 2 == 0);
            let request = http
                .post(format!("{}{CHAT}", stack.gateway))
                .bearer_auth(key)
                .header("x-mock-fault", "slow=20")
                .json(&body);
            let (goes_on, answered): (Arc<AtomicBool>, Arc<AtomicUsize>) =
                (Arc::clone(&goes_on), Arc::clone(&answered));
            connections.spawn(async move {
                let mut answers = Vec::new();
                while goes_on.load(Ordering::Relaxed) {
                    answers.push(send(request.try_clone().unwrap()).await.unwrap());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                answers
            });
        }
        Self {
            goes_on,
            answered,
            connections,
        }
    }

    /// Waits until so many more requests are answered.
    async fn answers(&self, more: usize) {
        let until = self.answered.load(Ordering::Relaxed) + more;
        wait::until(PATIENCE, "the load stands still", async || {
            Ok((self.answered.load(Ordering::Relaxed) >= until).then_some(()))
        })
        .await
        .unwrap();
    }

    async fn end(mut self) -> Vec<Answer> {
        self.goes_on.store(false, Ordering::Relaxed);
        let mut all = Vec::new();
        while let Some(answers) = self.connections.join_next().await {
            all.extend(answers.unwrap());
        }
        all
    }
}

/// A system whose mock has seen nothing yet, and whose gateway knows the key `unlimited`.
async fn stack(filter: impl FnOnce(&mut Value) + Send + 'static) -> (Stack, String) {
    let stack = Stack::builder().filter_config(filter).start().await.unwrap();
    let key = stack.key("unlimited").to_owned();
    let first = post(&stack, CHAT, &key, &chat("echo a")).await.unwrap();
    assert_eq!(first.status, 200, "{}", first.text());
    tollgate_tests::event(&stack, &first).await.unwrap();
    stack.mock.reset().await.unwrap();
    (stack, key)
}

/// No request failed, each has one event, and the ledger's tokens are those that the provider served.
async fn check(stack: &Stack, answers: &[Answer]) {
    let failed: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(
        failed.is_empty(),
        "{} of {} failed, e.g. {:?}",
        failed.len(),
        answers.len(),
        failed[0]
    );
    let served = stack.mock.served().await.unwrap();
    assert_eq!(
        served["requests"],
        json!(answers.len()),
        "the provider's own count"
    );

    let ids: Vec<String> = answers
        .iter()
        .map(|answer| answer.header("x-tollgate-request-id").to_owned())
        .collect();
    // One event a request: `settled` refuses two.
    let events = settled(stack, &ids).await.unwrap();
    assert_eq!(events.len(), answers.len(), "two requests have one id");
    let event_ids: BTreeSet<&str> = events
        .values()
        .filter_map(|event| event["event_id"].as_str())
        .collect();
    assert_eq!(event_ids.len(), events.len());
    for count in ["input_tokens", "output_tokens"] {
        let sum: u64 = events.values().map(|event| number(event, count)).sum();
        assert_eq!(json!(sum), served[count], "{count}");
    }
    // And the ledger has none that belongs to no request; the first call was before the load.
    let all = stack.admin.events("workspace=unlimited").await.unwrap();
    assert_eq!(all.len(), answers.len() + 1);
}

/// Sends a signal to the sidecar.
fn signal(stack: &Stack, name: &str) {
    let pid = stack.up_file().pids["sidecar"].to_string();
    let sent = Command::new("kill").args([name, &pid]).status().unwrap();
    assert!(sent.success(), "kill {name}");
}

#[tokio::test]
async fn a_sidecar_that_is_away_for_half_a_minute_fails_no_known_key_and_loses_no_event() {
    // Keys are asked for again every second: most of the time the gateway goes by what it remembers.
    let (mut stack, key) = stack(|config| config["key_cache"] = json!({"ttl": "1s"})).await;
    let unseen = stack.key("demo").to_owned();
    let load = Load::start(&stack, &key);
    load.answers(20).await;
    stack.kill_sidecar().unwrap();
    let gone = Instant::now();
    let refused = post(&stack, CHAT, &unseen, &chat("echo a")).await.unwrap();
    assert_eq!(
        (refused.status, refused.error_code().as_str()),
        (503, "sidecar_unavailable"),
        "a key that nobody has vouched for"
    );
    while gone.elapsed() < AWAY {
        load.answers(10).await;
    }
    stack.start_sidecar().await.unwrap();
    load.answers(20).await;
    let answers = load.end().await;
    // The refusal's event waited as well.
    settled(&stack, &[refused.header("x-tollgate-request-id").to_owned()])
        .await
        .unwrap();
    check(&stack, &answers).await;
}

#[tokio::test]
async fn a_sidecar_killed_again_and_again_loses_and_doubles_no_event() {
    let (mut stack, key) = stack(|config| config["journal"] = json!({"flush_interval": "50ms"})).await;
    let load = Load::start(&stack, &key);
    for _ in 0..5 {
        let before = stack.admin.events("").await.unwrap().len();
        // Batches are under way all the time: it dies in one of them, or between its commit and its answer …
        load.answers(10).await;
        wait::until(PATIENCE, "no batch arrives", async || {
            Ok((stack.admin.events("").await?.len() > before).then_some(()))
        })
        .await
        .unwrap();
        stack.kill_sidecar().unwrap();
        load.answers(5).await;
        stack.start_sidecar().await.unwrap();
        // … and now certainly in one: it stands still while the gateway's next batch arrives.
        signal(&stack, "-STOP");
        load.answers(40).await;
        stack.kill_sidecar().unwrap();
        stack.start_sidecar().await.unwrap();
    }
    let answers = load.end().await;
    check(&stack, &answers).await;
}

#[tokio::test]
async fn a_sidecar_that_hangs_is_not_waited_for_and_what_it_got_twice_counts_once() {
    let (stack, key) = stack(|config| config["sidecar"]["timeout"] = json!("300ms")).await;
    let load = Load::start(&stack, &key);
    load.answers(20).await;
    signal(&stack, "-STOP");
    let hung = Instant::now();
    // Long enough for several batches to be given up and sent again.
    while hung.elapsed() < Duration::from_secs(3) {
        load.answers(10).await;
    }
    signal(&stack, "-CONT");
    load.answers(20).await;
    let answers = load.end().await;
    check(&stack, &answers).await;
}
