//! The sidecar's list of changed keys, followed by one worker at a time for all.
//!
//! A gateway caches keys for long, so that it works while the sidecar is away; what keeps the cache right is
//! this list: a key that was revoked is refused within a second or two, on every gateway.

use std::time::Duration;

use crate::cells::{CellError, Cells, Update, update};
use crate::codec::{Reader, put};
use crate::table::KeyCache;
use crate::time::UnixNanos;
use crate::wire::{KeyChanges, KeyChangesRequest};

/// How often the list is read.
pub const EVERY: Duration = Duration::from_millis(500);

const CELL: &str = "tollgate/1/feed";

/// How far the list was read, and when it may be read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Position {
    /// One more than the version that was seen last; zero before the first.
    after: u64,
    next_ms: u64,
}

/// The question to ask now, if it is this worker's turn. A worker that does not ask, or gets no answer, leaves
/// the turn to whoever comes next.
///
/// # Errors
/// The host's.
pub fn take_turn(cells: &dyn Cells, now: UnixNanos) -> Result<Option<KeyChangesRequest>, CellError> {
    let now_ms = now.millis().0;
    let wait_ms = millis(EVERY);
    update(cells, CELL, |bytes| {
        let position = Position::read(bytes);
        // A turn far in the future is one from before the clock jumped back.
        if position.next_ms > now_ms && position.next_ms <= now_ms.saturating_add(wait_ms) {
            return Update::Keep(None);
        }
        let taken = Position {
            next_ms: now_ms.saturating_add(wait_ms),
            ..position
        };
        Update::Write(
            taken.write(),
            Some(KeyChangesRequest {
                after: position.after.checked_sub(1),
            }),
        )
    })
}

/// Takes the changes over. Where there is more, the next turn is now.
///
/// # Errors
/// The host's; the changes are then asked for again.
pub fn apply(
    cells: &dyn Cells,
    cache: &KeyCache,
    changes: &KeyChanges,
    now: UnixNanos,
) -> Result<(), CellError> {
    for record in &changes.keys {
        cache.changed(cells, record, now.millis())?;
    }
    update(cells, CELL, |bytes| {
        let position = Position::read(bytes);
        let next_ms = if changes.more { 0 } else { position.next_ms };
        let after = changes.version.saturating_add(1).max(position.after);
        Update::Write(Position { after, next_ms }.write(), ())
    })
}

// === impl Position ===

impl Position {
    fn read(bytes: &[u8]) -> Self {
        Self::parse(bytes).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(Self {
            after: reader.int()?,
            next_ms: reader.int()?,
        })
    }

    fn write(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        put(&mut out, self.after);
        put(&mut out, self.next_ms);
        out
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::MemoryCells;

    fn at(ms: u64) -> UnixNanos {
        UnixNanos((1_000_000 + ms) * 1_000_000)
    }

    #[test]
    fn one_worker_at_a_time_asks() {
        let cells = MemoryCells::new();
        assert_eq!(
            take_turn(&cells, at(0)),
            Ok(Some(KeyChangesRequest { after: None }))
        );
        assert_eq!(take_turn(&cells, at(1)), Ok(None));
        assert!(take_turn(&cells, at(501)).unwrap().is_some());
    }

    #[test]
    fn the_next_question_is_about_what_came_after() {
        let cells = MemoryCells::new();
        let cache = crate::config::parse(b"{}").unwrap().key_cache;
        apply(
            &cells,
            &cache,
            &KeyChanges {
                version: 7,
                ..KeyChanges::default()
            },
            at(0),
        )
        .unwrap();
        assert_eq!(
            take_turn(&cells, at(0)),
            Ok(Some(KeyChangesRequest { after: Some(7) }))
        );
        apply(
            &cells,
            &cache,
            &KeyChanges {
                version: 9,
                more: true,
                ..KeyChanges::default()
            },
            at(1),
        )
        .unwrap();
        assert_eq!(
            take_turn(&cells, at(1)),
            Ok(Some(KeyChangesRequest { after: Some(9) }))
        );
    }

    #[test]
    fn a_clock_that_jumps_back_does_not_stop_the_list() {
        let cells = MemoryCells::new();
        take_turn(&cells, at(900_000)).unwrap();
        assert!(take_turn(&cells, at(0)).unwrap().is_some());
    }
}
