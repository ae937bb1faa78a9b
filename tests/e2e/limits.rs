//! Limits under load: two workers, many connections, and never more than the limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_stack::Stack;
use tollgate_tests::rush::Rush;
use tollgate_tests::shared::Shared;
use tollgate_tests::{Answer, chat, event, number, post, received_header, send, settled};

const CHAT: &str = "/v1/chat/completions";
const CONNECTIONS: usize = 32;

/// Every limit has a workspace of its own, so that one system serves all tests.
async fn stack() -> Arc<Stack> {
    static SHARED: Shared = Shared::new();
    let limits = |config: &mut Value| config["limits"] = limits();
    let started = SHARED.stack(|| Stack::builder().concurrency(2).filter_config(limits));
    started.await.unwrap()
}

fn limits() -> Value {
    json!([
        {"name": "bucket", "count": "requests", "amount": 100, "period": "1h", "per": ["key"],
         "match": {"workspaces": ["bucket"]}},
        {"name": "window", "algorithm": "sliding_window", "count": "requests", "amount": 100, "period": "1h",
         "per": ["workspace"], "match": {"workspaces": ["window"]}},
        {"name": "tokens", "count": "tokens", "amount": 5000, "period": "1d", "per": ["workspace"],
         "match": {"workspaces": ["tokens"]}},
        {"name": "slots", "count": "concurrent", "amount": 5, "per": ["workspace"],
         "match": {"workspaces": ["slots"]}},
        {"name": "refill", "count": "requests", "amount": 20, "period": "4s", "burst": 4, "per": ["key"],
         "match": {"workspaces": ["refill"]}},
        {"name": "slide", "algorithm": "sliding_window", "count": "requests", "amount": 3, "period": "6s",
         "per": ["key"], "match": {"workspaces": ["slide"]}},
        {"name": "slow-bucket", "count": "requests", "amount": 3, "period": "120s", "per": ["key"],
         "match": {"workspaces": ["slow-bucket"]}},
        {"name": "slow-window", "algorithm": "sliding_window", "count": "requests", "amount": 3,
         "period": "100s", "per": ["key"], "match": {"workspaces": ["slow-window"]}},
        {"name": "shadow", "count": "requests", "amount": 1, "period": "1h", "per": ["key"], "mode": "shadow",
         "match": {"workspaces": ["shadow"]}},
        {"name": "narrow", "count": "requests", "amount": 2, "period": "1h", "per": ["key"],
         "match": {"workspaces": ["pair"]}},
        {"name": "wide", "count": "requests", "amount": 5, "period": "1h", "per": ["workspace"],
         "match": {"workspaces": ["pair"]}},
        {"name": "told-requests", "count": "requests", "amount": 50, "period": "1h", "per": ["key"],
         "match": {"workspaces": ["told"]}},
        {"name": "told-tokens", "count": "tokens", "amount": 100_000, "period": "1h", "per": ["key"],
         "match": {"workspaces": ["told"]}},
        {"name": "sessions", "count": "requests", "amount": 1, "period": "1h", "per": ["session"],
         "match": {"workspaces": ["sessions"]}},
        {"name": "model", "count": "requests", "amount": 1, "period": "1h", "per": ["key"],
         "match": {"workspaces": ["model"], "models": ["gpt-4o"]}},
    ])
}

async fn key(stack: &Stack, workspace: &str) -> String {
    let spec = json!({"name": workspace, "workspace": workspace});
    stack.admin.create_key(&spec).await.unwrap().1
}

fn passed(answers: &[Answer]) -> usize {
    let others = answers.iter().find(|answer| !matches!(answer.status, 200 | 429));
    assert!(others.is_none(), "{others:?}");
    answers.iter().filter(|answer| answer.status == 200).count()
}

/// What the provider received from a workspace, told by a word that only its prompts have.
async fn received(stack: &Stack, word: &str) -> usize {
    let requests = stack.mock.requests().await.unwrap();
    let ours = |request: &&Value| request["body"].as_str().is_some_and(|body| body.contains(word));
    requests.iter().filter(ours).count()
}

async fn rush(stack: &Stack, key: &str, body: Value, fault: &str, each: usize) -> Vec<Answer> {
    let rush = Rush {
        path: CHAT,
        key,
        fault,
        body,
        connections: CONNECTIONS,
        each,
    };
    rush.send(stack).await.unwrap()
}

#[tokio::test]
async fn a_token_bucket_lets_through_exactly_its_amount_on_any_worker() {
    let stack = stack().await;
    let key = key(&stack, "bucket").await;
    let answers = rush(&stack, &key, chat("echo bucketword"), "", 8).await;
    // Two come back within the hour's first 72 seconds: this must take less than 36.
    assert_eq!((answers.len(), passed(&answers)), (256, 100));
    assert_eq!(received(&stack, "bucketword").await, 100);
}

#[tokio::test]
async fn a_sliding_window_lets_through_exactly_its_amount_on_any_worker() {
    let stack = stack().await;
    let key = key(&stack, "window").await;
    let answers = rush(&stack, &key, chat("echo windowword"), "", 8).await;
    assert_eq!((answers.len(), passed(&answers)), (256, 100));
    assert_eq!(received(&stack, "windowword").await, 100);
}

#[tokio::test]
async fn a_token_limit_is_never_overspent_and_what_was_reserved_too_much_comes_back() {
    let stack = stack().await;
    let key = key(&stack, "tokens").await;
    let mut body = chat("words 40");
    // Reserves more than twice what the answer uses.
    body["max_tokens"] = json!(100);
    let mut answers = rush(&stack, &key, body.clone(), "", 4).await;
    let reservation = 100 + 20;
    while let Some(last) = answers.last().filter(|_| answers.len() < 400) {
        if last.status == 429 && answers.len() > 4 * CONNECTIONS {
            break;
        }
        answers.push(post(&stack, CHAT, &key, &body).await.unwrap());
    }
    let used: u64 = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| number(&answer.json()["usage"], "total_tokens"))
        .sum();
    assert!(used <= 5000, "{used} tokens of 5000");
    assert!(
        used + reservation > 5000,
        "only {used} tokens of 5000 could be used"
    );
}

#[tokio::test]
async fn as_many_requests_as_there_are_slots_run_at_a_time_and_slots_come_back() {
    let stack = stack().await;
    let key = key(&stack, "slots").await;
    for turn in ["first", "second"] {
        let body = chat(&format!("echo slotword-{turn}"));
        let answers = rush(&stack, &key, body, "slow=4000", 1).await;
        assert_eq!(passed(&answers), 5, "{turn} time");
        let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
        assert_eq!(refused.json()["error"]["tollgate"]["name"], "slots");
        assert_eq!(received(&stack, &format!("slotword-{turn}")).await, 5);
        // The slots come back when the exchanges are settled, which a client may see a moment later.
        let ids: Vec<String> = answers
            .iter()
            .map(|answer| answer.header("x-tollgate-request-id").to_owned())
            .collect();
        settled(&stack, &ids).await.unwrap();
    }
}

#[tokio::test]
async fn a_bucket_refills_at_its_rate() {
    let stack = stack().await;
    let key = key(&stack, "refill").await;
    let start = Instant::now();
    let (mut admitted, mut last) = (0_u32, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(8) {
        let sent = start.elapsed();
        if post(&stack, CHAT, &key, &chat("echo a")).await.unwrap().status == 200 {
            admitted += 1;
            last = sent;
        }
    }
    // Five a second after a burst of four. The bucket never fills again, so the last one to pass tells the rate.
    let expected = 4.0 + last.as_secs_f64() * 5.0;
    let difference = (f64::from(admitted) - expected).abs();
    assert!(
        difference <= expected * 0.05 + 1.0,
        "{admitted} admitted in {last:?}, {expected:.1} expected"
    );
}

#[tokio::test]
async fn a_window_opens_again_after_its_period() {
    let stack = stack().await;
    let key = key(&stack, "slide").await;
    let before = Instant::now();
    for _ in 0..3 {
        assert_eq!(
            post(&stack, CHAT, &key, &chat("echo a")).await.unwrap().status,
            200
        );
    }
    let taken = before.elapsed();
    let refused = post(&stack, CHAT, &key, &chat("echo a")).await.unwrap();
    assert_eq!(refused.status, 429);
    let mut last_refused = before.elapsed();
    let opened = loop {
        let sent = before.elapsed();
        assert!(sent < Duration::from_secs(20), "it does not open");
        if post(&stack, CHAT, &key, &chat("echo a")).await.unwrap().status == 200 {
            break before.elapsed();
        }
        last_refused = sent;
    };
    assert!(opened >= Duration::from_secs(6), "open after {opened:?}");
    // The first of the three was taken no later than `taken`.
    let latest = Duration::from_millis(6300) + taken;
    assert!(last_refused <= latest, "still closed after {last_refused:?}");
}

#[tokio::test]
async fn retry_after_says_when_to_come_again() {
    let stack = stack().await;
    for (workspace, wait) in [("slow-bucket", 40.0), ("slow-window", 100.0)] {
        let key = key(&stack, workspace).await;
        let before = Instant::now();
        for _ in 0..3 {
            assert_eq!(
                post(&stack, CHAT, &key, &chat("echo a")).await.unwrap().status,
                200
            );
        }
        let refused = post(&stack, CHAT, &key, &chat("echo a")).await.unwrap();
        let passed = before.elapsed().as_secs_f64();
        let told: f64 = refused.header("retry-after").parse().unwrap();
        assert!(
            told >= wait * 0.95 - passed && told <= wait * 1.05,
            "{workspace}: retry-after {told}, and {wait} is right"
        );
        let error = refused.json()["error"]["tollgate"].clone();
        assert_eq!(
            (&error["name"], &error["reset_seconds"]),
            (&json!(workspace), &json!(told as u64))
        );
        assert_eq!((&error["used"], &error["limit"]), (&json!("3"), &json!("3")));
    }
}

#[tokio::test]
async fn a_shadow_limit_counts_and_lets_pass() {
    let stack = stack().await;
    let key = key(&stack, "shadow").await;
    let body = chat("echo a");
    let first = post(&stack, CHAT, &key, &body).await.unwrap();
    let second = post(&stack, CHAT, &key, &body).await.unwrap();
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(second.header("ratelimit-policy"), "", "it binds nobody");
    assert!(
        event(&stack, &first).await.unwrap()["would_refuse"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );
    let event = event(&stack, &second).await.unwrap();
    assert_eq!(event["would_refuse"], json!(["shadow"]));
    assert_eq!(
        (&event["status"], &event["error_code"]),
        (&json!(200), &Value::Null)
    );
    let url = format!("{}/stats/prometheus", stack.envoy_admin);
    let stats = send(stack.http.get(url)).await.unwrap().text();
    let line = stats
        .lines()
        .find(|line| line.contains("tollgate_shadow_refusals_total{") && line.contains("limit=\"shadow\""));
    assert!(
        line.is_some_and(|line| line.ends_with(" 1")),
        "the metric: {line:?}"
    );
}

#[tokio::test]
async fn a_refusal_by_one_limit_takes_nothing_from_another() {
    let stack = stack().await;
    let (first, second, third) = (
        key(&stack, "pair").await,
        key(&stack, "pair").await,
        key(&stack, "pair").await,
    );
    let statuses = async |key: &str, requests: usize| {
        let mut statuses = Vec::new();
        for _ in 0..requests {
            statuses.push(post(&stack, CHAT, key, &chat("echo a")).await.unwrap().status);
        }
        statuses
    };
    assert_eq!(statuses(&first, 6).await, [200, 200, 429, 429, 429, 429]);
    // The four refusals of the narrow limit left the wide one three of its five.
    assert_eq!(statuses(&second, 3).await, [200, 200, 429]);
    assert_eq!(statuses(&third, 1).await, [200]);
    // And what the wide one refuses, the third key's narrow one still has.
    let refused = post(&stack, CHAT, &third, &chat("echo a")).await.unwrap();
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["error"]["tollgate"]["name"], "wide");
    let levels = refused.header("ratelimit");
    assert!(levels.contains("\"narrow\";r=1"), "{levels}");
}

#[tokio::test]
async fn every_answer_tells_where_its_limits_stand() {
    let stack = stack().await;
    let key = key(&stack, "told").await;
    let mut stream = chat("echo a");
    stream["stream"] = json!(true);
    let ask = |fault: &str, body: &Value| {
        let url = format!("{}{CHAT}", stack.gateway);
        stack
            .http
            .post(url)
            .bearer_auth(&key)
            .header("x-mock-fault", fault)
            .json(body)
    };
    let answers = [
        send(ask("", &chat("echo a"))).await.unwrap(),
        send(ask("", &stream)).await.unwrap(),
        send(ask("status=500", &chat("echo a"))).await.unwrap(),
    ];
    for (used, answer) in (1..).zip(&answers) {
        assert_eq!(answer.header("x-ratelimit-limit-requests"), "50");
        assert_eq!(
            answer.header("x-ratelimit-remaining-requests"),
            (50 - used).to_string()
        );
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), "100000");
        let tokens: u64 = answer.header("x-ratelimit-remaining-tokens").parse().unwrap();
        assert!(tokens > 90_000 && tokens < 100_000, "{tokens}");
        assert!(answer.header("x-ratelimit-reset-requests").ends_with('s'));
        assert!(
            answer
                .header("ratelimit-policy")
                .contains("\"told-requests\";q=50;w=3600"),
            "{answer:?}"
        );
    }
    // A provider's header of our name is not lost.
    let script = json!({"headers": [["content-type", "application/json"], ["x-ratelimit-limit-requests", "9"]],
        "chunks": [{"text": "{}"}], "times": 1});
    let id = stack.mock.script(&script).await.unwrap();
    let answer = send(ask("", &chat("echo a")).header("x-mock-script", id))
        .await
        .unwrap();
    assert_eq!(answer.header("x-ratelimit-limit-requests"), "50");
    assert_eq!(answer.header("x-provider-ratelimit-limit-requests"), "9");
}

#[tokio::test]
async fn sessions_are_counted_apart_and_the_provider_does_not_learn_of_them() {
    let stack = stack().await;
    let key = key(&stack, "sessions").await;
    let ask = |session: &str| {
        let url = format!("{}{CHAT}", stack.gateway);
        let request = stack.http.post(url).bearer_auth(&key);
        request
            .header("x-tollgate-session", session)
            .json(&chat("echo sessionword"))
    };
    let mut statuses = Vec::new();
    for session in ["a", "a", "b"] {
        statuses.push(send(ask(session)).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 429, 200]);
    for request in stack.mock.requests().await.unwrap() {
        assert!(
            received_header(&request, "x-tollgate-session")
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_limit_for_one_model_leaves_others_alone() {
    let stack = stack().await;
    let key = key(&stack, "model").await;
    let mut statuses = Vec::new();
    for model in ["gpt-4o", "gpt-4o-mini", "gpt-4o", "gpt-4o-mini"] {
        let mut body = chat("echo a");
        body["model"] = json!(model);
        statuses.push(post(&stack, CHAT, &key, &body).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 200, 429, 200]);
}
