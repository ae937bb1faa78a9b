//! A segment: the row of cells of one worker, and who owns it.

use std::collections::VecDeque;

use super::{JournalError, MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_KEPT, MUST_CHECK, nanos};
use crate::cells::{CellError, Cells, Version};
use crate::decimal;
use crate::time::UnixNanos;

/// A segment as its owner knows it.
#[derive(Debug)]
pub(super) struct Segment {
    /// The owner cell; those of records are numbered below it.
    key: String,
    claimant: Claimant,
    /// The first cell that was never used.
    unused: u32,
    /// Cells that were used and are empty again.
    free: Vec<u32>,
    /// Cells whose records the sidecar has. The next records are written over them, and what is left after two ticks is
    /// emptied: where there is traffic, no cell is written only to be emptied.
    sent: Vec<u32>,
    /// Those that were left at the last tick.
    stale: Vec<u32>,
    /// Open records.
    open: usize,
    /// Finished records, oldest first.
    done: VecDeque<Done>,
    /// Finished records that are on their way.
    sending: Vec<Done>,
    /// How many of the finished ones have their bytes in memory.
    kept: usize,
    last_beat: UnixNanos,
}

/// A finished record.
#[derive(Debug)]
struct Done {
    slot: u32,
    /// Its bytes, as its cell has them: what is sent a moment later need not be read. Not for more than
    /// [`MAX_KEPT`] of a worker's records.
    bytes: Option<Vec<u8>>,
}

/// Which segments a worker may claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim<'a> {
    /// For itself: one that nobody has.
    Free,
    /// For another: one whose owner cell still is what it was, and so silent.
    Silent(&'a [u8]),
}

/// Who owns a segment, in its owner cell. Empty where nobody does.
struct Owner {
    claimant: Claimant,
    beat: UnixNanos,
}

/// A worker and one claim of its: a worker that lost a segment and got it again is not the owner it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claimant {
    pub(super) worker: [u8; 16],
    pub(super) claim: u64,
}

// === impl Segment ===

impl Segment {
    /// A segment's owner cell, empty where nobody owns it; `None` where it never was.
    pub(super) fn owner(cells: &dyn Cells, index: u16) -> Result<Option<Vec<u8>>, CellError> {
        let cell = cells.get(&owner_key(index))?;
        Ok((cell.version != Version::ABSENT).then_some(cell.bytes))
    }

    /// Tries to get a segment; `None` where it is not to be had. The records that its last owner left come with
    /// it, all of them finished now: nothing more will be heard of them.
    pub(super) fn claim(
        cells: &dyn Cells,
        index: u16,
        claimant: Claimant,
        claim: Claim<'_>,
        now: UnixNanos,
    ) -> Result<Option<Self>, CellError> {
        let cell = cells.get(&owner_key(index))?;
        let is_claimable = match claim {
            Claim::Free => cell.bytes.is_empty(),
            Claim::Silent(was) => cell.bytes == was,
        };
        if !is_claimable {
            return Ok(None);
        }
        let owner = Owner { claimant, beat: now };
        match cells.set(&owner_key(index), &owner.write(), cell.version) {
            Ok(()) => {}
            Err(CellError::Conflict) => return Ok(None),
            Err(CellError::Unavailable) => return Err(CellError::Unavailable),
        }
        let mut segment = Self {
            key: owner_key(index),
            claimant,
            unused: 0,
            free: Vec::new(),
            sent: Vec::new(),
            stale: Vec::new(),
            open: 0,
            done: VecDeque::new(),
            sending: Vec::new(),
            kept: 0,
            last_beat: now,
        };
        segment.take_over(cells)?;
        Ok(Some(segment))
    }

    /// Finds the records that the last owner left. Cells are used from the first on and never vanish, so the
    /// first one that never was is behind the last.
    fn take_over(&mut self, cells: &dyn Cells) -> Result<(), CellError> {
        loop {
            let cell = cells.get(&self.slot_key(self.unused))?;
            if cell.version == Version::ABSENT {
                return Ok(());
            }
            if cell.bytes.is_empty() {
                self.free.push(self.unused);
            } else {
                self.done.push_back(Done {
                    slot: self.unused,
                    bytes: None,
                });
            }
            self.unused += 1;
        }
    }

    /// Whether so much time has passed since the last heartbeat that another may have adopted this segment. Where the
    /// clock has jumped back it may be any time.
    pub(super) fn must_check(&self, now: UnixNanos) -> bool {
        now < self.last_beat || now.since(self.last_beat) > nanos(MUST_CHECK)
    }

    /// Says that the owner lives; false where the segment is another's by now.
    pub(super) fn beat(&mut self, cells: &dyn Cells, now: UnixNanos) -> bool {
        let Ok(cell) = cells.get(&self.key) else {
            return true;
        };
        if Owner::read(&cell.bytes).is_none_or(|owner| owner.claimant != self.claimant) {
            return false;
        }
        match cells.set(
            &self.key,
            &Owner {
                claimant: self.claimant,
                beat: now,
            }
            .write(),
            cell.version,
        ) {
            Ok(()) => self.last_beat = now,
            Err(CellError::Conflict) => return false,
            Err(CellError::Unavailable) => {}
        }
        true
    }

    /// Lets a drained segment go, for the next worker to claim.
    pub(super) fn give_up(&self, cells: &dyn Cells) {
        // If the host refuses, the owner falls silent and the empty segment is adopted: nothing is lost.
        let _ = cells.set(&self.key, &[], Version::ANY);
    }

    /// Writes an open record to a cell that is not taken, where fewer than `max` are.
    pub(super) fn open(&mut self, cells: &dyn Cells, event: &[u8], max: u32) -> Result<u32, JournalError> {
        if self.pending() >= max as usize {
            return Err(JournalError::Full);
        }
        let used = self.used().and_then(|cells| cells.last().copied());
        let slot = used.unwrap_or(self.unused);
        self.write(cells, slot, event)?;
        match self.used() {
            Some(cells) => drop(cells.pop()),
            None => self.unused += 1,
        }
        self.open += 1;
        Ok(slot)
    }

    /// Cells that are not taken: first those that would have to be emptied soonest.
    fn used(&mut self) -> Option<&mut Vec<u32>> {
        let lists = [&mut self.stale, &mut self.sent, &mut self.free];
        lists.into_iter().find(|cells| !cells.is_empty())
    }

    /// Replaces an open record by the finished one.
    pub(super) fn done(&mut self, cells: &dyn Cells, slot: u32, event: Vec<u8>) -> Result<(), JournalError> {
        let written = self.write(cells, slot, &event);
        // Also where the host refused: the record is then sent as it was opened, which is better than never.
        self.open = self.open.saturating_sub(1);
        let keep = written.is_ok() && self.kept < MAX_KEPT;
        self.kept += usize::from(keep);
        self.done.push_back(Done {
            slot,
            bytes: keep.then_some(event),
        });
        written
    }

    /// How many cells are taken.
    pub(super) fn pending(&self) -> usize {
        self.open + self.done.len() + self.sending.len()
    }

    /// How many finished records wait.
    pub(super) fn finished(&self) -> usize {
        self.done.len()
    }

    /// Appends finished records to a batch that has `events` already, up to the bounds of a batch.
    pub(super) fn collect(&mut self, cells: &dyn Cells, body: &mut Vec<u8>, mut events: usize) -> usize {
        body.reserve(self.bytes_of_next(MAX_BATCH_EVENTS.saturating_sub(events)));
        while events < MAX_BATCH_EVENTS && body.len() < MAX_BATCH_BYTES {
            let Some(done) = self.done.pop_front() else { break };
            let read = match &done.bytes {
                Some(_) => Ok(Vec::new()),
                None => cells.get(&self.slot_key(done.slot)).map(|cell| cell.bytes),
            };
            let Ok(read) = read else {
                self.done.push_front(done);
                break;
            };
            let event = done.bytes.as_deref().unwrap_or(&read);
            if !event.is_empty() {
                if events > 0 {
                    body.push(b',');
                }
                body.extend_from_slice(event);
                events += 1;
            }
            self.sending.push(done);
        }
        events
    }

    /// What so many of the next records take in a batch, as far as that is known, up to the bound of one.
    fn bytes_of_next(&self, events: usize) -> usize {
        let known = self
            .done
            .iter()
            .take(events)
            .filter_map(|done| done.bytes.as_ref());
        let bytes: usize = known.map(|bytes| bytes.len() + 1).sum();
        bytes.min(MAX_BATCH_BYTES)
    }

    /// The records that were on their way have arrived. Should this worker be gone before their cells are written over
    /// or emptied, they arrive once more; the ledger knows them by their ids.
    pub(super) fn sent(&mut self) {
        for done in self.sending.drain(..) {
            self.kept -= usize::from(done.bytes.is_some());
            self.sent.push(done.slot);
        }
    }

    /// Empties the cells of records that arrived before the last tick, for one that calls this with each of its ticks.
    pub(super) fn tidy(&mut self, cells: &dyn Cells) {
        for slot in std::mem::take(&mut self.stale) {
            match self.write(cells, slot, &[]) {
                Ok(()) => self.free.push(slot),
                Err(_) => self.sent.push(slot),
            }
        }
        std::mem::swap(&mut self.stale, &mut self.sent);
    }

    /// Whether there is no record in any cell.
    pub(super) fn is_drained(&self) -> bool {
        self.pending() == 0 && self.sent.is_empty() && self.stale.is_empty()
    }

    /// Puts the records that were on their way back to the front.
    pub(super) fn unsent(&mut self) {
        while let Some(done) = self.sending.pop() {
            self.done.push_front(done);
        }
    }

    fn write(&self, cells: &dyn Cells, slot: u32, event: &[u8]) -> Result<(), JournalError> {
        // Only the owner writes here, so no version is asked for.
        cells
            .set(&self.slot_key(slot), event, Version::ANY)
            .map_err(|_| JournalError::Unavailable)
    }

    fn slot_key(&self, slot: u32) -> String {
        decimal::numbered(&self.key, slot.into())
    }
}

// === impl Owner ===

impl Owner {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (worker, rest) = bytes.split_first_chunk::<16>()?;
        let (claim, rest) = rest.split_first_chunk::<8>()?;
        let (beat, _) = rest.split_first_chunk::<8>()?;
        let claimant = Claimant {
            worker: *worker,
            claim: u64::from_le_bytes(*claim),
        };
        Some(Self {
            claimant,
            beat: UnixNanos(u64::from_le_bytes(*beat)),
        })
    }

    fn write(&self) -> Vec<u8> {
        [
            &self.claimant.worker[..],
            &self.claimant.claim.to_le_bytes(),
            &self.beat.0.to_le_bytes(),
        ]
        .concat()
    }
}

fn owner_key(index: u16) -> String {
    decimal::numbered("tollgate/1/j", index.into())
}
