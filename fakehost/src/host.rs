//! The proxy under test: its workers, its clock, its callouts, and what a test may look at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::builder::{ConfigRefused, HostBuilder, configure, try_canary};
use crate::call::{Call, CallCounts};
use crate::callout::{Answer, Callout, CalloutRequest};
use crate::clock::{DueTick, VmId, nanos};
use crate::faults::Fault;
use crate::lifecycle;
use crate::metrics::Metric;
use crate::process::{Cluster, LogLine, Process};
use crate::status::Status;
use crate::worker::Worker;

/// A running proxy.
#[derive(Debug)]
pub struct Host {
    pub(crate) process: Arc<Process>,
    pub(crate) start: fn(),
    pub(crate) config: Vec<u8>,
    pub(crate) main: Arc<Worker>,
    pub(crate) workers: Vec<Arc<Worker>>,
    pub(crate) last_vm: VmId,
}

// === impl Host ===

impl Host {
    /// A proxy whose filter `start` registers: it calls `proxy_wasm::set_root_context`, and runs once in
    /// every VM.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a proxy is built in steps, and then booted"
    )]
    pub fn new(start: fn()) -> HostBuilder {
        HostBuilder::new(start)
    }

    /// A worker, from 0.
    pub fn worker(&self, index: usize) -> &Arc<Worker> {
        &self.workers[index]
    }

    /// The main thread's VM: it ticks, and gets no traffic.
    pub fn main(&self) -> &Arc<Worker> {
        &self.main
    }

    /// Kills a worker's VM, as a trap does, and starts a fresh one, as `FAIL_RELOAD` does after its backoff.
    /// Its streams end without `on_log`, `on_done`, or any destructor; shared data stays.
    pub fn crash(&mut self, index: usize) {
        self.workers[index].crash();
        self.last_vm += 1;
        let fresh = Arc::new(Worker::spawn(self.last_vm, &self.process, self.start));
        configure(&self.process, &fresh, &self.config).expect("the filter took this configuration before");
        self.workers[index] = fresh;
    }

    /// Loads another configuration: first in a canary, then as a new root context beside the old one, which
    /// goes with its last stream.
    ///
    /// # Errors
    /// Where the filter refuses it; the old one goes on.
    pub fn update_config(&mut self, config: impl Into<Vec<u8>>) -> Result<(), ConfigRefused> {
        let config = config.into();
        self.last_vm += 1;
        let canary = Arc::new(Worker::spawn(self.last_vm, &self.process, self.start));
        try_canary(&self.process, &canary, &config)?;
        for vm in std::iter::once(&self.main).chain(&self.workers) {
            configure(&self.process, vm, &config)?;
        }
        self.config = config;
        Ok(())
    }

    /// Changes a cluster.
    pub fn set_cluster(&self, name: &str, cluster: Cluster) {
        self.process
            .clusters
            .lock()
            .unwrap()
            .insert(name.to_owned(), cluster);
    }
}

/// Time.
impl Host {
    /// Now, in nanoseconds since the epoch.
    pub fn now(&self) -> u64 {
        self.process.now()
    }

    /// Sets the clock, also backwards; nothing goes off.
    pub fn set_time(&self, nanos: u64) {
        self.process.clock.lock().unwrap().set(nanos);
    }

    /// Lets time pass: ticks and the timeouts of callouts go off in their order.
    pub fn advance(&self, span: Duration) {
        let until = self.now().saturating_add(nanos(span));
        loop {
            let tick = self.process.clock.lock().unwrap().next_tick(until);
            let timeout = self.next_timeout(until);
            match (tick, timeout) {
                (Some(tick), timeout) if timeout.as_ref().is_none_or(|(at, _)| tick.at < *at) => {
                    self.tick(tick);
                }
                (_, Some((at, callout))) => {
                    self.set_time(at.max(self.now()));
                    callout.answer(Answer::timed_out());
                }
                _ => break,
            }
        }
        self.set_time(until);
    }

    /// Makes every VM tick once, the main thread's too.
    pub fn tick_all(&self) {
        for vm in self.vms() {
            vm.tick();
        }
    }

    fn tick(&self, tick: DueTick) {
        self.process.clock.lock().unwrap().take_tick(tick);
        if let Some(vm) = self.vms().find(|vm| vm.vm == tick.vm) {
            vm.run(move || lifecycle::tick(tick.root));
        }
    }

    fn next_timeout(&self, until: u64) -> Option<(u64, Callout)> {
        self.callouts()
            .into_iter()
            .filter_map(|callout| Some((callout.pending.deadline?, callout)))
            .filter(|(at, _)| *at <= until)
            .min_by_key(|(at, _)| *at)
    }

    fn vms(&self) -> impl Iterator<Item = &Arc<Worker>> {
        std::iter::once(&self.main).chain(&self.workers)
    }
}

/// Callouts.
impl Host {
    /// The callouts that wait for an answer, oldest first.
    pub fn callouts(&self) -> Vec<Callout> {
        let pending = self.process.callouts.lock().unwrap().clone();
        pending
            .into_iter()
            .filter_map(|pending| {
                let worker = self.vms().find(|vm| vm.vm == pending.vm)?;
                Some(Callout {
                    pending,
                    process: Arc::clone(&self.process),
                    worker: Arc::clone(worker),
                })
            })
            .collect()
    }

    /// The only callout that waits and whose path begins so.
    ///
    /// # Panics
    /// Where there is not exactly one.
    pub fn callout(&self, path: &str) -> Callout {
        let mut matching: Vec<_> = self
            .callouts()
            .into_iter()
            .filter(|callout| callout.request().path().starts_with(path))
            .collect();
        assert_eq!(matching.len(), 1, "callouts to {path} that wait: {matching:#?}");
        matching.remove(0)
    }

    /// Plays the sidecar: answers what waits, and what that leads to, until `answer` lets everything wait.
    /// Says how many it answered.
    pub fn answer_callouts(&self, mut answer: impl FnMut(&CalloutRequest) -> Option<Answer>) -> usize {
        let mut answered = 0;
        while let Some((callout, with)) = self.callouts().into_iter().find_map(|callout| {
            let with = answer(callout.request())?;
            Some((callout, with))
        }) {
            callout.answer(with);
            answered += 1;
        }
        answered
    }
}

/// Faults and findings.
impl Host {
    /// Orders a failure.
    pub fn fail(&self, fault: Fault) {
        self.process.faults.lock().unwrap().order(fault);
    }

    /// Takes back all failures that are still to come.
    pub fn clear_faults(&self) {
        self.process.faults.lock().unwrap().clear();
    }

    /// The failures that came to pass.
    pub fn struck(&self) -> Vec<(Call, Status)> {
        self.process.faults.lock().unwrap().struck().to_vec()
    }

    /// Lets another worker rewrite each of the next `times` cells whose key begins so, between a read and its
    /// conditional write.
    pub fn conflict(&self, key_prefix: &str, times: usize) {
        self.process.shared.lock().unwrap().interfere(key_prefix, times);
    }

    /// Shared data by key.
    pub fn shared_data(&self) -> BTreeMap<String, Vec<u8>> {
        self.process.shared.lock().unwrap().contents(&self.process.vm_id)
    }

    /// Metrics by name.
    pub fn metrics(&self) -> BTreeMap<String, Metric> {
        self.process.metrics.lock().unwrap().all().clone()
    }

    /// A metric's value; 0 where there is none.
    pub fn metric(&self, name: &str) -> u64 {
        self.process
            .metrics
            .lock()
            .unwrap()
            .all()
            .get(name)
            .map_or(0, Metric::value)
    }

    /// The filter's log.
    pub fn log(&self) -> Vec<LogLine> {
        self.process.log.lock().unwrap().clone()
    }

    /// All host calls of all VMs.
    pub fn calls(&self) -> CallCounts {
        self.process.calls.lock().unwrap().clone()
    }

    /// What the filter did that Envoy would punish: a stale `content-length`, a second local reply, a resume
    /// of nothing.
    pub fn violations(&self) -> Vec<String> {
        self.process.violations.lock().unwrap().clone()
    }

    /// Asserts that there was none of it.
    ///
    /// # Panics
    /// Where there was.
    pub fn assert_no_violation(&self) {
        assert_eq!(self.violations(), Vec::<String>::new());
    }
}
