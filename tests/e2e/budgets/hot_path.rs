//! With a lease in hand nobody is asked.
//!
//! What is counted are the callouts that a request waits for. What ticks send in the background, events and reports of
//! leases, nobody waits for: it is by those reports that a lease grows before it is spent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use tollgate_stack::{Stack, wait};
use tollgate_tests::{number, send};

use super::{Budget, CHAT, ask, budgets_are_known, cost_served, key};

const CONNECTIONS: usize = 16;
const COUNTED: usize = 10_000;
/// The pace is measured over so many requests.
const MEASURED: usize = 500;
/// A lease is in hand where it lasts for so long at that pace.
const IN_HAND: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(120);

/// Requests that follow each other on many connections, all of them served, until they are told to end.
struct Load {
    goes_on: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    connections: JoinSet<()>,
}

// === impl Load ===

impl Load {
    fn start(stack: &Stack, key: &str) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let served = Arc::new(AtomicUsize::new(0));
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = http
                .post(format!("{}{CHAT}", stack.gateway))
                .bearer_auth(key)
                .json(&ask(3, 8));
            let (goes_on, served) = (Arc::clone(&goes_on), Arc::clone(&served));
            connections.spawn(async move {
                while goes_on.load(Ordering::Relaxed) {
                    let answer = send(request.try_clone().unwrap()).await.unwrap();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self {
            goes_on,
            served,
            connections,
        }
    }

    /// Waits until so many more requests are served.
    async fn serves(&self, more: usize) {
        let until = self.served.load(Ordering::Relaxed) + more;
        let what = format!("{more} requests are not served");
        wait::until(PATIENCE, &what, async || {
            Ok((self.served.load(Ordering::Relaxed) >= until).then_some(()))
        })
        .await
        .unwrap();
    }

    async fn end(mut self) {
        self.goes_on.store(false, Ordering::Relaxed);
        while let Some(ended) = self.connections.join_next().await {
            ended.unwrap();
        }
    }
}

/// How many callouts of each kind requests have waited for.
async fn questions(stack: &Stack) -> [(&'static str, u64); 3] {
    let mut counts = ["lease", "key", "moderation"].map(|call| (call, 0));
    for (call, count) in &mut counts {
        let name = format!("wasmcustom.tollgate_sidecar_questions_total;call={call}");
        *count = stack.envoy_stat(&name).await.unwrap();
    }
    counts
}

/// Waits until the ledger says that what is leased lasts for a while.
async fn lease_is_in_hand(stack: &Stack, budget: &Budget, load: &Load) {
    let began = Instant::now();
    loop {
        let measured = Instant::now();
        load.serves(MEASURED).await;
        let pace = MEASURED as f64 / measured.elapsed().as_secs_f64();
        let served = stack.mock.served().await.unwrap();
        let each = cost_served(stack).await / number(&served, "requests");
        let leased = budget.standing().await.unwrap().leased;
        if leased as f64 >= pace * IN_HAND.as_secs_f64() * each as f64 {
            return;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "{leased} nano-dollars are leased at {pace} requests a second of {each}"
        );
    }
}

#[tokio::test]
async fn ten_thousand_requests_ask_for_nothing_while_the_lease_lasts() {
    let stack = Stack::builder().concurrency(2).start().await.unwrap();
    let key = key(&stack, "steady").await;
    let budget = Budget::of_workspace(&stack, "steady", "1000000", json!({})).await;
    budgets_are_known(&stack).await;
    let load = Load::start(&stack, &key);
    lease_is_in_hand(&stack, &budget, &load).await;
    let before = questions(&stack).await;
    assert!(
        before[0].1 > 0,
        "the questions by which it began are not counted: {before:?}"
    );
    load.serves(COUNTED).await;
    assert_eq!(
        questions(&stack).await,
        before,
        "while {COUNTED} requests were served"
    );
    load.end().await;
    // And all of them were paid.
    budget.has_spent(cost_served(&stack).await).await;
}
