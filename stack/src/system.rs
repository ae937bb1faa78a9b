//! The processes of a system, and their life.

mod launch;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

pub(crate) use self::launch::{Launch, is_port_clash};
use crate::postgres::{Durability, Postgres, Settings};
use crate::process::Process;
use crate::progress::Progress;
use crate::wait;

/// How long a process may take to become ready. Envoy compiles the filter once a worker.
const READY: Duration = Duration::from_secs(60);
/// How long a process may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// The ledger's database, with PostgreSQL.
const DATABASE: &str = "tollgate";

/// A process that can be killed and started again. Numbers are from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// An Envoy.
    Gateway(usize),
    /// A sidecar.
    Sidecar(usize),
    /// The ledger's server, where there is one.
    Postgres,
}

/// Running processes. Those that are not detached end when this is dropped.
#[derive(Debug)]
pub(crate) struct System {
    launch: Launch,
    admin_token: &'static str,
    // Dropped in this order: the gateways first, so that they have nobody left to ask.
    gateways: Vec<Process>,
    sidecars: Vec<Process>,
    mock: Option<Process>,
    postgres: Option<Postgres>,
}

// === impl System ===

impl System {
    /// Nothing runs yet; the folder for data and logs is there.
    pub(crate) fn new(launch: Launch, admin_token: &'static str) -> Result<Self> {
        let logs = launch.log_folder();
        fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        Ok(Self {
            launch,
            admin_token,
            gateways: Vec::new(),
            sidecars: Vec::new(),
            mock: None,
            postgres: None,
        })
    }

    pub(crate) fn launch(&self) -> &Launch {
        &self.launch
    }

    /// Starts the ledger's server, where the system has one.
    pub(crate) async fn start_postgres(&mut self, progress: &dyn Progress) -> Result<()> {
        let Some(port) = self.launch.ports.postgres else {
            return Ok(());
        };
        let settings = Settings {
            folder: self.launch.data.join("postgres"),
            log: self.launch.log("postgres", 0),
            port,
            durability: Durability::Full,
            lifetime: self.launch.lifetime,
        };
        let postgres = Postgres::start(&self.launch.repository, settings, progress).await?;
        let postgres = self.postgres.insert(postgres);
        postgres.ensure_database(DATABASE).await
    }

    /// Starts the mock provider, where the system has one.
    pub(crate) async fn start_mock(&mut self) -> Result<()> {
        if !self.launch.with_mock {
            return Ok(());
        }
        let port = self.launch.ports.mock;
        let mut command = Command::new(&self.launch.artifacts.mock);
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        let process = self.launch.start("mock", 0, command)?;
        let mock = self.mock.insert(process);
        ready(mock, port, "/__mock/ready").await
    }

    /// Starts all sidecars: the first one alone, because it makes the ledger.
    pub(crate) async fn start_sidecars(&mut self) -> Result<()> {
        for number in 0..self.launch.ports.sidecars.len() {
            let process = self.spawn_sidecar(number)?;
            self.sidecars.push(process);
            if number == 0 {
                self.sidecar_is_ready(number).await?;
            }
        }
        for number in 1..self.sidecars.len() {
            self.sidecar_is_ready(number).await?;
        }
        Ok(())
    }

    /// Starts all gateways.
    pub(crate) async fn start_gateways(&mut self) -> Result<()> {
        for number in 0..self.launch.ports.gateways.len() {
            let process = self.launch.start_envoy(number)?;
            self.gateways.push(process);
        }
        for number in 0..self.gateways.len() {
            self.gateway_is_ready(number).await?;
        }
        Ok(())
    }

    pub(crate) fn kill(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Gateway(number) => nth(&mut self.gateways, number)?.kill(),
            Part::Sidecar(number) => nth(&mut self.sidecars, number)?.kill(),
            Part::Postgres => self.postgres.as_mut().context(NO_POSTGRES)?.kill(),
        }
    }

    pub(crate) async fn restart(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Gateway(number) => {
                nth(&mut self.gateways, number)?.terminate(PATIENCE)?;
                *nth(&mut self.gateways, number)? = self.launch.start_envoy(number)?;
                self.gateway_is_ready(number).await
            }
            Part::Sidecar(number) => {
                nth(&mut self.sidecars, number)?.terminate(PATIENCE)?;
                *nth(&mut self.sidecars, number)? = self.spawn_sidecar(number)?;
                self.sidecar_is_ready(number).await
            }
            Part::Postgres => self.postgres.as_mut().context(NO_POSTGRES)?.restart().await,
        }
    }

    /// Process ids, by name: `envoy`, `envoy-2`, … `sidecar`, `sidecar-2`, … `mock`, `postgres`.
    pub(crate) fn pids(&self) -> BTreeMap<String, u32> {
        let numbered = |name: &'static str, processes: &[Process]| -> Vec<(String, u32)> {
            let named = processes.iter().enumerate();
            named
                .map(|(number, process)| (launch::numbered(name, number), process.pid()))
                .collect()
        };
        let mut pids: BTreeMap<String, u32> = numbered("envoy", &self.gateways).into_iter().collect();
        pids.extend(numbered("sidecar", &self.sidecars));
        pids.extend(self.mock.iter().map(|process| ("mock".to_owned(), process.pid())));
        let postgres = self.postgres.as_ref().and_then(Postgres::pid);
        pids.extend(postgres.map(|pid| ("postgres".to_owned(), pid)));
        pids
    }

    /// An error where one of the processes has ended.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        let processes = self.gateways.iter_mut().chain(&mut self.sidecars);
        processes
            .chain(&mut self.mock)
            .try_for_each(Process::check_running)?;
        self.postgres.as_mut().map_or(Ok(()), Postgres::check_running)
    }

    /// Ends all in order: the gateways, then the sidecars with what the gateways have sent, then the provider and
    /// the ledger's server.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let gateways = std::mem::take(&mut self.gateways);
        let sidecars = std::mem::take(&mut self.sidecars);
        let processes = gateways.into_iter().chain(sidecars).chain(self.mock.take());
        for mut process in processes {
            process.terminate(PATIENCE)?;
        }
        self.postgres
            .take()
            .map_or(Ok(()), |mut postgres| postgres.stop())
    }

    fn spawn_sidecar(&self, number: usize) -> Result<Process> {
        let port = self.launch.ports.sidecar(number)?;
        let database = match &self.postgres {
            Some(postgres) => postgres.url(DATABASE),
            None => self.launch.data.join("ledger.db").display().to_string(),
        };
        let mut command = Command::new(&self.launch.artifacts.sidecar);
        command
            .arg("serve")
            .arg("--config")
            .arg(&self.launch.sidecar_config);
        command
            .env("TOLLGATE_SIDECAR__LISTEN", format!("127.0.0.1:{port}"))
            .env("TOLLGATE_SIDECAR__DATABASE", database)
            .env("TOLLGATE_SIDECAR__ADMIN_TOKEN", self.admin_token);
        // What a caller sets goes last, and so wins.
        command.envs(self.launch.sidecar_env.iter().map(|(name, value)| (name, value)));
        self.launch.start("sidecar", number, command)
    }

    async fn sidecar_is_ready(&mut self, number: usize) -> Result<()> {
        let port = self.launch.ports.sidecar(number)?;
        ready(nth(&mut self.sidecars, number)?, port, "/readyz").await
    }

    async fn gateway_is_ready(&mut self, number: usize) -> Result<()> {
        let port = self.launch.ports.gateway(number)?.admin;
        ready(nth(&mut self.gateways, number)?, port, "/ready").await
    }
}

const NO_POSTGRES: &str = "this system was built without postgres()";

fn nth(processes: &mut [Process], number: usize) -> Result<&mut Process> {
    let count = processes.len();
    processes
        .get_mut(number)
        .with_context(|| format!("there is no process {number} of {count}"))
}

/// Waits until a process answers with 200; fails at once where it ends before.
async fn ready(process: &mut Process, port: u16, path: &str) -> Result<()> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(2))
        .build()?;
    let url = format!("http://127.0.0.1:{port}{path}");
    wait::until(READY, &format!("{url} did not become ready"), async || {
        process.check_running()?;
        let answer = http.get(&url).send().await;
        Ok(answer
            .is_ok_and(|response| response.status().is_success())
            .then_some(()))
    })
    .await
}

/// The whole of a log, or nothing where there is none.
pub(crate) fn read_log(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
