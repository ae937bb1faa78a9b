//! The cells as one worker sees them while it runs: other workers come in between, its VM dies between two calls,
//! the host refuses; and every record of the journal is seen by the [books](crate::books).

use std::cell::{Cell, RefCell};

use tollgate_core::cells::{self, CellError, Cells, MemoryCells, Version};
use tollgate_core::event::Event;

use crate::gateway::Effect;

/// Where a purse keeps its cells. The number is that of their layout.
pub(crate) const PURSE: &str = "tollgate/1/b3/";

/// What the workers of one gateway did, in order, each with the worker's number.
pub(crate) type Outbox = RefCell<Vec<(usize, Effect)>>;

/// What may happen to a worker during one callback.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mishaps {
    /// Its VM dies after so many more calls of the host.
    pub(crate) dies_after: Option<u32>,
    /// The host refuses every call of this callback after so many.
    pub(crate) refused_after: Option<u32>,
    /// The host does not make the changes to a request that is let go.
    pub(crate) release_fails: bool,
    /// So many conditional writes conflict.
    pub(crate) conflicts: u32,
    /// What another worker wrote meanwhile is overwritten: see [`Fault::LoseUpdates`](crate::fault::Fault).
    pub(crate) loses_updates: bool,
}

/// Another worker's callback that comes between two calls.
pub(crate) struct Intrusion<'a> {
    pub(crate) after: u32,
    pub(crate) act: Box<dyn FnOnce() + 'a>,
}

/// The cells as one worker sees them during one callback.
pub(crate) struct WorkerCells<'a> {
    worker: usize,
    shared: &'a MemoryCells,
    mishaps: Mishaps,
    calls: Cell<u32>,
    is_dead: Cell<bool>,
    conflicts: Cell<u32>,
    intrusion: RefCell<Option<Intrusion<'a>>>,
    outbox: &'a Outbox,
}

// === impl WorkerCells ===

impl<'a> WorkerCells<'a> {
    pub(crate) fn new(
        worker: usize,
        shared: &'a MemoryCells,
        mishaps: Mishaps,
        intrusion: Option<Intrusion<'a>>,
        outbox: &'a Outbox,
    ) -> Self {
        Self {
            worker,
            shared,
            mishaps,
            calls: Cell::new(0),
            is_dead: Cell::new(mishaps.dies_after == Some(0)),
            conflicts: Cell::new(mishaps.conflicts),
            intrusion: RefCell::new(intrusion),
            outbox,
        }
    }

    /// The worker did something; what a dead one would have done does not happen.
    pub(crate) fn does(&self, effect: Effect) {
        if !self.is_dead.get() {
            self.outbox.borrow_mut().push((self.worker, effect));
        }
    }

    pub(crate) const fn release_fails(&self) -> bool {
        self.mishaps.release_fails
    }

    /// The callback is over: whoever wanted to come in between comes now. How many calls are left until the
    /// worker dies; zero where it has.
    pub(crate) fn close(&self) -> Option<u32> {
        self.intrude();
        self.mishaps
            .dies_after
            .map(|calls| calls.saturating_sub(self.calls.get()))
    }

    fn intrude(&self) {
        let intrusion = self.intrusion.borrow_mut().take();
        if let Some(intrusion) = intrusion {
            (intrusion.act)();
        }
    }

    fn call<T>(&self, call: impl FnOnce() -> Result<T, CellError>) -> Result<T, CellError> {
        let is_due = self
            .intrusion
            .borrow()
            .as_ref()
            .is_some_and(|intrusion| intrusion.after <= self.calls.get());
        if is_due {
            self.intrude();
        }
        let is_refused = self
            .mishaps
            .refused_after
            .is_some_and(|calls| calls <= self.calls.get());
        if self.is_dead.get() || is_refused {
            return Err(CellError::Unavailable);
        }
        let result = call();
        self.calls.set(self.calls.get() + 1);
        self.is_dead
            .set(self.mishaps.dies_after == Some(self.calls.get()));
        result
    }

    fn see(&self, key: &str, bytes: &[u8]) {
        // A segment's owner cell has no number of a record.
        let is_record = key
            .strip_prefix("tollgate/1/j/")
            .is_some_and(|rest| rest.contains('/'));
        if !is_record || bytes.is_empty() {
            return;
        }
        let event: Event = serde_json::from_slice(bytes).unwrap();
        self.outbox
            .borrow_mut()
            .push((self.worker, Effect::Recorded(Box::new(event))));
    }
}

impl Cells for WorkerCells<'_> {
    fn get(&self, key: &str) -> Result<cells::Cell, CellError> {
        self.call(|| self.shared.get(key))
    }

    fn set(&self, key: &str, bytes: &[u8], version: Version) -> Result<(), CellError> {
        self.call(|| {
            // Other cells have one writer at a time, who never finds another in its way.
            let of_purse = key.strip_prefix(PURSE);
            let is_lease = of_purse.is_some_and(|rest| rest.starts_with("s/"));
            if is_lease && self.conflicts.get() > 0 {
                self.conflicts.set(self.conflicts.get() - 1);
                return Err(CellError::Conflict);
            }
            let version = if self.mishaps.loses_updates && is_lease {
                Version::ANY
            } else {
                version
            };
            self.shared.set(key, bytes, version)?;
            self.see(key, bytes);
            Ok(())
        })
    }
}
