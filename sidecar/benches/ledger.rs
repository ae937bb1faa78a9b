//! How much the ledger carries on each engine: events with charges, leases that grow, reports.
//!
//! `cargo bench -p tollgate-sidecar --bench ledger --profile tools`. Commits reach the disk, as they do in production:
//! SQLite with `synchronous=FULL`, PostgreSQL as it ships, on this machine.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "what is measured is for whoever runs it")]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::types::Json;
use tokio::task::JoinSet;
use tollgate_core::budget::ledger::LeaseRules;
use tollgate_core::budget::{Amounts, BudgetSpec, Facts};
use tollgate_core::money::NanoUsd;
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::{BudgetCharge, LeaseAnswer, LeaseHold, LeaseReport, LeaseRequest};
use tollgate_sidecar::config::Database;
use tollgate_sidecar::ledger::Ledger;
use tollgate_sidecar::ledger::audit::Actor;
use tollgate_sidecar::ledger::budgets::StoredBudget;
use tollgate_sidecar::ledger::events::StoredEvent;
use tollgate_sidecar::ledger::leases::{Asked, Asking};
use tollgate_stack::Repository;
use tollgate_stack::postgres::{Durability, Postgres, Settings};
use tollgate_stack::process::Lifetime;
use tollgate_stack::progress::Silent;

/// How long each is measured, after a tenth of it to warm up.
const SPAN: Duration = Duration::from_secs(5);
/// Calls under way at a time.
const CALLERS: usize = 16;
const NEED: u64 = 1_000;

fn main() {
    // `cargo test --benches` only asks whether it runs.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        say("| engine | what | a second |\n|---|---|---|");
        let sqlite = Database::Sqlite(folder.path().join("ledger.db"));
        measure("SQLite", &sqlite).await;
        let server = start_postgres(folder.path()).await;
        let url = server.create_database("bench").await.unwrap();
        measure("PostgreSQL", &Database::Postgres(url)).await;
    });
}

async fn start_postgres(folder: &Path) -> Postgres {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let settings = Settings {
        folder: folder.join("cluster"),
        log: folder.join("postgres.log"),
        port,
        durability: Durability::Full,
        lifetime: Lifetime::Ours,
    };
    Postgres::start(&Repository::here(), settings, &Silent)
        .await
        .unwrap()
}

async fn measure(engine: &str, database: &Database) {
    let ledger = Ledger::open(database).await.unwrap();
    ledger.beat(now()).await.unwrap();
    // Everybody pays from one budget, and each workspace from one of its own.
    budget(&ledger, r#"{"subject": {}}"#).await;
    budget(&ledger, r#"{"subject": {"workspace": "*"}}"#).await;
    let gateways = Arc::new(gateways(&ledger).await);

    for size in [1_usize, 100, 1_000] {
        let (ledger, gateways) = (ledger.clone(), Arc::clone(&gateways));
        let per_second = rate(move |caller, call| {
            let (ledger, gateways) = (ledger.clone(), Arc::clone(&gateways));
            async move {
                let charges = &gateways.get(caller).unwrap().charges;
                let events: Vec<StoredEvent> = (0..size)
                    .map(|i| event(&format!("{size}-{caller}-{call}-{i}"), charges))
                    .collect();
                ledger.add_events(&events, &[], now()).await.unwrap().new.len() as u64
            }
        });
        row(
            engine,
            &format!("events with two charges, in batches of {size}"),
            per_second.await,
        );
    }
    let per_second = {
        let (ledger, gateways) = (ledger.clone(), Arc::clone(&gateways));
        rate(move |caller, call| {
            let (ledger, gateways) = (ledger.clone(), Arc::clone(&gateways));
            async move {
                // More than the last answer granted is used: each call grows both leases.
                let used = (call + 2) * 100 * NEED;
                let request = gateways.get(caller).unwrap().request(used);
                let answer = lease(&ledger, &request).await;
                assert!(answer.exhausted.is_none(), "{answer:?}");
                1
            }
        })
    };
    row(engine, "calls that grow two leases", per_second.await);
    let per_second = {
        let (ledger, gateways) = (ledger.clone(), Arc::clone(&gateways));
        rate(move |caller, call| {
            let (ledger, gateways) = (ledger.clone(), Arc::clone(&gateways));
            async move {
                let report = gateways.get(caller).unwrap().report(call);
                ledger
                    .report_leases(&report, &LeaseRules::default(), now())
                    .await
                    .unwrap();
                1
            }
        })
    };
    row(engine, "reports of two leases", per_second.await);
    ledger.close().await;
}

/// One gateway process, with a lease of each of the two budgets that its requests are paid from.
struct Gateway {
    instance: String,
    workspace: String,
    charges: Vec<BudgetCharge>,
}

// === impl Gateway ===

impl Gateway {
    fn request(&self, used: u64) -> LeaseRequest {
        let need = Amounts {
            usd: NanoUsd(NEED),
            ..Amounts::default()
        };
        LeaseRequest {
            request_id: "bench".to_owned(),
            gateway_id: "bench".to_owned(),
            instance: self.instance.clone(),
            facts: Facts {
                workspace: Some(self.workspace.clone()),
                gateway: "bench".to_owned(),
                ..Facts::default()
            },
            need,
            least: need,
            wait_ms: 0,
            holds: self.holds(used),
        }
    }

    fn report(&self, used: u64) -> LeaseReport {
        LeaseReport {
            gateway_id: "bench".to_owned(),
            instance: self.instance.clone(),
            holds: self.holds(used),
        }
    }

    fn holds(&self, used: u64) -> Vec<LeaseHold> {
        let of = |charge: &BudgetCharge| LeaseHold {
            budget_id: charge.budget_id.clone(),
            lease_id: charge.lease_id.unwrap(),
            returned: 0,
            used,
            waiting: 0,
            recent: 0,
            done: false,
        };
        self.charges.iter().map(of).collect()
    }
}

/// Runs a call on all callers, again and again, and answers how much a second they come to together.
async fn rate<F, C>(call: F) -> f64
where
    F: Fn(usize, u64) -> C + Clone + Send + 'static,
    C: Future<Output = u64> + Send,
{
    let (done, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let warm = began + SPAN / 10;
    let until = warm + SPAN;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (call, done) = (call.clone(), Arc::clone(&done));
        callers.spawn(async move {
            for number in 0.. {
                let count = call(caller, number).await;
                let now = Instant::now();
                if now >= until {
                    return;
                }
                if now >= warm {
                    done.fetch_add(count, Ordering::Relaxed);
                }
            }
        });
    }
    callers.join_all().await;
    let done = u32::try_from(done.load(Ordering::Relaxed)).unwrap();
    f64::from(done) / SPAN.as_secs_f64()
}

fn row(engine: &str, what: &str, per_second: f64) {
    say(&format!("| {engine} | {what} | {per_second:.0} |"));
}

fn say(line: &str) {
    println!("{line}");
}

fn now() -> UnixMillis {
    jiff::Timestamp::now().into()
}

async fn gateways(ledger: &Ledger) -> Vec<Gateway> {
    let mut gateways = Vec::new();
    for number in 0..CALLERS {
        let mut gateway = Gateway {
            instance: format!("gateway-{number}"),
            workspace: format!("workspace-{number}"),
            charges: Vec::new(),
        };
        let request = gateway.request(0);
        let answer = lease(ledger, &request).await;
        gateway.charges = answer
            .budgets
            .iter()
            .map(|budget| BudgetCharge {
                budget_id: budget.id.clone(),
                lease_id: budget.lease.map(|lease| lease.lease_id),
                reserved: 2,
                charged: 1,
            })
            .collect();
        gateways.push(gateway);
    }
    gateways
}

async fn budget(ledger: &Ledger, changes: &str) {
    let mut spec = serde_json::json!({"unit": "usd", "period": "total", "amount": "1000000"});
    let changes: serde_json::Value = serde_json::from_str(changes).unwrap();
    spec.as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    let budget = serde_json::from_value::<BudgetSpec>(spec)
        .unwrap()
        .check()
        .unwrap();
    let id = tollgate_sidecar::secret_key::new_id("bud", now()).unwrap();
    ledger
        .create_budget(&StoredBudget::new(id, budget, now()), now(), &Actor::tollgate())
        .await
        .unwrap();
}

/// Asks for money, alone: the sidecar has many that wait for the same budgets ask together.
async fn lease(ledger: &Ledger, request: &LeaseRequest) -> LeaseAnswer {
    let asked = [Asked {
        request,
        is_repeated: false,
    }];
    let asking = Asking {
        facts: &request.facts,
        asked: &asked,
        rules: &LeaseRules::default(),
        max_per_template: 100_000,
        now: now(),
    };
    ledger.lease(&asking).await.unwrap().answer.pop().unwrap()
}

fn event(id: &str, charges: &[BudgetCharge]) -> StoredEvent {
    StoredEvent {
        seq: 0,
        event_id: id.to_owned(),
        request_id: id.to_owned(),
        time: i64::try_from(now().0).unwrap(),
        trace_id: None,
        parent_span_id: None,
        trace_sampled: None,
        workspace: Some("workspace".to_owned()),
        user: None,
        session: None,
        key_id: Some("key_01JABCDEFGHJKMNPQRSTVWXYZ0".to_owned()),
        dialect: Some("chat_completions".to_owned()),
        provider: Some("openai".to_owned()),
        request_model: Some("gpt-4o-mini".to_owned()),
        downgraded_model: None,
        response_model: Some("gpt-4o-mini-2024-07-18".to_owned()),
        stream: true,
        status: 200,
        error_code: None,
        input_tokens: 1_200,
        output_tokens: 300,
        cached_input_tokens: 0,
        cache_creation_input_tokens: 0,
        reasoning_output_tokens: 0,
        usage_status: "complete".to_owned(),
        cost_nanousd: 360_000,
        price_fallback: false,
        latency_ms: 812,
        time_to_first_token_ms: Some(95),
        request_bytes: 4_096,
        response_bytes: 16_384,
        gateway_id: "bench".to_owned(),
        region: None,
        would_refuse: Json(Vec::new()),
        charges: charges.to_vec(),
    }
}
