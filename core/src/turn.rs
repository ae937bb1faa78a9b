//! Work that one worker does for all: whose turn it is.

use std::time::Duration;

use crate::cells::{CellError, Cells, Update, update};
use crate::time::UnixNanos;

/// Takes the turn that a cell stands for, if it is due. Whoever takes it and does nothing leaves the next one,
/// after `every`, to whoever comes first.
///
/// # Errors
/// The host's.
pub fn take(cells: &dyn Cells, cell: &str, every: Duration, now: UnixNanos) -> Result<bool, CellError> {
    let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
    let now_ms = now.millis().0;
    update(cells, cell, |bytes| {
        let next_ms = <[u8; 8]>::try_from(bytes).map_or(0, u64::from_le_bytes);
        // A turn far in the future is one from before the clock jumped back.
        if next_ms > now_ms && next_ms <= now_ms.saturating_add(every_ms) {
            return Update::Keep(false);
        }
        Update::Write(now_ms.saturating_add(every_ms).to_le_bytes().to_vec(), true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::MemoryCells;

    const EVERY: Duration = Duration::from_millis(500);

    fn at(ms: u64) -> UnixNanos {
        UnixNanos((1_000_000 + ms) * 1_000_000)
    }

    #[test]
    fn one_worker_at_a_time_has_the_turn() {
        let cells = MemoryCells::new();
        let taken: Vec<bool> = [0, 1, 499, 501]
            .map(|ms| take(&cells, "turn", EVERY, at(ms)).unwrap())
            .into();
        assert_eq!(taken, [true, false, false, true]);
    }

    #[test]
    fn a_clock_that_jumps_back_stops_nothing() {
        let cells = MemoryCells::new();
        take(&cells, "turn", EVERY, at(900_000)).unwrap();
        assert_eq!(take(&cells, "turn", EVERY, at(0)), Ok(true));
    }
}
