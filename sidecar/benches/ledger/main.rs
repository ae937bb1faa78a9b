//! What a sidecar carries on each engine: events taken, keys resolved, leases grown and reported.
//!
//! `cargo bench -p tollgate-sidecar --bench ledger --profile load` starts the sidecar's program, asks it over HTTP as
//! gateways do, and prints a table. Commits reach the disk, as they do in production: SQLite with `synchronous=FULL`,
//! PostgreSQL as it ships, on this machine. With a word behind `--` (`events`, `keys`, `leases`) only those rows are
//! measured.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "what is measured is for whoever runs it")]

mod load;
mod server;
mod traffic;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tollgate_stack::Repository;
use tollgate_stack::postgres::{Durability, Postgres, Settings};
use tollgate_stack::process::Lifetime;
use tollgate_stack::progress::Silent;

use self::load::{CALLERS, Load, Measured, load};
use self::server::Server;
use self::traffic::{Gateway, Traffic};

fn main() {
    let mut args = std::env::args().skip(1);
    // `cargo test --benches` only asks whether it runs.
    if args.any(|arg| arg == "--test") {
        return;
    }
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        println!(
            "| engine | what | a second | p50, ms | p99, ms | sidecar's CPU each, µs | database's CPU each, µs |\n\
             |---|---|---|---|---|---|---|"
        );
        let sqlite = folder.path().join("ledger.db").display().to_string();
        let server = Server::start(folder.path(), &sqlite, None).await;
        Bench::new("SQLite", server, only.clone()).await.run().await;
        let postgres = start_postgres(folder.path()).await;
        let url = postgres.create_database("bench").await.unwrap();
        let server = Server::start(folder.path(), &url, postgres.pid()).await;
        Bench::new("PostgreSQL", server, only).await.run().await;
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

/// What is measured on one engine.
struct Bench {
    engine: &'static str,
    server: Arc<Server>,
    traffic: Arc<Traffic>,
    /// One a caller.
    gateways: Arc<Vec<Gateway>>,
    only: Option<String>,
}

// === impl Bench ===

impl Bench {
    async fn new(engine: &'static str, server: Server, only: Option<String>) -> Self {
        // Everybody pays from one budget, and each workspace from one of its own.
        for subject in [r"{}", r#"{"workspace": "*"}"#] {
            let spec =
                format!(r#"{{"unit": "usd", "period": "total", "amount": "1000000", "subject": {subject}}}"#);
            server.post("/admin/v1/budgets", spec).await;
        }
        let traffic = Traffic::new();
        for keys in traffic.keys() {
            server.post("/admin/v1/keys/import", keys).await;
        }
        let mut gateways = Vec::new();
        for number in 0..CALLERS {
            let mut gateway = Gateway::new(number);
            let answer = server.post("/v1/leases", gateway.request(0)).await;
            gateway.learn(&answer);
            gateways.push(gateway);
        }
        Self {
            engine,
            server: Arc::new(server),
            traffic: Arc::new(traffic),
            gateways: Arc::new(gateways),
            only,
        }
    }

    async fn run(self) {
        for size in [1, 100, 1_000] {
            let what = format!("events with two charges, in batches of {size}");
            self.row("events", &what, self.events(size)).await;
        }
        self.row("keys", "keys resolved", self.keys()).await;
        self.row("leases", "calls that grow two leases", self.leases())
            .await;
        self.row("leases", "reports of two leases", self.reports()).await;
        if self.wants("leases") {
            let events = tokio::spawn(load(CALLERS / 2, self.events(500)));
            let leases = load(CALLERS / 2, self.leases()).await;
            let events = events.await.unwrap();
            let what = format!(
                "calls that grow two leases, while {:.0} events a second come in",
                events.per_second()
            );
            self.print(&what, &leases, None);
        }
    }

    fn wants(&self, kind: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == kind)
    }

    async fn row(&self, kind: &str, what: &str, call: impl Load) {
        if !self.wants(kind) {
            return;
        }
        let before = self.server.cpu();
        let measured = load(CALLERS, call).await;
        let used = self.server.cpu().since(before);
        self.print(what, &measured, Some(used));
    }

    fn print(&self, what: &str, measured: &Measured, used: Option<server::Cpu>) {
        let each = |time: Option<std::time::Duration>| {
            time.map_or_else(
                || "–".to_owned(),
                |time| format!("{:.1}", time.as_secs_f64() * 1e6 / measured.all()),
            )
        };
        println!(
            "| {} | {what} | {:.0} | {:.1} | {:.1} | {} | {} |",
            self.engine,
            measured.per_second(),
            measured.percentile(50),
            measured.percentile(99),
            each(used.map(|used| used.sidecar)),
            each(used.and_then(|used| used.database)),
        );
    }

    fn events(&self, size: usize) -> impl Load {
        let (server, traffic) = (Arc::clone(&self.server), Arc::clone(&self.traffic));
        let gateways = Arc::clone(&self.gateways);
        move |caller: usize, call: u64| {
            let (server, traffic, gateways) =
                (Arc::clone(&server), Arc::clone(&traffic), Arc::clone(&gateways));
            async move {
                let id = format!("{size}-{caller}-{call}");
                let batch = traffic.events(&id, size, &gateways.get(caller).unwrap().charges);
                let answer = server.post("/v1/events", batch).await;
                assert_eq!(answer.get("accepted"), Some(&size.into()), "{answer}");
                size as u64
            }
        }
    }

    fn keys(&self) -> impl Load {
        let (server, traffic) = (Arc::clone(&self.server), Arc::clone(&self.traffic));
        move |caller: usize, call: u64| {
            let (server, traffic) = (Arc::clone(&server), Arc::clone(&traffic));
            async move {
                server
                    .post("/v1/keys/resolve", traffic.resolve(caller, call))
                    .await;
                1
            }
        }
    }

    fn leases(&self) -> impl Load {
        let (server, gateways) = (Arc::clone(&self.server), Arc::clone(&self.gateways));
        move |caller: usize, _: u64| {
            let (server, gateways) = (Arc::clone(&server), Arc::clone(&gateways));
            async move {
                let gateway = gateways.get(caller).unwrap();
                // More than the last answer granted is used: each call grows both leases.
                let answer = server
                    .post("/v1/leases", gateway.request(gateway.use_more()))
                    .await;
                assert!(answer.get("exhausted").is_none_or(Value::is_null), "{answer}");
                1
            }
        }
    }

    fn reports(&self) -> impl Load {
        let (server, gateways) = (Arc::clone(&self.server), Arc::clone(&self.gateways));
        move |caller: usize, _: u64| {
            let (server, gateways) = (Arc::clone(&server), Arc::clone(&gateways));
            async move {
                let gateway = gateways.get(caller).unwrap();
                server
                    .post("/v1/leases/report", gateway.report(gateway.use_more()))
                    .await;
                1
            }
        }
    }
}
