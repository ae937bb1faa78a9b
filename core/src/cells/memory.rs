//! Cells in memory that fail on request: conflicts, a host that refuses, a worker that dies between two calls.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Cell, CellError, Cells, Floor, Version};

/// Shared data as Envoy has it (one global version counter, no delete, any version creates a missing cell), with
/// faults to order. Shared between threads by reference.
#[derive(Debug, Default)]
pub struct MemoryCells {
    state: Mutex<State>,
}

/// The cells as one worker has them, who keeps the versions that it has seen in mind, as the filter does.
#[derive(Debug)]
pub struct OneWorker<'a> {
    shared: &'a MemoryCells,
    floor: Floor,
}

/// How many calls were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    /// Reads.
    pub gets: u64,
    /// Writes, those in conflict included.
    pub sets: u64,
    /// Writes in conflict, injected or real.
    pub conflicts: u64,
}

#[derive(Debug, Default)]
struct State {
    cells: HashMap<String, (Vec<u8>, Version)>,
    counter: u32,
    calls: Calls,
    conflict_next: u32,
    calls_until_death: Option<u32>,
}

// === impl MemoryCells ===

impl MemoryCells {
    /// No cell, no fault.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next `count` conditional writes conflict.
    pub fn conflict_next(&self, count: u32) {
        self.lock().conflict_next = count;
    }

    /// After `calls` more calls every call is [`CellError::Unavailable`]; `None` brings the host back. It is how
    /// a test kills a worker between two calls.
    pub fn die_after(&self, calls: Option<u32>) {
        self.lock().calls_until_death = calls;
    }

    /// Writes a cell past all faults, as another worker or a bit flip would.
    pub fn poke(&self, key: &str, bytes: &[u8]) {
        self.lock().put(key, bytes);
    }

    /// The bytes of a cell; empty where there is none.
    pub fn peek(&self, key: &str) -> Vec<u8> {
        self.lock()
            .cells
            .get(key)
            .map(|(bytes, _)| bytes.clone())
            .unwrap_or_default()
    }

    /// The names of all cells that were ever written, sorted.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.lock().cells.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// All cells, for comparison with another moment.
    pub fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<_> = self
            .lock()
            .cells
            .iter()
            .map(|(key, (bytes, _))| (key.clone(), bytes.clone()))
            .collect();
        all.sort();
        all
    }

    /// Lets the counter of versions stand at `drawn`, which is the last that was drawn.
    pub fn count_from(&self, drawn: u32) {
        self.lock().counter = drawn;
    }

    /// Calls since the last time that this was asked.
    pub fn take_calls(&self) -> Calls {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cells for MemoryCells {
    fn get(&self, key: &str) -> Result<Cell, CellError> {
        let mut state = self.lock();
        state.live()?;
        state.calls.gets += 1;
        Ok(match state.cells.get(key) {
            Some((bytes, version)) => Cell {
                bytes: bytes.clone(),
                version: *version,
            },
            None => Cell {
                bytes: Vec::new(),
                version: Version::ABSENT,
            },
        })
    }

    fn set(&self, key: &str, bytes: &[u8], version: Version) -> Result<(), CellError> {
        let mut state = self.lock();
        state.live()?;
        state.calls.sets += 1;
        let injected = version != Version::ANY && state.conflict_next > 0;
        if injected {
            state.conflict_next -= 1;
        }
        let moved_on = state
            .cells
            .get(key)
            .is_some_and(|(_, current)| version != Version::ANY && *current != version);
        if injected || moved_on {
            state.calls.conflicts += 1;
            return Err(CellError::Conflict);
        }
        state.put(key, bytes);
        Ok(())
    }
}

// === impl OneWorker ===

impl<'a> OneWorker<'a> {
    /// Another worker on the same cells.
    pub fn new(shared: &'a MemoryCells) -> Self {
        Self {
            shared,
            floor: Floor::default(),
        }
    }
}

impl Cells for OneWorker<'_> {
    fn get(&self, key: &str) -> Result<Cell, CellError> {
        self.shared.get(key)
    }

    fn set(&self, key: &str, bytes: &[u8], version: Version) -> Result<(), CellError> {
        self.shared.set(key, bytes, version)?;
        self.floor.wrote();
        Ok(())
    }

    fn floor(&self) -> Option<&Floor> {
        Some(&self.floor)
    }
}

// === impl State ===

impl State {
    fn live(&mut self) -> Result<(), CellError> {
        match &mut self.calls_until_death {
            None => Ok(()),
            Some(0) => Err(CellError::Unavailable),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn put(&mut self, key: &str, bytes: &[u8]) {
        // Zero is no version.
        self.counter = self.counter.checked_add(1).unwrap_or(1);
        self.cells
            .insert(key.to_owned(), (bytes.to_vec(), Version(self.counter)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::{Update, update};

    #[test]
    fn only_one_of_two_can_create_a_cell() {
        let cells = MemoryCells::new();
        assert_eq!(cells.set("a", b"1", Version::ABSENT), Ok(()));
        assert_eq!(cells.set("a", b"2", Version::ABSENT), Err(CellError::Conflict));
        assert_eq!(cells.peek("a"), b"1");
    }

    #[test]
    fn an_update_decides_again_after_a_conflict() {
        let cells = MemoryCells::new();
        cells.conflict_next(2);
        let mut rounds = 0;
        let done = update(&cells, "a", |bytes| {
            rounds += 1;
            Update::Write([bytes, b"x"].concat(), ())
        });
        assert_eq!((done, rounds, cells.peek("a")), (Ok(()), 3, b"x".to_vec()));
    }

    #[test]
    fn conflicts_without_end_are_given_up() {
        let cells = MemoryCells::new();
        cells.conflict_next(u32::MAX);
        let done = update(&cells, "a", |_| Update::Write(vec![1], ()));
        assert_eq!(done, Err(CellError::Unavailable));
    }
}
