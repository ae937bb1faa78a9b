//! HTTP callouts: what a filter asks of a cluster, and what can come back.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{VmId, nanos};
use crate::headers::HeaderMap;
use crate::lifecycle;
use crate::process::{Cluster, Process};
use crate::status::Status;
use crate::vm::Vm;
use crate::worker::Worker;

/// A callout that waits for its answer. It belongs to the root context, so it outlives its stream.
#[derive(Debug, Clone)]
pub(crate) struct PendingCallout {
    pub(crate) vm: VmId,
    pub(crate) root: u32,
    pub(crate) token: u32,
    pub(crate) request: CalloutRequest,
    /// In nanoseconds since the epoch; none for a timeout of zero, which means never.
    pub(crate) deadline: Option<u64>,
}

/// What the filter sent.
#[derive(Debug, Clone)]
pub struct CalloutRequest {
    /// The cluster that it asked.
    pub cluster: String,
    /// Headers with `:method`, `:path`, `:authority`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// After this Envoy answers 504 in the cluster's place; zero means never.
    pub timeout: Duration,
}

/// A callout that waits for what the test lets come back.
#[derive(Debug, Clone)]
pub struct Callout {
    pub(crate) pending: PendingCallout,
    pub(crate) process: Arc<Process>,
    pub(crate) worker: Arc<Worker>,
}

/// What comes back from a callout.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

// === impl CalloutRequest ===

impl CalloutRequest {
    /// `:path`.
    pub fn path(&self) -> &str {
        self.headers.text(":path").unwrap_or_default()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// Where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the callout's body is not JSON")
    }
}

// === impl Callout ===

impl Callout {
    /// What the filter asks.
    pub fn request(&self) -> &CalloutRequest {
        &self.pending.request
    }

    /// Lets an answer come back, unless one has before or the VM is no more.
    pub fn answer(self, answer: Answer) {
        let key = |callout: &PendingCallout| (callout.vm, callout.token);
        let mine = key(&self.pending);
        let was_waiting = {
            let mut callouts = self.process.callouts.lock().unwrap();
            let before = callouts.len();
            callouts.retain(|callout| key(callout) != mine);
            callouts.len() < before
        };
        if was_waiting {
            let (root, token) = (self.pending.root, self.pending.token);
            self.worker
                .run(move || lifecycle::callout_answered(root, token, answer));
        }
    }
}

// === impl Answer ===

impl Answer {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self {
            headers: HeaderMap::from_iter([(":status", status.to_string())]),
            body: Vec::new(),
        }
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::status(status)
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.add(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// What Envoy answers itself when the time is up: no header of the cluster's.
    pub fn timed_out() -> Self {
        Self::status(504)
            .header("content-type", "text/plain")
            .body("upstream request timeout")
    }

    /// What Envoy answers itself when the connection is refused.
    pub fn refused() -> Self {
        let text = "upstream connect error or disconnect/reset before headers. reset reason: remote connection \
                    failure, transport failure reason: delayed connect error: Connection refused";
        Self::status(503).header("content-type", "text/plain").body(text)
    }

    /// A reset connection: the callback comes with no header at all.
    pub fn reset() -> Self {
        Self::default()
    }
}

/// Takes a callout from the filter and gives it a token.
pub(crate) fn dispatch(vm: &mut Vm, request: CalloutRequest) -> Result<u32, Status> {
    let cluster = vm.process.clusters.lock().unwrap().get(&request.cluster).copied();
    let cluster = cluster.ok_or(Status::BadArgument)?;
    let complete = [":method", ":path", ":authority"]
        .iter()
        .all(|name| request.headers.first(name).is_some());
    if !complete {
        return Err(Status::BadArgument);
    }
    vm.last_token += 1;
    match cluster {
        Cluster::NoHosts => Err(Status::InternalFailure),
        Cluster::Up => {
            let deadline = (!request.timeout.is_zero()).then(|| vm.process.now() + nanos(request.timeout));
            let root = vm.root_of_context().ok_or(Status::BadArgument)?;
            let pending = PendingCallout {
                vm: vm.id,
                root,
                token: vm.last_token,
                request,
                deadline,
            };
            vm.process.callouts.lock().unwrap().push(pending);
            Ok(vm.last_token)
        }
    }
}
