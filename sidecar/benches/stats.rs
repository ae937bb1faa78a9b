//! How long statistics of a year of ten million events take on SQLite: `cargo bench -p tollgate-sidecar`.
//!
//! The rollups are written by the ledger's own code, from events of a company's size: names are drawn as they are
//! met, few often and many seldom. What is measured is the HTTP call, from the question to the last byte.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on ends, and prints what it measured"
)]

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tollgate_sidecar::Config;
use tollgate_sidecar::clock::Clock;
use tollgate_sidecar::ledger::Ledger;
use tollgate_sidecar::ledger::events::StoredEvent;

const DAYS: i64 = 365;
const DAY_MS: i64 = 86_400_000;
const EVENTS: usize = 10_000_000;
const NOW: &str = "2026-12-31T00:00:00Z";
const ROUNDS: usize = 5;

const WORKSPACES: usize = 20;
const USERS: usize = 200;
const KEYS: usize = 300;
const MODELS: usize = 12;
const PROVIDERS: [&str; 3] = ["openai", "anthropic", "gcp.gemini"];
const ENDPOINTS: [&str; 4] = ["chat_completions", "messages", "responses", "embeddings"];

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(run());
}

async fn run() {
    let folder = TempDir::new().unwrap();
    let yaml = format!(
        "listen: 127.0.0.1:0\ndatabase: {}\nadmin_token: bench-admin-token\ngateway_tokens: [bench-gateway-token]\n",
        folder.path().join("ledger.db").display()
    );
    let config = Config::from_yaml(&yaml, std::iter::empty()).unwrap();
    let now: Timestamp = NOW.parse().unwrap();
    let since = Instant::now();
    write_year(&config, now).await;
    println!(
        "rollups of {EVENTS} events written in {:.0} s",
        since.elapsed().as_secs_f64()
    );

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/admin/v1/stats", listener.local_addr().unwrap());
    let serving = tollgate_sidecar::serve_until(
        listener,
        config,
        Clock::from_fn(move || now),
        std::future::pending(),
    );
    let serving = tokio::spawn(serving);
    let client = reqwest::Client::new();
    let from = now - Duration::from_millis(u64::try_from(DAYS * DAY_MS).unwrap());
    println!("a year by day, median of {ROUNDS}:");
    for group_by in [
        "none",
        "workspace",
        "user",
        "key",
        "model",
        "provider",
        "endpoint",
    ] {
        for workspace in ["", "workspace-3"] {
            let ask = format!("{url}?from={from}&to={NOW}&group_by={group_by}&workspace={workspace}");
            let mut times = Vec::new();
            let mut bytes = 0;
            for _ in 0..ROUNDS {
                let since = Instant::now();
                let answer = client
                    .get(&ask)
                    .bearer_auth("bench-admin-token")
                    .send()
                    .await
                    .unwrap();
                assert_eq!(answer.status(), 200);
                bytes = answer.bytes().await.unwrap().len();
                times.push(since.elapsed());
            }
            times.sort();
            let of = if workspace.is_empty() {
                "all"
            } else {
                "one workspace"
            };
            println!(
                "  by {group_by:<10} {of:<14} {:>7.1} ms {bytes:>9} bytes",
                times[ROUNDS / 2].as_secs_f64() * 1e3
            );
        }
    }
    serving.abort();
}

async fn write_year(config: &Config, now: Timestamp) {
    let ledger = Ledger::open(&config.database).await.unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let end = now.as_millisecond();
    let per_day = EVENTS / usize::try_from(DAYS).unwrap();
    for day in 0..DAYS {
        let start = end - (DAYS - day) * DAY_MS;
        let events: Vec<StoredEvent> = (0..per_day).map(|_| event(&mut random, start)).collect();
        ledger.roll_up_alone(&events, now.into()).await.unwrap();
    }
    ledger.close().await;
}

fn event(random: &mut fastrand::Rng, day: i64) -> StoredEvent {
    let key = few_often(random, KEYS);
    let model = few_often(random, MODELS);
    let is_refused = random.u8(..) < 5;
    StoredEvent {
        seq: 0,
        event_id: String::new(),
        request_id: String::new(),
        time: day + random.i64(0..DAY_MS),
        trace_id: None,
        parent_span_id: None,
        trace_sampled: None,
        workspace: Some(format!("workspace-{}", key % WORKSPACES)),
        user: Some(format!("user-{}", key % USERS)),
        session: None,
        key_id: Some(format!("key_{key:026}")),
        dialect: Some(ENDPOINTS[model % ENDPOINTS.len()].to_owned()),
        provider: Some(PROVIDERS[model % PROVIDERS.len()].to_owned()),
        request_model: Some(format!("model-{model}")),
        downgraded_model: None,
        response_model: None,
        request_service_tier: None,
        response_service_tier: None,
        stream: true,
        status: if is_refused { 429 } else { 200 },
        error_code: is_refused.then(|| "rate_limit_exceeded".to_owned()),
        input_tokens: random.i64(20..4_000),
        output_tokens: random.i64(1..900),
        cached_input_tokens: 0,
        cache_creation_input_tokens: 0,
        reasoning_output_tokens: 0,
        usage_status: "complete".to_owned(),
        cost_nanousd: random.i64(1_000..40_000_000),
        price_fallback: false,
        // From a tenth of a second to half a minute, each power of two as likely.
        latency_ms: random.i64(100..200) << random.u32(0..8),
        time_to_first_token_ms: None,
        request_bytes: 0,
        response_bytes: 0,
        gateway_id: String::new(),
        region: None,
        would_refuse: sqlx::types::Json(Vec::new()),
        charges: Vec::new(),
    }
}

/// A number below `most`, the small ones often.
fn few_often(random: &mut fastrand::Rng, most: usize) -> usize {
    let below = random.usize(1..=most);
    random.usize(..below)
}
