//! State shared by the workers of one Envoy: what proxy-wasm calls shared data, as a trait.
//!
//! A cell is a few bytes under a key. There is no delete and no lock; there is compare-and-swap. So every
//! structure above it is one read, one pure decision, one conditional write, repeated on conflict.

mod floor;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod recall;

use thiserror::Error;

pub use floor::Floor;
#[cfg(any(test, feature = "testing"))]
pub use memory::{Calls, MemoryCells, OneWorker};
pub(crate) use recall::Recall;

/// How often [`update`] tries before it gives up: two workers in conflict need two or three rounds.
pub(crate) const MAX_ROUNDS: usize = 64;

/// The value of a cell and the version that a conditional write must name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// Empty where the cell was never written (or was emptied: the two are one).
    pub bytes: Vec<u8>,
    /// [`Version::ABSENT`] where the cell does not exist.
    pub version: Version,
}

/// A cell's version, from the host's global counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version(pub u32);

/// Why a cell was not read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CellError {
    /// Another worker wrote first: read again.
    #[error("another worker changed the cell")]
    Conflict,
    /// The host refused, or conflicts did not end.
    #[error("shared data is unavailable")]
    Unavailable,
}

/// Storage for cells. The filter's is Envoy's shared data; the tests have one that can be made to conflict.
pub trait Cells {
    /// Reads a cell; an absent one is an empty [`Cell`], not an error.
    fn get(&self, key: &str) -> Result<Cell, CellError>;

    /// Writes a cell if it still has `version`.
    ///
    /// With [`Version::ABSENT`] the write succeeds only where no such cell exists. (Envoy's host compares
    /// versions only of cells that exist, so a version that no cell ever has means "create": two workers
    /// that both saw nothing cannot both create.)
    fn set(&self, key: &str, bytes: &[u8], version: Version) -> Result<(), CellError>;

    /// What is known of the counter that versions are drawn from, where this storage belongs to one worker and keeps
    /// that in step with its reads and writes. Without it, each write needs a read before it.
    fn floor(&self) -> Option<&Floor> {
        None
    }
}

/// What [`update`] does with a cell after looking at it.
#[derive(Debug)]
pub enum Update<T> {
    /// Write these bytes, then return the value.
    Write(Vec<u8>, T),
    /// Leave the cell as it is and return the value.
    Keep(T),
}

// === impl Version ===

impl Version {
    /// The version of a cell that does not exist. The host counts up from 1 and never gets here.
    pub const ABSENT: Self = Self(u32::MAX);

    /// Writes whatever the cell's version is (to the host, zero means unconditional). Only for a cell that has
    /// one writer at a time by other means.
    pub const ANY: Self = Self(0);
}

/// Reads a cell, decides, writes; again if another worker wrote in between. `decide` sees an empty slice for
/// an absent cell and may run several times.
pub fn update<C, T>(cells: &C, key: &str, mut decide: impl FnMut(&[u8]) -> Update<T>) -> Result<T, CellError>
where
    C: Cells + ?Sized,
{
    for _ in 0..MAX_ROUNDS {
        let cell = cells.get(key)?;
        match decide(&cell.bytes) {
            Update::Keep(value) => return Ok(value),
            Update::Write(bytes, value) => match cells.set(key, &bytes, cell.version) {
                Ok(()) => return Ok(value),
                Err(CellError::Conflict) => {}
                Err(CellError::Unavailable) => return Err(CellError::Unavailable),
            },
        }
    }
    Err(CellError::Unavailable)
}
