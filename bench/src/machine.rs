//! The machine that the figures are from, and what it did to them.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use serde::Serialize;
use tollgate_stack::envoy::ENVOY_VERSION;
use tollgate_stack::proc;

/// Envoy's core.
pub(crate) const PROXY_CORE: usize = 0;
/// The core of the load, the upstream and every server beside the proxy.
pub(crate) const LOAD_CORE: usize = 1;

/// `SCHED_IDLE` (sched(7)): for what nobody waits for. Whoever wakes goes before it at once; at the lowest `nice` value it
/// would finish its turn now and then.
const IDLE: u32 = 5;
/// How often threads are looked through for those that were started meanwhile.
const LOOKS: usize = 10;

/// What a reader must know to compare.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    pub(crate) envoy: &'static str,
    pub(crate) commit: String,
    pub(crate) date: String,
}

// === impl Machine ===

impl Machine {
    /// This machine.
    ///
    /// # Errors
    ///
    /// Where it is none that can be measured on: the figures come from Linux's `/proc`.
    pub(crate) fn here() -> Result<Self> {
        let cpus = fs::read_to_string("/proc/cpuinfo").context("the bench needs Linux (/proc/cpuinfo)")?;
        let cores = std::thread::available_parallelism()?.get();
        anyhow::ensure!(
            cores > LOAD_CORE,
            "the bench needs two cores: one for the proxy, one for the load"
        );
        Ok(Self {
            cpu: field(&cpus, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores,
            memory_gib: memory_gib().unwrap_or(0),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            envoy: ENVOY_VERSION,
            commit: printed("git", &["describe", "--always", "--dirty"]),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        })
    }
}

/// Binds this process, and what it starts from now on, to the load's core.
///
/// # Errors
///
/// Where the system does not allow it.
pub(crate) fn bind_self() -> Result<()> {
    bind(0, LOAD_CORE)
}

/// Binds every thread of a process to a core. Threads that it starts later inherit that.
///
/// # Errors
///
/// Where the process is gone or the system does not allow it.
pub(crate) fn bind_process(pid: u32, core: usize) -> Result<()> {
    proc::threads(pid)?
        .into_iter()
        .try_for_each(|thread| bind(thread, core))
}

/// Has every thread of a process run only where its core has nothing else to do. Threads that it starts later inherit
/// that.
///
/// # Errors
///
/// Where the process is gone, or `chrt` (util-linux) cannot be run.
pub(crate) fn yield_process(pid: u32) -> Result<()> {
    for _ in 0..LOOKS {
        let mut chrt = Command::new("chrt");
        chrt.args(["--all-tasks", "--idle", "--pid", "0", &pid.to_string()]);
        let output = chrt.output().context("cannot run `chrt`: install util-linux")?;
        anyhow::ensure!(
            output.status.success(),
            "`chrt` cannot make process {pid} yield: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        // A thread that one of the others started while `chrt` went through them was missed.
        if proc::policies(pid)?.iter().all(|&policy| policy == IDLE) {
            return Ok(());
        }
    }
    anyhow::bail!("process {pid} starts threads faster than they can be made to yield")
}

/// Jiffies that other guests of the host took from this machine's cores, since it started.
pub(crate) fn stolen() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let total = stat.lines().next().unwrap_or_default();
    total
        .split_whitespace()
        .nth(8)
        .and_then(|jiffies| jiffies.parse().ok())
        .unwrap_or(0)
}

fn bind(thread: i32, core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(thread), &set).with_context(|| format!("cannot bind to core {core}"))
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_gib() -> Option<u64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = field(&memory, "MemTotal")?.split(' ').next()?.parse().ok()?;
    Some(kib.div_ceil(1 << 20))
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_yields_with_the_threads_that_it_has() {
        let mut process = Command::new("sleep").arg("60").spawn().unwrap();
        let yielded = yield_process(process.id());
        let policies = proc::policies(process.id());
        process.kill().unwrap();
        process.wait().unwrap();
        yielded.unwrap();
        assert_eq!(policies.unwrap(), [IDLE]);
    }

    #[test]
    fn a_process_that_is_gone_is_named() {
        let mut process = Command::new("true").spawn().unwrap();
        process.wait().unwrap();
        let error = yield_process(process.id()).unwrap_err().to_string();
        assert!(error.contains(&process.id().to_string()), "{error}");
    }
}
