//! A worker: a thread that is one VM, and takes jobs one after the other.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Once};
use std::thread::JoinHandle;

use crate::clock::VmId;
use crate::exchange::Exchange;
use crate::half::Side;
use crate::message::Request;
use crate::process::Process;
use crate::seen::Seen;
use crate::vm::{self, Vm};
use crate::{chain, lifecycle};

type Job = Box<dyn FnOnce() + Send>;

/// The SDK sets its logger and its panic hook up once a process, and not atomically.
static START: Mutex<()> = Mutex::new(());
static PANIC_HOOK: Once = Once::new();

/// One worker thread's VM.
#[derive(Debug)]
pub struct Worker {
    pub(crate) vm: VmId,
    jobs: Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Run(Job),
    /// Stop for good without unwinding: destructors of a dead VM do not run either.
    Crash(Sender<()>),
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Run(_) => "Run",
            Self::Crash(_) => "Crash",
        })
    }
}

// === impl Worker ===

impl Worker {
    /// A fresh thread with a fresh VM in it, in which `start` has registered the filter.
    pub(crate) fn spawn(vm: VmId, process: &Arc<Process>, start: fn()) -> Self {
        let (jobs, inbox) = channel();
        let process = Arc::clone(process);
        let thread = std::thread::Builder::new()
            .name(format!("vm-{vm}"))
            .spawn(move || {
                vm::install(Vm::new(vm, process));
                start_filter(start);
                for message in inbox {
                    match message {
                        Message::Run(job) => job(),
                        Message::Crash(done) => {
                            lifecycle::crash();
                            vm::uninstall();
                            done.send(()).ok();
                            loop {
                                std::thread::park();
                            }
                        }
                    }
                }
                vm::uninstall();
            })
            .expect("cannot start a thread");
        Self {
            vm,
            jobs,
            thread: Mutex::new(Some(thread)),
        }
    }

    /// Sends a whole request and drives it as far as it goes: until it is held, released or answered.
    pub fn send(self: &Arc<Self>, request: Request) -> Exchange {
        let exchange = self.open(&request);
        let last = request.chunks.len().checked_sub(1);
        for (at, chunk) in request.chunks.into_iter().enumerate() {
            if request.ends_with_last_chunk && Some(at) == last && request.trailers.is_none() {
                exchange.end_with(chunk);
                return exchange;
            }
            exchange.chunk(chunk);
        }
        match request.trailers {
            Some(trailers) => exchange.trailers(trailers),
            None if last.is_some() => exchange.end(),
            None => {}
        }
        exchange
    }

    /// Sends the headers of a request; the test sends the rest. They end the stream where the request has
    /// neither body nor trailers.
    pub fn open(self: &Arc<Self>, request: &Request) -> Exchange {
        self.open_with(request, request.is_header_only())
    }

    /// Sends the headers of a request whose body the test sends, whatever the request itself holds.
    pub fn open_streaming(self: &Arc<Self>, request: &Request) -> Exchange {
        self.open_with(request, false)
    }

    fn open_with(self: &Arc<Self>, request: &Request, end: bool) -> Exchange {
        let headers = request.framed_headers();
        let properties: BTreeMap<_, _> = request.properties.clone();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stream_seen = Arc::clone(&seen);
        let id = self.run(move || {
            let id = lifecycle::open(properties, stream_seen);
            chain::headers(id, Side::Request, headers, end);
            id
        });
        Exchange::new(Arc::clone(self), id, seen)
    }

    /// Makes the timers of this worker's root contexts go off, whatever the time.
    pub fn tick(&self) {
        self.run(|| {
            let roots = vm::with(|vm| vm.process.clock.lock().unwrap().ticking(vm.id));
            for root in roots {
                lifecycle::tick(root);
            }
        });
    }

    /// How many streams of this worker are not over.
    pub fn open_streams(&self) -> usize {
        self.run(|| vm::with(|vm| vm.streams.len()))
    }

    /// How many root contexts live in this VM: two after a configuration update, while old streams last.
    pub fn root_contexts(&self) -> usize {
        self.run(|| vm::with(|vm| vm.roots.len()))
    }

    /// Runs something in the VM's thread and waits for it.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (reply, answer) = channel();
        let job = Box::new(move || {
            reply.send(job()).ok();
        });
        self.jobs
            .send(Message::Run(job))
            .expect("the worker's thread has ended");
        answer
            .recv()
            .expect("the worker died: see the panic above, or use the handle of the new VM")
    }

    pub(crate) fn crash(&self) {
        let (done, crashed) = channel();
        self.jobs
            .send(Message::Crash(done))
            .expect("the worker's thread has ended");
        crashed.recv().expect("the worker died");
        // The thread is parked for ever: nobody may join it.
        self.thread.lock().unwrap().take();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let (closed, _) = channel();
        self.jobs = closed;
        let thread = self.thread.get_mut().unwrap().take();
        if let Some(thread) = thread {
            thread.join().ok();
        }
    }
}

fn start_filter(start: fn()) {
    let _one_at_a_time = START.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    start();
    PANIC_HOOK.call_once(|| {
        // The SDK's hook sends panics to `proxy_log` only. Back to the harness's for the tests' own threads; a
        // panic of the filter aborts the process (it cannot unwind out of a C function), so it must be seen.
        drop(std::panic::take_hook());
        let of_tests = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let in_vm = std::thread::current()
                .name()
                .is_some_and(|name| name.starts_with("vm-"));
            if in_vm {
                use std::io::Write;
                let trace = std::backtrace::Backtrace::force_capture();
                writeln!(std::io::stderr(), "the filter panicked: {info}\n{trace}").ok();
            } else {
                of_tests(info);
            }
        }));
    });
}
