//! The world of one schedule: virtual time, a network, gateways, sidecars, one ledger. One thing happens after another,
//! and after each the [books](crate::books) are looked at.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use fastrand::Rng;
use tollgate_core::config::Config;
use tollgate_core::refusal::Code;
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::LeaseRequest;

use crate::books::{Books, Transaction};
use crate::configuration;
use crate::fault::Fault;
use crate::gateway::{Gateway, Message, Reply, WorkerId};
use crate::left::Left;
use crate::plan::{Outcome, Plan, Request};
use crate::rule::Broken;
use crate::sidecar::Sidecar;
use crate::store::Store;
use crate::tally::Tally;
use crate::weather::Trouble;

/// How many lines of what happened are kept for whoever looks into a broken rule.
const MAX_LINES: usize = 20_000;

/// Callbacks of different workers that are due within so many milliseconds may overlap.
const MOMENT_MS: u64 = 5;

/// Something that is due at a moment.
#[derive(Debug)]
pub(crate) enum Due {
    Request(Request),
    Tick(WorkerId),
    /// A message reaches a sidecar.
    Reach {
        sidecar: usize,
        call: u64,
        message: Message,
    },
    /// The answer reaches the worker, or its time is up.
    Answer {
        call: u64,
        reply: Reply,
    },
    /// The provider's answer reaches the worker.
    Provider {
        worker: WorkerId,
        number: u64,
        outcome: Outcome,
        prompt_tokens: u64,
        output_tokens: u64,
    },
    Leaves {
        number: u64,
    },
    /// A sidecar tries again for the questions that it holds.
    Retry {
        sidecar: usize,
        life: u32,
    },
    /// A sidecar says that it lives.
    Beat {
        sidecar: usize,
    },
    SidecarBack {
        sidecar: usize,
    },
    Trouble(Trouble),
    GatewayBack {
        gateway: usize,
    },
    WorkerBack {
        gateway: usize,
        process: u32,
        worker: usize,
    },
}

/// A request that a client has sent.
#[derive(Debug, Clone)]
pub(crate) struct Underway {
    pub(crate) request: Request,
    pub(crate) worker: WorkerId,
    pub(crate) since: u64,
    /// Which prices held when it came.
    pub(crate) prices: usize,
    /// What it last asked the ledger.
    pub(crate) asked: Option<LeaseRequest>,
    pub(crate) ended: Option<Ended>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Served,
    Refused(Option<Code>),
}

/// The world of one schedule.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) fault: Option<Fault>,
    /// Milliseconds since the schedule began.
    pub(crate) now: u64,
    queue: BTreeMap<(u64, u64), Due>,
    queued: u64,
    pub(crate) store: Store,
    /// Until when no sidecar reaches the database.
    pub(crate) ledger_away_until: u64,
    pub(crate) sidecars: Vec<Sidecar>,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) configs: Vec<Rc<Config>>,
    /// Callouts that are not answered.
    pub(crate) callouts: BTreeMap<u64, WorkerId>,
    pub(crate) next_call: Cell<u64>,
    pub(crate) requests: BTreeMap<u64, Underway>,
    pub(crate) books: Books,
    pub(crate) left: Left,
    /// Troubles are over.
    pub(crate) is_over: bool,
    /// Whether a worker has died that nobody knew of.
    pub(crate) has_lost_unknown: bool,
    pub(crate) tally: Tally,
    /// What each budget's amount must be, and the deposits in it.
    pub(crate) amounts: Vec<u64>,
    pub(crate) deposits: BTreeSet<(usize, u64)>,
    lines: Option<VecDeque<String>>,
}

// === impl World ===

impl World {
    pub(crate) fn new(plan: Plan, seed: u64, fault: Option<Fault>) -> Self {
        let configs = configuration::all(&plan);
        let amounts = plan.budgets.iter().map(|budget| budget.amount).collect();
        let mut world = Self {
            rng: Rng::with_seed(!seed),
            fault,
            now: 0,
            queue: BTreeMap::new(),
            queued: 0,
            store: Store::new(plan.budgets.clone(), plan.rules, fault),
            ledger_away_until: 0,
            sidecars: (0..plan.sidecars).map(|_| Sidecar::new()).collect(),
            gateways: Vec::new(),
            configs,
            callouts: BTreeMap::new(),
            next_call: Cell::new(0),
            requests: BTreeMap::new(),
            books: Books::default(),
            left: Left::default(),
            is_over: false,
            has_lost_unknown: false,
            tally: Tally::default(),
            amounts,
            deposits: BTreeSet::new(),
            lines: None,
            plan,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for gateway in 0..self.plan.gateways {
            self.gateways.push(Gateway::new(&self.plan, &self.configs[0]));
            self.start_gateway(gateway);
        }
        for sidecar in 0..self.plan.sidecars {
            let phase = self.rng.u64(0..1_000);
            self.after(phase, Due::Beat { sidecar });
        }
        for (at, request) in self.plan.requests.clone() {
            self.after(at, Due::Request(request));
        }
        for (at, trouble) in self.plan.troubles.clone() {
            self.after(at, Due::Trouble(trouble));
        }
    }

    /// Keeps what happens from now on.
    pub(crate) fn keep_lines(&mut self) {
        self.lines = Some(VecDeque::new());
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &String> {
        self.lines.iter().flatten()
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(lines) = &mut self.lines {
            lines.push_back(format!("{now:>8} {}", line()));
            if lines.len() > MAX_LINES {
                lines.pop_front();
            }
        }
    }

    /// The true time.
    pub(crate) fn time(&self) -> UnixMillis {
        self.plan.begins_at.plus(self.now)
    }

    pub(crate) fn after(&mut self, ms: u64, due: Due) {
        self.queued += 1;
        self.queue.insert((self.now + ms, self.queued), due);
    }

    pub(crate) fn chance(&mut self, percent: u8) -> bool {
        percent > 0 && self.rng.u8(0..100) < percent
    }

    /// Lets everything happen that is due before a moment.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub(crate) fn run_until(&mut self, end: u64) -> Result<(), Broken> {
        while let Some(next) = self.queue.first_entry() {
            if next.key().0 > end {
                break;
            }
            let ((at, _), due) = self.queue.pop_first().unwrap();
            self.now = at.max(self.now);
            self.happen(due);
            self.tally.steps += 1;
            if self.plan.weather.is_calm() {
                self.left.look(self.now, &self.books, &self.store);
            }
            if let Some(broken) = self.books.broken.take() {
                self.note(|| format!("{broken:?}"));
                return Err(broken);
            }
        }
        self.now = end.max(self.now);
        Ok(())
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Reach {
                sidecar,
                call,
                message,
            } => self.reach(sidecar, call, message),
            Due::Retry { sidecar, life } => self.retry(sidecar, life),
            Due::Beat { sidecar } => self.beat(sidecar),
            Due::SidecarBack { sidecar } => self.sidecars[sidecar].is_up = true,
            Due::Trouble(trouble) => self.trouble(trouble),
            Due::GatewayBack { gateway } => self.start_gateway(gateway),
            Due::WorkerBack {
                gateway,
                process,
                worker,
            } => {
                if self.gateways[gateway].process == process {
                    self.start_worker(gateway, worker);
                }
            }
            due => self.callback(due),
        }
    }

    /// Something that is due for another worker of a gateway in a moment: it may as well come now, in the middle
    /// of a callback. A tick comes when it comes.
    pub(crate) fn take_neighbour(&mut self, worker: WorkerId) -> Option<Due> {
        let is_neighbour = |of: &WorkerId| of.gateway == worker.gateway && of.worker != worker.worker;
        let soon = self.now + MOMENT_MS;
        let found = self.queue.iter().take(16).find(|((at, _), due)| match due {
            Due::Tick(of) => *at <= self.now + self.plan.tick_ms && is_neighbour(of),
            Due::Provider { worker: of, .. } => *at <= soon && is_neighbour(of),
            Due::Answer { call, .. } => *at <= soon && self.callouts.get(call).is_some_and(is_neighbour),
            _ => false,
        });
        let key = *found?.0;
        self.queue.remove(&key)
    }

    /// Runs a transaction of the ledger, and looks at the books after it.
    pub(crate) fn transact<T>(
        &mut self,
        kind: Transaction,
        act: impl FnOnce(&mut Store, UnixMillis) -> T,
    ) -> T {
        let before = self.store.accounts.clone();
        let now = self.time();
        let value = act(&mut self.store, now);
        self.books.audit(kind, &before, &mut self.store);
        value
    }
}
