//! What all workers of one proxy share.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use crate::call::CallCounts;
use crate::callout::PendingCallout;
use crate::clock::{Clock, VmId};
use crate::faults::Faults;
use crate::metrics::MetricStore;
use crate::shared::SharedStore;

/// How a cluster answers callouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cluster {
    /// Callouts wait until the test answers them.
    Up,
    /// No host: a dispatch fails at once with `InternalFailure`, and no callback follows.
    NoHosts,
}

/// A line of the filter's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// 0 (trace) to 5 (critical).
    pub level: u32,
    /// The text.
    pub message: String,
}

/// One proxy: what outlives a VM.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) vm_id: String,
    /// `allow_on_headers_stop_iteration`.
    pub(crate) hold_headers: bool,
    /// `per_connection_buffer_limit_bytes`.
    pub(crate) buffer_limit: usize,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) clusters: Mutex<HashMap<String, Cluster>>,
    pub(crate) shared: Mutex<SharedStore>,
    pub(crate) metrics: Mutex<MetricStore>,
    pub(crate) clock: Mutex<Clock>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) callouts: Mutex<Vec<PendingCallout>>,
    pub(crate) log: Mutex<Vec<LogLine>>,
    pub(crate) calls: Mutex<CallCounts>,
    pub(crate) violations: Mutex<Vec<String>>,
}

// === impl Process ===

impl Process {
    /// Notes something that Envoy would punish and no filter may do.
    pub(crate) fn violation(&self, what: impl Into<String>) {
        self.violations.lock().unwrap().push(what.into());
    }

    /// Forgets everything of a VM that is no more.
    pub(crate) fn forget_vm(&self, vm: VmId) {
        self.clock.lock().unwrap().stop_vm(vm);
        self.callouts.lock().unwrap().retain(|callout| callout.vm != vm);
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.lock().unwrap().now()
    }
}
