//! The processes of a system, and their life.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::ports::Ports;
use crate::process::{Lifetime, Process};
use crate::repository::{Artifacts, Repository};
use crate::wait;

/// How long a process may take to become ready. Envoy compiles the filter once a worker.
const READY: Duration = Duration::from_secs(60);
/// How long a process may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the processes are started with.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) repository: Repository,
    pub(crate) artifacts: Artifacts,
    pub(crate) envoy: PathBuf,
    pub(crate) envoy_args: Vec<String>,
    pub(crate) ports: Ports,
    pub(crate) data: PathBuf,
    pub(crate) lifetime: Lifetime,
    pub(crate) sidecar_config: PathBuf,
    pub(crate) sidecar_env: Vec<(String, String)>,
}

/// Running processes. Those that are not detached end when this is dropped.
#[derive(Debug)]
pub(crate) struct System {
    launch: Launch,
    // Dropped in this order: the gateway first, so that it has nobody left to ask.
    envoy: Option<Process>,
    sidecar: Option<Process>,
    mock: Option<Process>,
}

// === impl Launch ===

impl Launch {
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.data.join("logs").join(format!("{name}.log"))
    }

    /// The Envoy configuration that is run.
    pub(crate) fn envoy_config(&self) -> PathBuf {
        self.data.join("envoy.json")
    }
}

// === impl System ===

impl System {
    /// Nothing runs yet; the folder for data and logs is there.
    pub(crate) fn new(launch: Launch) -> Result<Self> {
        let logs = launch.data.join("logs");
        fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        Ok(Self {
            launch,
            envoy: None,
            sidecar: None,
            mock: None,
        })
    }

    pub(crate) fn launch(&self) -> &Launch {
        &self.launch
    }

    pub(crate) async fn start_mock(&mut self) -> Result<()> {
        let mut command = Command::new(&self.launch.artifacts.mock);
        command
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.launch.ports.mock));
        let url = format!("http://127.0.0.1:{}/__mock/ready", self.launch.ports.mock);
        let process = self.start("mock", command)?;
        self.mock = Some(ready(process, &url).await?);
        Ok(())
    }

    pub(crate) async fn start_sidecar(&mut self) -> Result<()> {
        let mut command = Command::new(&self.launch.artifacts.sidecar);
        command
            .arg("serve")
            .arg("--config")
            .arg(&self.launch.sidecar_config);
        command.envs(self.launch.sidecar_env.iter().map(|(name, value)| (name, value)));
        let url = format!("http://127.0.0.1:{}/readyz", self.launch.ports.sidecar);
        let process = self.start("sidecar", command)?;
        self.sidecar = Some(ready(process, &url).await?);
        Ok(())
    }

    pub(crate) async fn start_envoy(&mut self) -> Result<()> {
        let mut command = Command::new(&self.launch.envoy);
        command.current_dir(self.launch.repository.root());
        command
            .arg("-c")
            .arg(self.launch.envoy_config())
            .arg("--disable-hot-restart")
            .args(&self.launch.envoy_args);
        let access = File::options()
            .create(true)
            .append(true)
            .open(self.launch.log("access"));
        command.stdout(access.context("cannot write the access log")?);
        let url = format!("http://127.0.0.1:{}/ready", self.launch.ports.admin);
        let process = self.start_as("envoy", command)?;
        self.envoy = Some(ready(process, &url).await?);
        Ok(())
    }

    pub(crate) fn envoy(&mut self) -> Option<&mut Process> {
        self.envoy.as_mut()
    }

    pub(crate) fn sidecar(&mut self) -> Option<&mut Process> {
        self.sidecar.as_mut()
    }

    pub(crate) fn pids(&self) -> BTreeMap<String, u32> {
        let named = [
            ("envoy", &self.envoy),
            ("sidecar", &self.sidecar),
            ("mock", &self.mock),
        ];
        let running = named
            .into_iter()
            .filter_map(|(name, process)| Some((name, process.as_ref()?.pid())));
        running.map(|(name, pid)| (name.to_owned(), pid)).collect()
    }

    /// An error where one of the processes has ended.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        let processes = [&mut self.envoy, &mut self.sidecar, &mut self.mock];
        processes
            .into_iter()
            .flatten()
            .try_for_each(Process::check_running)
    }

    /// Ends all in order: the gateway, then the sidecar with what the gateway has sent, then the provider.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let processes = [self.envoy.take(), self.sidecar.take(), self.mock.take()];
        processes
            .into_iter()
            .flatten()
            .try_for_each(|mut process| process.terminate(PATIENCE))
    }

    /// Starts a process with its output in its log.
    fn start(&self, name: &'static str, mut command: Command) -> Result<Process> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.launch.log(name));
        command.stdout(log.with_context(|| format!("cannot write the log of {name}"))?);
        self.start_as(name, command)
    }

    fn start_as(&self, name: &'static str, command: Command) -> Result<Process> {
        Process::start(name, command, &self.launch.log(name), self.launch.lifetime)
    }
}

/// Waits until a process answers with 200; fails at once where it ends before.
async fn ready(mut process: Process, url: &str) -> Result<Process> {
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .build()?;
    wait::until(READY, &format!("{url} did not become ready"), async || {
        process.check_running()?;
        let answer = http.get(url).send().await;
        Ok(answer
            .is_ok_and(|response| response.status().is_success())
            .then_some(()))
    })
    .await?;
    Ok(process)
}

/// Whether an error is about a port that somebody else took between choosing and listening.
pub(crate) fn is_port_clash(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}").to_lowercase();
    text.contains("address already in use")
        || text.contains("address in use")
        || text.contains("cannot listen")
}

/// The whole of a log, or nothing where there is none.
pub(crate) fn read_log(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
