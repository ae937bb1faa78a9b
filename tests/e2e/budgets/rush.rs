//! A budget that many connections want at once is spent to its end, and not beyond.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tollgate_stack::{Stack, StackBuilder};
use tollgate_tests::{Answer, send, settled};

use super::{Budget, CHAT, DOLLAR, ask, budgets_are_known, charge, cost_served, key};

const CONNECTIONS: u64 = 64;
const EACH: u64 = 14;
const MAX_TOKENS: u64 = 100;
/// What comes back from a gateway that has it idle is with another one after so long: a report, and an answer.
const RETURN: Duration = Duration::from_millis(1_500);

/// A request, and when its client saw it begin and end.
struct Seen {
    began: Instant,
    ended: Instant,
    answer: Answer,
}

/// All connections, each on one of the gateways, each with one request after the other.
async fn rush(stack: &Stack, key: &str) -> Vec<Seen> {
    let mut connections = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let gateway = &stack.gateways[connection as usize % stack.gateways.len()];
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http
            .post(format!("{gateway}{CHAT}"))
            .bearer_auth(key)
            .header("x-mock-fault", "slow=20");
        connections.spawn(async move {
            let mut seen = Vec::new();
            for number in 0..EACH {
                // Answers of many lengths, all below what is reserved for them; half are streams.
                let mut body = ask(20 + (connection * 7 + number * 13) % 80, MAX_TOKENS);
                body["stream"] = json!((connection + number) % 2 == 0);
                let began = Instant::now();
                let answer = send(request.try_clone().unwrap().json(&body)).await.unwrap();
                let ended = Instant::now();
                seen.push(Seen { began, ended, answer });
            }
            seen
        });
    }
    let mut all = Vec::new();
    while let Some(seen) = connections.join_next().await {
        all.extend(seen.unwrap());
    }
    all
}

/// When a request held money, and how much: its reservation while it ran, what it cost from then on.
struct Holding {
    from: Instant,
    until: Instant,
    reserved: u64,
    charged: u64,
}

/// The most that was left to a request that was refused, at its worst moment: all that was neither spent nor reserved
/// nor on its way back, while it waited.
fn left_while_waiting(refused: &Seen, holdings: &[Holding]) -> u64 {
    let held_at = |moment: Instant| -> u64 {
        let taken = holdings.iter().map(|holding| {
            if moment < holding.from {
                0
            } else if moment < holding.until + RETURN {
                holding.reserved
            } else {
                holding.charged
            }
        });
        taken.sum()
    };
    let moments = holdings
        .iter()
        .map(|holding| holding.from)
        .filter(|moment| (refused.began..=refused.ended).contains(moment))
        .chain([refused.began]);
    let most_held = moments.map(held_at).max().unwrap_or(0);
    DOLLAR.saturating_sub(most_held)
}

async fn a_dollar_is_spent_to_its_end(builder: StackBuilder) {
    // How a busy machine is waited for is not the subject here: nobody is away.
    let stack = builder
        .concurrency(2)
        .filter_config(|config| config["sidecar"]["timeout"] = json!("10s"))
        .start()
        .await
        .unwrap();
    let key = key(&stack, "rush").await;
    let budget = Budget::of_workspace(&stack, "rush", "1.00", json!({})).await;
    budgets_are_known(&stack).await;
    let seen = rush(&stack, &key).await;

    let statuses: Vec<u16> = seen.iter().map(|seen| seen.answer.status).collect();
    assert!(
        statuses.iter().all(|status| [200, 402].contains(status)),
        "{statuses:?}"
    );
    let (served, refused): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(|seen| seen.answer.status == 200);
    let id = |seen: &Seen| seen.answer.header("x-tollgate-request-id").to_owned();
    let events = settled(&stack, &seen.iter().map(id).collect::<Vec<_>>())
        .await
        .unwrap();
    let holdings: Vec<Holding> = served
        .iter()
        .map(|seen| {
            let event: &Value = &events[&id(seen)];
            let (charged, reserved) = charge(event, &budget);
            Holding {
                from: seen.began,
                until: seen.ended,
                reserved,
                charged,
            }
        })
        .collect();

    let asked: u64 = CONNECTIONS * EACH * holdings.iter().map(|holding| holding.reserved).max().unwrap();
    assert!(asked >= 5 * DOLLAR, "only {asked} nano-dollars were asked for");
    // The ledger, the events and the provider have the same count, to the nano-dollar.
    let cost = cost_served(&stack).await;
    let standing = budget.has_spent(cost).await;
    assert_eq!(holdings.iter().map(|holding| holding.charged).sum::<u64>(), cost);
    assert!(
        standing.spent <= DOLLAR && standing.overrun == 0,
        "overspent: {standing:?}"
    );
    assert!(
        standing.spent >= DOLLAR * 95 / 100,
        "only {} of a dollar was spent; {} served, {} refused",
        standing.spent,
        served.len(),
        refused.len()
    );
    let most = holdings.iter().map(|holding| holding.reserved).max().unwrap();
    for seen in refused {
        let left = left_while_waiting(seen, &holdings);
        assert!(
            left <= most,
            "refused while {left} nano-dollars were left, more than one reservation of {most}: {}",
            seen.answer.text()
        );
    }
}

#[tokio::test]
async fn on_two_gateways_and_two_sidecars_with_postgres() {
    a_dollar_is_spent_to_its_end(Stack::builder().gateways(2).sidecars(2).postgres()).await;
}

#[tokio::test]
async fn on_one_gateway_with_sqlite() {
    a_dollar_is_spent_to_its_end(Stack::builder()).await;
}
