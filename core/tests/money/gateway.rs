//! A gateway: one Envoy process with its shared data, and workers that run the filter's own code.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use tollgate_core::cells::MemoryCells;
use tollgate_core::config::Config;
use tollgate_core::event::Event;
use tollgate_core::exchange::{Answer, Finished};
use tollgate_core::time::{UnixMillis, UnixNanos};
use tollgate_core::wire::{LeaseHold, LeaseReport, LeaseReportAnswer, LeaseRequest};

use crate::cells::{Intrusion, Mishaps, Outbox, WorkerCells};
use crate::plan::{Outcome, Plan, Request};
use crate::worker::Worker;

/// A worker of one life of one life of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WorkerId {
    pub(crate) gateway: usize,
    /// Which process of the gateway.
    pub(crate) process: u32,
    pub(crate) worker: usize,
    /// Which VM of the worker.
    pub(crate) vm: u32,
}

/// An Envoy process.
pub(crate) struct Gateway {
    pub(crate) process: u32,
    pub(crate) cells: MemoryCells,
    pub(crate) workers: Vec<RefCell<Option<Worker>>>,
    /// How many VMs each worker has had.
    pub(crate) vms: Vec<u32>,
    pub(crate) config: Rc<Config>,
    /// Which of [`crate::plan::PRICES`] the configuration has.
    pub(crate) prices: usize,
    /// By how much its clock is wrong.
    pub(crate) clock_error_ms: i64,
    /// Until when no message passes.
    pub(crate) cut_off_until: u64,
    /// Whether every worker did all that it meant to, since the process began.
    pub(crate) is_unhurt: bool,
    pub(crate) is_up: bool,
}

/// What one callback of a worker is for.
#[derive(Debug)]
pub(crate) enum Act {
    /// A request comes.
    Begin {
        number: u64,
        request: Request,
    },
    Tick,
    /// The answer to a callout, or that there is none.
    Answered {
        call: u64,
        reply: Reply,
    },
    /// The provider's answer comes.
    Provider {
        number: u64,
        outcome: Outcome,
        prompt_tokens: u64,
        output_tokens: u64,
    },
    /// The client leaves.
    Leaves {
        number: u64,
    },
}

/// What a worker asks a sidecar.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    Lease(Box<LeaseRequest>),
    Report(LeaseReport),
    /// A batch, as JSON.
    Events(Vec<u8>),
    /// The version of the budgets' definitions.
    Version,
}

/// What a sidecar answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// JSON.
    Lease(Vec<u8>),
    Report(LeaseReportAnswer),
    Events,
    Version(u64),
    /// The sidecar was not reached, or did not answer in time.
    Unavailable,
}

/// What a worker did.
#[derive(Debug)]
pub(crate) enum Effect {
    /// It asked a sidecar.
    Called {
        call: u64,
        message: Message,
        timeout_ms: u64,
    },
    /// It wrote an event to the journal: an open record, or what an exchange came to.
    Recorded(Box<Event>),
    /// It let a request go to the provider.
    Reached { number: u64, event_id: String },
    /// An exchange is over.
    Ended { number: u64, finished: Box<Finished> },
    /// It made a report; `is_alone` where no other worker's callback was half done.
    Held { holds: Vec<LeaseHold>, is_alone: bool },
}

/// What a worker needs in a callback.
pub(crate) struct Scene<'a, 'w> {
    pub(crate) cells: &'a WorkerCells<'w>,
    pub(crate) now: UnixNanos,
    pub(crate) config: &'a Rc<Config>,
    pub(crate) next_call: &'a Cell<u64>,
    pub(crate) is_alone: bool,
    pub(crate) faults: WorkerFaults,
}

/// Faults that are built into the filter's glue.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WorkerFaults {
    pub(crate) skip_write_off: bool,
    pub(crate) forget_unsent_events: bool,
}

/// What the world hands to a callback.
pub(crate) struct Stage<'a> {
    pub(crate) now: UnixMillis,
    pub(crate) outbox: &'a Outbox,
    pub(crate) next_call: &'a Cell<u64>,
    pub(crate) faults: WorkerFaults,
    pub(crate) is_alone: bool,
}

// === impl Gateway ===

impl Gateway {
    /// A process without workers.
    pub(crate) fn new(plan: &Plan, config: &Rc<Config>) -> Self {
        Self {
            process: 1,
            cells: MemoryCells::new(),
            workers: (0..plan.workers).map(|_| RefCell::new(None)).collect(),
            vms: vec![0; plan.workers],
            config: Rc::clone(config),
            prices: 0,
            clock_error_ms: 0,
            cut_off_until: 0,
            is_unhurt: true,
            is_up: false,
        }
    }

    /// The process dies, and all that it knew with it.
    pub(crate) fn die(&mut self) {
        self.process += 1;
        self.cells = MemoryCells::new();
        for worker in &mut self.workers {
            worker.replace(None);
        }
        self.is_unhurt = true;
        self.is_up = false;
    }

    /// Empties all open records of the journal: see [`Fault::LoseOpenRecords`](crate::fault::Fault).
    pub(crate) fn lose_records(&self) {
        for key in self.cells.keys() {
            let bytes = self.cells.peek(&key);
            let is_open = String::from_utf8_lossy(&bytes).contains("worker_lost");
            if key.starts_with("tollgate/1/j/") && is_open {
                self.cells.poke(&key, b"");
            }
        }
    }

    /// Until when a worker does nothing.
    pub(crate) fn stalled_until(&self, worker: usize) -> u64 {
        let slot = self.workers[worker].borrow();
        slot.as_ref().map_or(0, |worker| worker.stalled_until)
    }

    /// Whether no exchange is open, no event waits, and every worker would do something and be heard.
    pub(crate) fn is_quiet(&self, now: u64) -> bool {
        let is_idle = |slot: &RefCell<Option<Worker>>| {
            let worker = slot.borrow();
            worker
                .as_ref()
                .is_some_and(|worker| worker.is_idle() && worker.stalled_until <= now)
        };
        self.is_up && self.cut_off_until <= now && self.workers.iter().all(is_idle)
    }

    /// Runs one callback of a worker, with another's in between if so wanted.
    pub(crate) fn act(
        &self,
        worker: usize,
        act: Act,
        mishaps: Mishaps,
        intrusion: Option<Intrusion<'_>>,
        stage: &Stage<'_>,
    ) {
        let mut slot = self.workers[worker].borrow_mut();
        let Some(running) = slot.as_mut() else { return };
        let mishaps = Mishaps {
            dies_after: running.dies_after,
            ..mishaps
        };
        let cells = WorkerCells::new(worker, &self.cells, mishaps, intrusion, stage.outbox);
        let now = stage.now.0.saturating_add_signed(self.clock_error_ms);
        let scene = Scene {
            cells: &cells,
            now: UnixNanos(now * 1_000_000),
            config: &self.config,
            next_call: stage.next_call,
            is_alone: stage.is_alone,
            faults: stage.faults,
        };
        running.act(act, &scene);
        running.dies_after = cells.close();
    }

    /// Workers that live, by number.
    pub(crate) fn living(&self) -> Vec<usize> {
        (0..self.workers.len())
            .filter(|at| self.workers[*at].borrow().is_some())
            .collect()
    }

    /// The VM's number of a worker that lives.
    pub(crate) fn vm(&self, worker: usize) -> Option<u32> {
        self.workers[worker].borrow().as_ref().map(|_| self.vms[worker])
    }

    /// Which leases the process still knows.
    pub(crate) fn holds(&self, now: UnixMillis) -> BTreeMap<u64, LeaseHold> {
        let Some(worker) = self.living().first().copied() else {
            return BTreeMap::new();
        };
        let slot = self.workers[worker].borrow();
        let now = UnixMillis(now.0.saturating_add_signed(self.clock_error_ms));
        let money = &slot.as_ref().unwrap().money;
        let holds = money.purse().report(&self.cells, &mut 0, now).unwrap();
        holds.into_iter().map(|hold| (hold.lease_id.0, hold)).collect()
    }
}

// === impl Effect ===

impl fmt::Display for Effect {
    /// One line for whoever reads what happened in a schedule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Called { call, message, .. } => match message {
                Message::Lease(request) => write!(
                    f,
                    "asks {call} for {:?} or {:?}, holding {}",
                    request.need,
                    request.least,
                    lines_of(&request.holds)
                ),
                Message::Report(report) => write!(f, "reports {call}: {}", lines_of(&report.holds)),
                Message::Events(body) => write!(f, "sends {call}, {} bytes of events", body.len()),
                Message::Version => write!(f, "asks {call} for the version"),
            },
            Self::Recorded(event) => write!(
                f,
                "records {} {:?} {:?}",
                event
                    .request_id
                    .trim_start_matches("req_0000000000000000000000000000"),
                event.error_code,
                event.charges
            ),
            Self::Reached { number, .. } => write!(f, "lets {number:x} go"),
            Self::Ended { number, finished } => {
                write!(f, "ends {number:x} {:?}", finished.event.error_code)
            }
            Self::Held { .. } => f.write_str("holds what it reports"),
        }
    }
}

fn lines_of(holds: &[LeaseHold]) -> String {
    let lines = holds.iter().map(|hold| {
        format!(
            "{}/{}: used {} returned {} waiting {} recent {} done {}",
            hold.budget_id, hold.lease_id.0, hold.used, hold.returned, hold.waiting, hold.recent, hold.done
        )
    });
    lines.collect::<Vec<_>>().join("; ")
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            gateway,
            process,
            worker,
            vm,
        } = self;
        write!(f, "{gateway}.{process}/{worker}.{vm}")
    }
}

// === impl Reply ===

impl Reply {
    /// What an exchange is told.
    pub(crate) fn as_answer(&self) -> Answer<'_> {
        match self {
            Self::Lease(body) => Answer::Answered { status: 200, body },
            _ => Answer::Unavailable,
        }
    }
}
