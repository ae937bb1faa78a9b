//! Starting a proxy: its settings, and Envoy's way of loading a configuration.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use crate::clock::Clock;
use crate::host::Host;
use crate::lifecycle;
use crate::process::{Cluster, LogLine, Process};
use crate::worker::Worker;

/// 2026-01-01T00:00:00Z.
const DEFAULT_TIME: u64 = 1_767_225_600_000_000_000;
/// Envoy's default of `per_connection_buffer_limit_bytes`.
const DEFAULT_BUFFER_LIMIT: usize = 1024 * 1024;

/// A proxy to be started.
#[derive(Debug)]
pub struct HostBuilder {
    start: fn(),
    config: Vec<u8>,
    workers: usize,
    vm_id: String,
    hold_headers: bool,
    buffer_limit: usize,
    time: u64,
    clusters: HashMap<String, Cluster>,
    properties: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The filter refused its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRefused {
    /// What it logged meanwhile.
    pub log: Vec<LogLine>,
}

// === impl HostBuilder ===

impl HostBuilder {
    pub(crate) fn new(start: fn()) -> Self {
        Self {
            start,
            config: Vec::new(),
            workers: 1,
            vm_id: "tollgate".to_owned(),
            hold_headers: true,
            buffer_limit: DEFAULT_BUFFER_LIMIT,
            time: DEFAULT_TIME,
            clusters: HashMap::new(),
            properties: BTreeMap::new(),
        }
    }

    /// The plugin configuration.
    #[must_use]
    pub fn config(mut self, config: impl Into<Vec<u8>>) -> Self {
        self.config = config.into();
        self
    }

    /// Envoy's `--concurrency`; one by default.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// The VM id: shared data belongs to it.
    #[must_use]
    pub fn vm_id(mut self, vm_id: &str) -> Self {
        vm_id.clone_into(&mut self.vm_id);
        self
    }

    /// `allow_on_headers_stop_iteration`, on by default: held headers stay writable while the body comes.
    #[must_use]
    pub fn hold_headers(mut self, hold: bool) -> Self {
        self.hold_headers = hold;
        self
    }

    /// `per_connection_buffer_limit_bytes`; 1 MiB by default.
    #[must_use]
    pub fn buffer_limit(mut self, bytes: usize) -> Self {
        self.buffer_limit = bytes;
        self
    }

    /// The time at the start, in nanoseconds since the epoch.
    #[must_use]
    pub fn time(mut self, nanos: u64) -> Self {
        self.time = nanos;
        self
    }

    /// A cluster that callouts can go to. Any other is unknown: a dispatch to it is `BadArgument`.
    #[must_use]
    pub fn cluster(mut self, name: &str, cluster: Cluster) -> Self {
        self.clusters.insert(name.to_owned(), cluster);
        self
    }

    /// A property that every stream has, such as `["xds", "route_name"]`.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl Into<Vec<u8>>) -> Self {
        self.properties.insert(path.join("\0").into_bytes(), value.into());
        self
    }

    /// Starts it as Envoy does: the configuration goes to a throw-away canary VM, then to the main thread's,
    /// then to every worker's.
    ///
    /// # Errors
    /// Where the filter refuses the configuration.
    pub fn boot(self) -> Result<Host, ConfigRefused> {
        let process = Arc::new(Process {
            vm_id: self.vm_id,
            hold_headers: self.hold_headers,
            buffer_limit: self.buffer_limit,
            properties: self.properties,
            clusters: Mutex::new(self.clusters),
            shared: Mutex::default(),
            metrics: Mutex::default(),
            clock: Mutex::new(Clock::at(self.time)),
            faults: Mutex::default(),
            callouts: Mutex::default(),
            log: Mutex::default(),
            calls: Mutex::default(),
            violations: Mutex::default(),
        });
        let mut last_vm = 0;
        let mut spawn = || {
            last_vm += 1;
            Arc::new(Worker::spawn(last_vm, &process, self.start))
        };
        try_canary(&process, &spawn(), &self.config)?;
        let main = spawn();
        let workers: Vec<_> = (0..self.workers).map(|_| spawn()).collect();
        for vm in std::iter::once(&main).chain(&workers) {
            configure(&process, vm, &self.config)?;
        }
        Ok(Host {
            process,
            start: self.start,
            config: self.config,
            main,
            workers,
            last_vm,
        })
    }
}

/// Loads a configuration into a VM.
pub(crate) fn configure(process: &Process, vm: &Worker, config: &[u8]) -> Result<(), ConfigRefused> {
    let config = config.to_vec();
    if vm.run(move || lifecycle::configure(&config)) {
        return Ok(());
    }
    Err(ConfigRefused {
        log: process.log.lock().unwrap().clone(),
    })
}

/// Tries a configuration in a VM that is thrown away: its shared data stays, its callouts never leave.
pub(crate) fn try_canary(process: &Process, canary: &Worker, config: &[u8]) -> Result<(), ConfigRefused> {
    let taken = configure(process, canary, config);
    process.forget_vm(canary.vm);
    taken
}
