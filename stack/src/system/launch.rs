//! What the processes are started with, and where their files are.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::ports::Ports;
use crate::process::{Lifetime, Process};
use crate::repository::{Artifacts, Repository};

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
    pub(crate) with_mock: bool,
}

// === impl Launch ===

impl Launch {
    pub(crate) fn log_folder(&self) -> PathBuf {
        self.data.join("logs")
    }

    /// The log of a process, by its number, from 0.
    pub(crate) fn log(&self, name: &str, number: usize) -> PathBuf {
        self.log_folder().join(format!("{}.log", numbered(name, number)))
    }

    /// All logs.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        let gateways = 0..self.ports.gateways.len();
        let sidecars = 0..self.ports.sidecars.len();
        gateways
            .flat_map(|number| [self.log("envoy", number), self.log("access", number)])
            .chain(sidecars.map(|number| self.log("sidecar", number)))
            .chain([self.log("mock", 0)])
            .chain(self.ports.postgres.map(|_| self.log("postgres", 0)))
            .collect()
    }

    /// The Envoy configuration that a gateway runs.
    pub(crate) fn envoy_config(&self, gateway: usize) -> PathBuf {
        self.data.join(format!("{}.json", numbered("envoy", gateway)))
    }

    /// Where a gateway watches for its filter, with hot reload.
    pub(crate) fn ecds(&self, gateway: usize) -> PathBuf {
        self.data.join(numbered("ecds", gateway))
    }

    pub(super) fn start_envoy(&self, number: usize) -> Result<Process> {
        let mut command = Command::new(&self.envoy);
        command.current_dir(self.repository.root());
        command
            .arg("-c")
            .arg(self.envoy_config(number))
            .arg("--disable-hot-restart")
            .args(&self.envoy_args);
        let access = File::options()
            .create(true)
            .append(true)
            .open(self.log("access", number));
        command.stdout(access.context("cannot write the access log")?);
        Process::start("envoy", command, &self.log("envoy", number), self.lifetime)
    }

    /// Starts a process with its output in its log.
    pub(super) fn start(&self, name: &'static str, number: usize, mut command: Command) -> Result<Process> {
        let path = self.log(name, number);
        let log = File::options().create(true).append(true).open(&path);
        command.stdout(log.with_context(|| format!("cannot write the log of {name}"))?);
        Process::start(name, command, &path, self.lifetime)
    }
}

/// The name of one of several, by its number, from 0: `envoy`, `envoy-2`, `envoy-3`.
pub(super) fn numbered(name: &str, number: usize) -> String {
    match number {
        0 => name.to_owned(),
        further => format!("{name}-{}", further + 1),
    }
}

/// Whether an error is about a port that somebody else took between choosing and listening.
pub(crate) fn is_port_clash(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}").to_lowercase();
    text.contains("address already in use")
        || text.contains("address in use")
        || text.contains("cannot listen")
}
