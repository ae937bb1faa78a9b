//! The sidecar's program, what it is asked, and what it and its database use of the processor.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tollgate_stack::proc;
use tollgate_stack::process::{Lifetime, Process};

const TOKEN: &str = "bench-token";
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running sidecar.
pub(crate) struct Server {
    process: Process,
    /// PostgreSQL's first process.
    postgres: Option<u32>,
    url: String,
    client: reqwest::Client,
}

/// Processor time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) sidecar: Duration,
    /// Where that is not a part of the sidecar.
    pub(crate) database: Option<Duration>,
}

// === impl Server ===

impl Server {
    pub(crate) async fn start(folder: &Path, database: &str, postgres: Option<u32>) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = folder.join("sidecar.yaml");
        let yaml = format!(
            "listen: {free}\ndatabase: {database}\nadmin_token: {TOKEN}-admin\ngateway_tokens: [{TOKEN}]\n\
             log: {{level: warn}}\n"
        );
        fs::write(&config, yaml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate-sidecar"));
        command.arg("serve").arg("--config").arg(&config);
        let log = folder.join("sidecar.log");
        let mut process = Process::start("the sidecar", command, &log, Lifetime::Ours).unwrap();
        let url = format!("http://{free}");
        let client = reqwest::Client::new();
        let ready = tokio::time::timeout(PATIENCE, async {
            loop {
                process.check_running().unwrap();
                let answer = client.get(format!("{url}/readyz")).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        ready.await.unwrap();
        Self {
            process,
            postgres,
            url,
            client,
        }
    }

    /// Asks, and answers what it says where that is a success.
    pub(crate) async fn post(&self, path: &str, body: String) -> Value {
        let token = if path.starts_with("/admin") {
            format!("{TOKEN}-admin")
        } else {
            TOKEN.to_owned()
        };
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(token);
        let request = request.header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// What was used so far.
    pub(crate) fn cpu(&self) -> Cpu {
        Cpu {
            sidecar: proc::cpu_time(self.process.pid()).unwrap(),
            database: self
                .postgres
                .map(|pid| proc::cpu_time_with_children(pid).unwrap()),
        }
    }
}

// === impl Cpu ===

impl Cpu {
    pub(crate) fn since(self, before: Self) -> Self {
        let database = self.database.zip(before.database);
        Self {
            sidecar: self.sidecar.saturating_sub(before.sidecar),
            database: database.map(|(now, before)| now.saturating_sub(before)),
        }
    }
}
