//! A gateway, a sidecar and PostgreSQL are killed under load, one after the other; afterwards the books balance.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tollgate_stack::{Part, Stack, wait};
use tollgate_tests::{number, send};

use super::{Budget, CHAT, ask, budgets_are_known, cost_served, key};

const PATIENCE: Duration = Duration::from_secs(60);
const CONNECTIONS: usize = 8;
/// The gateway that is killed, and its name in the ledger.
const KILLED: usize = 1;
const KILLED_NAME: &str = "demo-2";
/// An event is on its way to the ledger for so long, on a busy machine: it waits for the batch before its own.
const ON_ITS_WAY: Duration = Duration::from_secs(5);
/// Between two tries on a gateway that is not there.
const PAUSE: Duration = Duration::from_millis(50);

/// What a client saw of a request.
struct Seen {
    gateway: usize,
    ended: Instant,
    /// Status and id; nothing where the connection broke.
    answer: Option<(u16, String)>,
}

/// Requests that follow each other on connections to all gateways, until they are told to end.
struct Load {
    goes_on: Arc<AtomicBool>,
    /// Requests that were served, by gateway.
    served: Vec<Arc<AtomicUsize>>,
    connections: JoinSet<Vec<Seen>>,
}

// === impl Load ===

impl Load {
    fn start(stack: &Stack, key: &str) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let served: Vec<Arc<AtomicUsize>> = stack.gateways.iter().map(|_| Arc::default()).collect();
        let mut connections = JoinSet::new();
        for connection in 0..CONNECTIONS {
            let gateway = connection % stack.gateways.len();
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            // All cost the same, so that a sum of money is a number of requests. Half of them stream.
            let mut body = ask(20, 40);
            body["stream"] = json!(connection / 2 % 2 == 0);
            let request = http
                .post(format!("{}{CHAT}", stack.gateways[gateway]))
                .bearer_auth(key)
                .header("x-mock-fault", "slow=20")
                .json(&body);
            let (goes_on, served) = (Arc::clone(&goes_on), Arc::clone(&served[gateway]));
            connections.spawn(async move {
                let mut all = Vec::new();
                while goes_on.load(Ordering::Relaxed) {
                    let answer = send(request.try_clone().unwrap()).await.ok();
                    let status = answer.as_ref().map(|answer| answer.status);
                    let id = answer.map(|answer| answer.header("x-tollgate-request-id").to_owned());
                    all.push(Seen {
                        gateway,
                        ended: Instant::now(),
                        answer: status.zip(id),
                    });
                    if status == Some(200) {
                        served.fetch_add(1, Ordering::Relaxed);
                    } else {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                all
            });
        }
        Self {
            goes_on,
            served,
            connections,
        }
    }

    /// Waits until a gateway has served so many more requests.
    async fn serves(&self, gateway: usize, more: usize) {
        let until = self.served[gateway].load(Ordering::Relaxed) + more;
        let what = format!("gateway {gateway} serves nobody");
        wait::until(PATIENCE, &what, async || {
            Ok((self.served[gateway].load(Ordering::Relaxed) >= until).then_some(()))
        })
        .await
        .unwrap();
    }

    async fn all_serve(&self, more: usize) {
        for gateway in 0..self.served.len() {
            self.serves(gateway, more).await;
        }
    }

    async fn end(mut self) -> Vec<Seen> {
        self.goes_on.store(false, Ordering::Relaxed);
        let mut all = Vec::new();
        while let Some(seen) = self.connections.join_next().await {
            all.extend(seen.unwrap());
        }
        all
    }
}

/// What the sidecars say they took back from the killed gateway, in nano-dollars, beyond what was charged.
fn taken_back(stack: &Stack) -> u64 {
    let logs: String = (0..stack.sidecars.len())
        .map(|number| stack.sidecar_log_of(number))
        .collect();
    let lines = logs
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| {
            line["message"].to_string().contains("was taken back") && line["gateway_id"] == json!(KILLED_NAME)
        })
        .map(|line| number(&line, "amount"))
        .sum()
}

#[tokio::test]
async fn gateway_sidecar_and_postgres_in_turn_and_the_books_balance() {
    let mut stack = Stack::builder()
        .gateways(2)
        .sidecars(2)
        .postgres()
        .sidecar_env("TOLLGATE_SIDECAR__BUDGETS__LEASE_TTL", "6s")
        .sidecar_env("TOLLGATE_SIDECAR__BUDGETS__LEASE_GRACE", "4s")
        .start()
        .await
        .unwrap();
    let key = key(&stack, "survives").await;
    let budget = Budget::of_workspace(&stack, "survives", "1000", json!({})).await;
    budgets_are_known(&stack).await;
    let load = Load::start(&stack, &key);
    load.all_serve(20).await;

    let killed_at = Instant::now();
    stack.kill(Part::Gateway(KILLED)).unwrap();
    load.serves(0, 20).await;
    let restarted_at = Instant::now();
    stack.restart(Part::Gateway(KILLED)).await.unwrap();
    load.all_serve(20).await;

    stack.kill(Part::Sidecar(0)).unwrap();
    load.all_serve(20).await;
    stack.restart(Part::Sidecar(0)).await.unwrap();
    load.all_serve(20).await;

    stack.kill(Part::Postgres).unwrap();
    stack.restart(Part::Postgres).await.unwrap();
    load.all_serve(20).await;
    let seen = load.end().await;

    // Living gateways give back what they do not use; what the dead one held is taken back when it has expired.
    let standing = wait::until(PATIENCE, "something is still leased", async || {
        let standing = budget.standing().await?;
        Ok((standing.leased == 0).then_some(standing))
    })
    .await
    .unwrap();

    let events = stack.admin.events("workspace=survives").await.unwrap();
    let mut charged: BTreeMap<String, u64> = BTreeMap::new();
    for event in &events {
        let cost = number(event, "cost_nanousd");
        let id = event["request_id"].as_str().unwrap().to_owned();
        if cost > 0 {
            assert!(
                charged.insert(id, cost).is_none(),
                "a request has two events: {event}"
            );
        }
    }
    assert_eq!(
        standing.spent,
        charged.values().sum::<u64>(),
        "the account and its events differ"
    );
    assert_eq!((standing.overrun, standing.debt), (0, 0), "{standing:?}");

    // Each request that was answered has its event, but those whose events the killed gateway had not sent yet.
    let mut lost_with_the_gateway = 0;
    for (seen, id) in seen.iter().filter_map(|seen| match &seen.answer {
        Some((200, id)) if !charged.contains_key(id) => Some((seen, id)),
        _ => None,
    }) {
        // An answer may be read after its gateway died: it was in the socket.
        let just_before = seen.ended < restarted_at && seen.ended + ON_ITS_WAY > killed_at;
        assert!(
            seen.gateway == KILLED && just_before,
            "request {id} was answered by gateway {} and has no event: {:?} before, {:?} after the kill",
            seen.gateway,
            killed_at.saturating_duration_since(seen.ended),
            seen.ended.saturating_duration_since(killed_at)
        );
        lost_with_the_gateway += 1;
    }
    let broken = seen.iter().filter(|seen| seen.answer.is_none());
    assert!(
        broken.clone().all(|seen| seen.gateway == KILLED),
        "a connection to a living gateway broke"
    );
    let in_flight = broken.filter(|seen| seen.ended < killed_at + ON_ITS_WAY).count();

    // To the nano-dollar: what the provider served, less what was in flight at the gateway that was killed.
    let served = stack.mock.served().await.unwrap();
    let cost = cost_served(&stack).await;
    let each = cost / number(&served, "requests");
    assert_eq!(
        cost % number(&served, "requests"),
        0,
        "requests cost differently: {served}"
    );
    let missing = cost - standing.spent;
    assert_eq!(
        missing % each,
        0,
        "{missing} nano-dollars are missing, which is no number of requests"
    );
    let lost = (missing / each) as usize;
    assert!(
        (lost_with_the_gateway..=lost_with_the_gateway + in_flight).contains(&lost),
        "{lost} requests are in no event; {in_flight} were in flight, {lost_with_the_gateway} on their way"
    );
    // And that is reported: what was taken back covers it.
    let reported = taken_back(&stack);
    assert!(
        reported >= missing && reported > 0,
        "{missing} nano-dollars are missing and {reported} were reported as taken back"
    );
}
