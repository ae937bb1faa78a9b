//! One VM: a thread, because the SDK keeps its contexts in thread-local storage.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::call::Call;
use crate::callout::Answer;
use crate::chain;
use crate::clock::VmId;
use crate::half::Side;
use crate::headers::HeaderMap;
use crate::lifecycle;
use crate::metrics::MetricIds;
use crate::process::{LogLine, Process};
use crate::status::{Outcome, Status};
use crate::stream::{LocalReply, Stream};

thread_local! {
    static VM: RefCell<Option<Vm>> = const { RefCell::new(None) };
}

/// The host's side of one VM.
pub(crate) struct Vm {
    pub(crate) id: VmId,
    pub(crate) process: Arc<Process>,
    pub(crate) roots: Vec<Root>,
    pub(crate) streams: HashMap<u32, Stream>,
    pub(crate) last_context: u32,
    pub(crate) last_token: u32,
    /// The context that was called, 0 outside of callbacks.
    pub(crate) current: u32,
    /// The context that host calls are for, where the SDK set another one.
    pub(crate) effective: u32,
    /// A local reply was asked for: the callback's return value does not count.
    pub(crate) stop_next: bool,
    pub(crate) actions: VecDeque<Action>,
    /// The answer of the callout whose callback runs.
    pub(crate) answer: Option<Answer>,
    pub(crate) metric_ids: MetricIds,
    /// The plugin configuration, readable in `on_configure` only.
    pub(crate) configuration: Option<Vec<u8>>,
    pub(crate) properties_of_plugin: HashMap<Vec<u8>, Vec<u8>>,
}

/// A root context: one generation of the configuration.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) id: u32,
    /// Replaced by a newer one: it goes when its last stream ends.
    pub(crate) retired: bool,
}

/// What a host call asked for that Envoy does only when the callback has returned.
#[derive(Debug)]
pub(crate) enum Action {
    Continue(u32, Side),
    Reply(u32, LocalReply),
    Reset(u32),
}

// === impl Vm ===

impl Vm {
    pub(crate) fn new(id: VmId, process: Arc<Process>) -> Self {
        let properties_of_plugin = [
            (b"plugin_name".to_vec(), b"tollgate".to_vec()),
            (b"plugin_root_id".to_vec(), b"tollgate".to_vec()),
            (b"plugin_vm_id".to_vec(), process.vm_id.clone().into_bytes()),
        ];
        Self {
            id,
            process,
            roots: Vec::new(),
            streams: HashMap::new(),
            last_context: 0,
            last_token: 0,
            current: 0,
            effective: 0,
            stop_next: false,
            actions: VecDeque::new(),
            answer: None,
            metric_ids: MetricIds::default(),
            configuration: None,
            properties_of_plugin: properties_of_plugin.into_iter().collect(),
        }
    }

    pub(crate) fn next_context(&mut self) -> u32 {
        self.last_context += 1;
        self.last_context
    }

    /// The context that a host call is for.
    pub(crate) fn context(&self) -> u32 {
        if self.knows(self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    pub(crate) fn knows(&self, context: u32) -> bool {
        self.streams.contains_key(&context) || self.roots.iter().any(|root| root.id == context)
    }

    /// The stream that a host call is for; none for a root context.
    pub(crate) fn stream(&self) -> Option<&Stream> {
        self.streams.get(&self.context())
    }

    pub(crate) fn stream_mut(&mut self) -> Option<&mut Stream> {
        let context = self.context();
        self.streams.get_mut(&context)
    }

    /// The root context behind the context that a host call is for.
    pub(crate) fn root_of_context(&self) -> Option<u32> {
        let context = self.context();
        self.streams
            .get(&context)
            .map(|stream| stream.root)
            .or_else(|| self.knows(context).then_some(context))
    }

    /// The root context that new streams get.
    pub(crate) fn newest_root(&self) -> Option<u32> {
        self.roots
            .iter()
            .rev()
            .find(|root| !root.retired)
            .map(|root| root.id)
    }

    fn count(&self, call: Call) {
        self.process.calls.lock().unwrap().add(call);
        if let Some(stream) = self.stream() {
            stream.see(|seen| seen.calls.add(call));
        }
    }
}

/// Makes this thread a VM.
pub(crate) fn install(vm: Vm) {
    VM.with_borrow_mut(|slot| *slot = Some(vm));
}

/// Makes this thread no VM any more: host calls out of destructors find no host.
pub(crate) fn uninstall() {
    VM.with_borrow_mut(Option::take);
}

/// Looks at this thread's VM. Never called while the filter runs, nor from within itself.
pub(crate) fn with<T>(look: impl FnOnce(&mut Vm) -> T) -> T {
    VM.with_borrow_mut(|vm| look(vm.as_mut().expect("this thread is no VM")))
}

/// Looks at a stream that is not over yet.
pub(crate) fn with_stream<T>(id: u32, look: impl FnOnce(&mut Stream) -> T) -> Option<T> {
    with(|vm| vm.streams.get_mut(&id).filter(|stream| !stream.over).map(look))
}

/// Performs a host call: counted, failed if a test ordered that, and its outcome as the raw status.
/// `key` is what a fault may be limited to.
pub(crate) fn host_call(call: Call, key: &[u8], perform: impl FnOnce(&mut Vm) -> Outcome) -> u32 {
    host_call_never(None, call, key, perform)
}

/// The same, for a call that cannot fail with this status as it is made.
pub(crate) fn host_call_never(
    impossible: Option<Status>,
    call: Call,
    key: &[u8],
    perform: impl FnOnce(&mut Vm) -> Outcome,
) -> u32 {
    let outcome = VM.try_with(|slot| {
        let mut slot = slot.borrow_mut();
        let vm = slot.as_mut().ok_or(Status::InternalFailure)?;
        vm.count(call);
        let fault = vm.process.faults.lock().unwrap().strike(call, key, impossible);
        fault.map_or_else(|| perform(vm), Err)
    });
    match outcome {
        Ok(Ok(())) => Status::Ok as u32,
        Ok(Err(status)) => status as u32,
        Err(_) => Status::InternalFailure as u32,
    }
}

/// Takes a line of the log. From a thread that is no VM (the SDK's panic hook) it goes where panics go.
pub(crate) fn log(level: u32, message: &str) {
    const CRITICAL: u32 = 5;
    let taken = VM.try_with(|slot| {
        let Ok(slot) = slot.try_borrow() else { return false };
        let Some(vm) = slot.as_ref() else { return false };
        vm.count(Call::Log);
        let line = LogLine {
            level,
            message: message.to_owned(),
        };
        vm.process.log.lock().unwrap().push(line);
        level < CRITICAL
    });
    if taken != Ok(true) {
        eprintln!("{message}");
    }
}

/// Calls the filter, then does what its host calls asked for. Says what it returned, and whether a local
/// reply overrides that.
pub(crate) fn enter<T>(context: u32, guest: impl FnOnce() -> T) -> (T, bool) {
    with(|vm| {
        assert_eq!(vm.current, 0, "a callback inside a callback");
        vm.current = context;
        vm.effective = 0;
        vm.stop_next = false;
    });
    let returned = guest();
    let stopped = with(|vm| {
        vm.current = 0;
        vm.effective = 0;
        vm.answer = None;
        std::mem::take(&mut vm.stop_next)
    });
    perform_actions();
    (returned, stopped)
}

fn perform_actions() {
    while let Some(action) = with(|vm| vm.actions.pop_front()) {
        match action {
            Action::Continue(id, side) => chain::resume(id, side),
            Action::Reply(id, reply) => lifecycle::reply(id, &reply),
            Action::Reset(id) => lifecycle::reset(id, "wasm_close_stream"),
        }
    }
}

/// The map that a host call names, to read. In the access-log phase all headers are readable again.
pub(crate) fn readable_map(vm: &Vm, kind: u32) -> Result<Option<&HeaderMap>, Status> {
    let stream = vm.stream();
    let logging = stream.is_some_and(|stream| stream.log_phase);
    let map = match (kind, stream) {
        (0, Some(stream)) => stream
            .request
            .headers
            .as_ref()
            .filter(|_| logging || stream.request.access.headers),
        (1, Some(stream)) => stream
            .request
            .trailers
            .as_ref()
            .filter(|_| !logging && stream.request.access.trailers),
        (2, Some(stream)) => stream
            .response
            .headers
            .as_ref()
            .filter(|_| logging || stream.response.access.headers),
        (3, Some(stream)) => stream
            .response
            .trailers
            .as_ref()
            .filter(|_| logging || stream.response.access.trailers),
        (6, _) => vm
            .answer
            .as_ref()
            .filter(|answer| !answer.headers.is_empty())
            .map(|answer| &answer.headers),
        _ => None,
    };
    match map {
        None if !logging => Err(Status::BadArgument),
        map => Ok(map),
    }
}

/// The map that a host call names, to change.
pub(crate) fn writable_map(vm: &mut Vm, kind: u32) -> Result<&mut HeaderMap, Status> {
    let stream = vm.stream_mut().ok_or(Status::BadArgument)?;
    match kind {
        0 => stream.request.headers_mut(),
        1 => stream.request.trailers_mut(),
        2 => stream.response.headers_mut(),
        3 => stream.response.trailers_mut(),
        _ => None,
    }
    .ok_or(Status::BadArgument)
}
