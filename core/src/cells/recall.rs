//! Writing without reading first: what a worker wrote last to a cell is still there, if nobody wrote since.
//!
//! A write does not say which version it got. But a [`Floor`] bounds it: with the bound `f` before a write, its
//! version `v` is `f + 1` or later. So `f + 1` is a guess that is never too high, and right where no other worker wrote
//! in between. **A conditional write with the guess succeeds only if the cell holds exactly what this worker wrote**: it
//! succeeds where the cell's version is the guess `g`; the cell had the version `v ≥ g` once, and versions of a cell only
//! grow; so `g` is `v`, and nobody wrote since. (A cell is never removed while a VM of its `vm_id` lives, as this one
//! does.)
//!
//! The counter has 32 bits and starts anew from 1. "Later" and "never too high" hold as long as fewer than 2³¹ writes lie
//! between what is compared: so nothing is remembered for longer than [`MAX_AGE_MS`], the bound is taken anew from a
//! cell just written as often, and a host would have to write 30 million times a second to get there. Guesses that are
//! special as versions (0 and the largest) are not made.
//!
//! What is remembered may be outdated, and only a write that succeeds proves that it is not. So nothing may follow from
//! it but such a write: whoever refuses, or has nothing to write, reads first.
//!
//! With other workers at work guesses fail, and each costs a write that is refused: where they do too often, nothing is
//! remembered for a while.

use std::cell::RefCell;

use hashbrown::HashMap;

use super::floor::is_later;
use super::{Cells, Version};
use crate::time::UnixMillis;

/// How long what was written is remembered, and how long the floor is good without being taken anew.
const MAX_AGE_MS: u64 = 60_000;
/// How much is remembered; what grows past it is forgotten, all of it, as it is soon written again.
const MAX_CELLS: usize = 256;
const MAX_BYTES: usize = 256 * 1024;
/// So many guesses are looked at together, and so many of them may fail; at the next that does, guesses pause.
const ROUND: u32 = 16;
const MAX_MISSES: u32 = 4;
/// For how long they pause, at first and, where they fail again and again, at most.
const MIN_PAUSE_MS: u64 = 1_000;
const MAX_PAUSE_MS: u64 = 64_000;

/// What one worker wrote last, by cell.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    state: RefCell<State>,
}

/// What was written to a cell, and the guess at its version.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) key: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) version: Version,
    at: UnixMillis,
}

#[derive(Debug, Default)]
struct State {
    cells: HashMap<u64, Written>,
    bytes: usize,
    /// When the floor was taken from a cell just written; `None` where it must be before anything is guessed.
    floor_taken_at: Option<UnixMillis>,
    guesses: u32,
    misses: u32,
    resume_at: UnixMillis,
    pause_ms: u64,
    /// The host does not count as this file says: nothing is ever guessed.
    is_off: bool,
}

// === impl Recall ===

impl Recall {
    /// What this worker wrote last to a cell, if that is worth a guess. It is not remembered any longer.
    pub(crate) fn take(&self, place: u64, now: UnixMillis) -> Option<Written> {
        let mut state = self.state.borrow_mut();
        if !state.knows_floor(now) {
            return None;
        }
        state.take(place, now)
    }

    /// What this worker wrote last to a cell, to be compared with what stands there now.
    pub(crate) fn take_back(&self, place: u64, now: UnixMillis) -> Option<Written> {
        self.state.borrow_mut().take(place, now)
    }

    /// What came of a write with a guess.
    pub(crate) fn guessed(&self, was_right: bool, now: UnixMillis) {
        let mut state = self.state.borrow_mut();
        state.guesses += 1;
        if !was_right {
            state.misses += 1;
            // Others have written: the floor is too low for the next guess, too.
            state.floor_taken_at = None;
        }
        if state.misses > MAX_MISSES {
            state.pause_ms = (state.pause_ms * 2).clamp(MIN_PAUSE_MS, MAX_PAUSE_MS);
            state.resume_at = UnixMillis(now.0.saturating_add(state.pause_ms));
            (state.guesses, state.misses) = (0, 0);
        } else if state.guesses >= ROUND {
            state.pause_ms = 0;
            (state.guesses, state.misses) = (0, 0);
        }
    }

    /// This worker has just written a cell.
    pub(crate) fn wrote<C>(&self, cells: &C, place: u64, key: String, bytes: Vec<u8>, now: UnixMillis)
    where
        C: Cells + ?Sized,
    {
        let Some(floor) = cells.floor().filter(|_| !self.state.borrow().is_paused(now)) else {
            return;
        };
        let bound = floor.version();
        if self.state.borrow().knows_floor(now) {
            if let Some(version) = bound {
                self.remember(place, key, bytes, version, now);
            }
            return;
        }
        // What was remembered was guessed from the old floor.
        self.state.borrow_mut().forget();
        let Some(cell) = cells
            .get(&key)
            .ok()
            .filter(|cell| cell.version != Version::ABSENT)
        else {
            return;
        };
        // A version before the bound, just after it, is not from one counter for all cells.
        if bound.is_some_and(|bound| is_later(bound.0, cell.version.0)) {
            self.state.borrow_mut().is_off = true;
            return;
        }
        floor.is(cell.version);
        self.state.borrow_mut().floor_taken_at = Some(now);
        self.remember(place, key, cell.bytes, cell.version, now);
    }

    fn remember(&self, place: u64, key: String, bytes: Vec<u8>, version: Version, at: UnixMillis) {
        let mut state = self.state.borrow_mut();
        state.put(
            place,
            Written {
                key,
                bytes,
                version,
                at,
            },
        );
    }
}

// === impl State ===

impl State {
    fn is_paused(&self, now: UnixMillis) -> bool {
        self.is_off || now < self.resume_at
    }

    fn knows_floor(&self, now: UnixMillis) -> bool {
        !self.is_paused(now) && self.floor_taken_at.is_some_and(|at| is_recent(at, now))
    }

    fn take(&mut self, place: u64, now: UnixMillis) -> Option<Written> {
        let written = self.cells.remove(&place)?;
        self.bytes -= written.bytes.len();
        is_recent(written.at, now).then_some(written)
    }

    fn forget(&mut self) {
        self.cells.clear();
        self.bytes = 0;
    }

    fn put(&mut self, place: u64, written: Written) {
        if self.cells.len() >= MAX_CELLS || self.bytes + written.bytes.len() > MAX_BYTES {
            self.forget();
        }
        if written.bytes.len() > MAX_BYTES {
            return;
        }
        self.bytes += written.bytes.len();
        if let Some(before) = self.cells.insert(place, written) {
            self.bytes -= before.bytes.len();
        }
    }
}

/// Whether something was at most so long ago that it can be relied upon; a clock that jumped says nothing.
fn is_recent(at: UnixMillis, now: UnixMillis) -> bool {
    now.0.checked_sub(at.0).is_some_and(|age| age < MAX_AGE_MS)
}

#[cfg(test)]
#[path = "recall_tests.rs"]
mod tests;
