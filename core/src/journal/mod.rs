//! The journal: events that survive a worker's VM, in the cells that all workers share.
//!
//! A worker owns a *segment*, a row of cells. Before a request goes to the provider its worker writes an *open*
//! record there: the event as it would have to be if nothing more were ever heard. When the exchange is over
//! the record becomes the event as it was. The owner's tick sends finished records to the sidecar; once the sidecar has
//! them, their cells are used again or, soon after, emptied.
//!
//! A worker says that it lives by a heartbeat in its segment's owner cell. When the heartbeat stops (its VM has
//! crashed, its configuration was replaced), another worker *adopts* the segment and sends what it holds, the
//! open records as they stand. Delivery is at least once; the ledger knows a repeated event by its id.
//!
//! A worker that was only slow, and comes back to find its segment adopted, starts a new one. Its open
//! exchanges are then recorded a second time under the same event id, and the ledger keeps what came first.

mod segment;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use crate::cells::Cells;
use crate::time::UnixNanos;
use segment::{Claim, Claimant, Segment};

/// How many segments there are: workers of one Envoy, of all generations that still live.
const MAX_SEGMENTS: u16 = 256;

/// A worker looks for silent owners at every so many of its ticks.
const SEARCH_EVERY: u32 = 10;

/// An owner whose heartbeat has not changed in so many searches is silent. Ticks are counted, not time, so that
/// a clock that jumps makes nobody seem dead. A search later its segment is adopted: with a tick each 250 ms after about
/// 15 s.
const SILENT_SEARCHES: u32 = 5;

/// After so long without a heartbeat a worker makes sure that its segment is still its own.
const MUST_CHECK: Duration = Duration::from_secs(5);

/// Most events in a batch, and most of their bytes: see [`crate::wire::EventBatch`].
const MAX_BATCH_EVENTS: usize = 1_000;
const MAX_BATCH_BYTES: usize = 1 << 20;

/// Finished records whose bytes a worker keeps in memory until the sidecar has them, of about a kilobyte each;
/// further ones are read from their cells.
const MAX_KEPT: usize = 2_000;

/// From so many records on the next batch does not wait for a tick.
const MANY_EVENTS: usize = MAX_BATCH_EVENTS / 2;

/// Why a record was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JournalError {
    /// As many events wait for the sidecar as may.
    #[error("the journal is full of events that the sidecar has not taken")]
    Full,
    /// The host refused.
    #[error("shared data is unavailable")]
    Unavailable,
}

/// An open record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    index: u32,
    /// Which of the worker's segments, counted from its start: a slot of one that was lost is known as such.
    generation: u32,
}

/// Events for the sidecar, as the body of [`crate::wire::EventBatch`].
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// JSON.
    pub body: Vec<u8>,
    /// How many events it holds.
    pub events: usize,
}

/// One worker's end of the journal.
#[derive(Debug)]
pub struct Writer {
    worker: [u8; 16],
    /// How many segments this worker has tried to claim.
    claims: u64,
    max_events: u32,
    generation: u32,
    own: Option<Segment>,
    adopted: Vec<Segment>,
    ticks: u32,
    /// Heartbeats of others as last seen, and in how many searches they stood so.
    watched: BTreeMap<u16, (Vec<u8>, u32)>,
    /// Workers that were found dead since this was asked last.
    lost: Vec<[u8; 16]>,
    /// Whether a batch is on its way.
    sending: bool,
}

// === impl Writer ===

impl Writer {
    /// A worker's end; `worker` is unique to it. Nothing is written before the first record.
    pub const fn new(worker: [u8; 16], max_events: u32) -> Self {
        Self {
            worker,
            claims: 0,
            max_events,
            generation: 0,
            own: None,
            adopted: Vec::new(),
            ticks: 0,
            watched: BTreeMap::new(),
            lost: Vec::new(),
            sending: false,
        }
    }

    /// Writes an open record: `event` is the event's JSON, should nothing more be heard of the exchange.
    ///
    /// # Errors
    /// [`JournalError::Full`]: do not call the provider, the call could not be accounted for.
    pub fn open(&mut self, cells: &dyn Cells, event: &[u8], now: UnixNanos) -> Result<Slot, JournalError> {
        let max = self.max_events;
        let (segment, generation) = self.own_segment(cells, now)?;
        let index = segment.open(cells, event, max)?;
        Ok(Slot { index, generation })
    }

    /// Replaces an open record by the event as it was.
    ///
    /// # Errors
    /// The record then stays open, and is sent as such when this worker is gone.
    pub fn done(
        &mut self,
        cells: &dyn Cells,
        slot: Slot,
        event: impl Into<Vec<u8>>,
        now: UnixNanos,
    ) -> Result<(), JournalError> {
        let event = event.into();
        let max = self.max_events;
        let (segment, generation) = self.own_segment(cells, now)?;
        if slot.generation == generation {
            return segment.done(cells, slot.index, event);
        }
        // The segment was adopted meanwhile, and the open record with it.
        let index = segment.open(cells, &event, max)?;
        segment.done(cells, index, event)
    }

    /// Writes an event that was never open: a refusal. Half of the journal is kept free of those, so that a
    /// flood of refused requests cannot keep others from being served.
    ///
    /// # Errors
    /// [`JournalError::Full`] when half of the journal is taken.
    pub fn record(
        &mut self,
        cells: &dyn Cells,
        event: impl Into<Vec<u8>>,
        now: UnixNanos,
    ) -> Result<(), JournalError> {
        let event = event.into();
        let half = self.max_events / 2;
        let (segment, _) = self.own_segment(cells, now)?;
        let index = segment.open(cells, &event, half)?;
        segment.done(cells, index, event)
    }

    /// How many records of this worker, open ones included, are in the journal.
    pub fn pending(&self) -> usize {
        self.own.iter().chain(&self.adopted).map(Segment::pending).sum()
    }

    /// Workers that were found dead since this was asked last: to be asked after each tick. What they hold is to be
    /// written off, for their segments are adopted soon, and then nobody knows of them any more. Each of the others
    /// may find the same one.
    pub fn take_lost(&mut self) -> Vec<[u8; 16]> {
        std::mem::take(&mut self.lost)
    }

    /// Says that this worker lives, looks after those that do not, and collects the next batch. While a batch
    /// is on its way there is no other.
    pub fn tick(&mut self, cells: &dyn Cells, now: UnixNanos) -> Option<Batch> {
        self.beat(cells, now);
        self.tidy(cells);
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(SEARCH_EVERY) {
            self.search(cells, now);
        }
        self.next_batch(cells)
    }

    /// The next batch, where so much waits that it should not wait for a tick: for when the last one was taken.
    pub fn full_batch(&mut self, cells: &dyn Cells) -> Option<Batch> {
        let finished = self.own.iter().chain(&self.adopted).map(Segment::finished);
        (finished.sum::<usize>() >= MANY_EVENTS)
            .then(|| self.next_batch(cells))
            .flatten()
    }

    fn next_batch(&mut self, cells: &dyn Cells) -> Option<Batch> {
        if self.sending {
            return None;
        }
        let batch = self.collect(cells)?;
        self.sending = true;
        Some(batch)
    }

    /// The sidecar has the batch: its cells may be used again.
    pub fn sent(&mut self) {
        self.sending = false;
        for segment in self.own.iter_mut().chain(&mut self.adopted) {
            segment.sent();
        }
    }

    /// The sidecar does not have the batch, or has not said so: it will be sent again.
    pub fn unsent(&mut self) {
        self.sending = false;
        for segment in self.own.iter_mut().chain(&mut self.adopted) {
            segment.unsent();
        }
    }

    /// The worker's segment and its generation: claimed at the first record, and again where it was lost.
    fn own_segment(
        &mut self,
        cells: &dyn Cells,
        now: UnixNanos,
    ) -> Result<(&mut Segment, u32), JournalError> {
        // Between two heartbeats a segment cannot be lost, so most records need no look at the owner cell.
        if let Some(segment) = &mut self.own
            && segment.must_check(now)
            && !segment.beat(cells, now)
        {
            self.lose();
        }
        if self.own.is_none() {
            self.own = Some(self.claim_any(cells, now)?);
        }
        let segment = self.own.as_mut().ok_or(JournalError::Unavailable)?;
        Ok((segment, self.generation))
    }

    fn beat(&mut self, cells: &dyn Cells, now: UnixNanos) {
        if self.own.as_mut().is_some_and(|segment| !segment.beat(cells, now)) {
            self.lose();
        }
        self.adopted.retain_mut(|segment| segment.beat(cells, now));
    }

    /// Empties cells of records that arrived some time ago, and lets adopted segments go that have none left.
    fn tidy(&mut self, cells: &dyn Cells) {
        for segment in self.own.iter_mut().chain(&mut self.adopted) {
            segment.tidy(cells);
        }
        self.adopted.retain(|segment| {
            let is_drained = segment.is_drained();
            if is_drained {
                segment.give_up(cells);
            }
            !is_drained
        });
    }

    fn lose(&mut self) {
        self.own = None;
        self.generation = self.generation.wrapping_add(1);
    }

    /// Looks at the heartbeats of all, and adopts the segments of those that are silent.
    fn search(&mut self, cells: &dyn Cells, now: UnixNanos) {
        for index in 0..MAX_SEGMENTS {
            let Ok(owner) = Segment::owner(cells, index) else {
                return;
            };
            // Segments are claimed from the first on: behind one that never was there are none.
            let Some(owner) = owner else { return };
            let (seen, times) = self.watched.entry(index).or_default();
            if *seen != owner {
                (*seen, *times) = (owner, 0);
                continue;
            }
            *times += 1;
            if *times < SILENT_SEARCHES || seen.is_empty() {
                continue;
            }
            // Adopting a segment takes its owner's name away. So what the owner had reserved is written off first: a
            // worker that dies before it has adopted the segment leaves both to the next one.
            if *times == SILENT_SEARCHES {
                self.lost.extend(seen.first_chunk::<16>());
                continue;
            }
            let silent = std::mem::take(seen);
            let claimant = self.next_claimant();
            if let Ok(Some(segment)) = Segment::claim(cells, index, claimant, Claim::Silent(&silent), now) {
                self.adopted.push(segment);
            }
        }
    }

    /// The first segment that nobody has.
    fn claim_any(&mut self, cells: &dyn Cells, now: UnixNanos) -> Result<Segment, JournalError> {
        for index in 0..MAX_SEGMENTS {
            let claimant = self.next_claimant();
            match Segment::claim(cells, index, claimant, Claim::Free, now) {
                Ok(Some(segment)) => return Ok(segment),
                Ok(None) => {}
                Err(_) => return Err(JournalError::Unavailable),
            }
        }
        Err(JournalError::Full)
    }

    fn next_claimant(&mut self) -> Claimant {
        self.claims += 1;
        Claimant {
            worker: self.worker,
            claim: self.claims,
        }
    }

    fn collect(&mut self, cells: &dyn Cells) -> Option<Batch> {
        let mut body = b"{\"events\":[".to_vec();
        let mut events = 0;
        for segment in self.own.iter_mut().chain(&mut self.adopted) {
            events = segment.collect(cells, &mut body, events);
        }
        if events == 0 {
            return None;
        }
        body.extend_from_slice(b"]}");
        Some(Batch { body, events })
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
