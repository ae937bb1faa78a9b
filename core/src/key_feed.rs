//! The sidecar's list of changed keys, followed by one worker at a time for all.
//!
//! A gateway caches keys for long, so that it works while the sidecar is away; what keeps the cache right is
//! this list: a key that was revoked is refused within a second or two, on every gateway.

use std::time::Duration;

use crate::cells::{CellError, Cells, Update, update};
use crate::table::KeyCache;
use crate::time::UnixNanos;
use crate::turn;
use crate::wire::{KeyChanges, KeyChangesRequest};

/// How often the list is read.
const EVERY: Duration = Duration::from_millis(500);

const TURN: &str = "tollgate/1/feed/turn";

/// The version that was seen last: eight bytes, empty before the first.
const POSITION: &str = "tollgate/1/feed";

/// The question to ask now, if it is this worker's turn.
///
/// # Errors
/// The host's.
pub fn take_turn(cells: &dyn Cells, now: UnixNanos) -> Result<Option<KeyChangesRequest>, CellError> {
    if !turn::take(cells, TURN, EVERY, now)? {
        return Ok(None);
    }
    let after = position(&cells.get(POSITION)?.bytes);
    Ok(Some(KeyChangesRequest { after }))
}

/// Takes the changes over. Where there is more, the caller asks again at once.
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
    update(cells, POSITION, |bytes| {
        if position(bytes) == Some(changes.version) {
            return Update::Keep(());
        }
        Update::Write(changes.version.to_le_bytes().to_vec(), ())
    })
}

/// Whether changes from now on will be heard of. What is cached before could change without anyone saying so.
pub fn is_followed(cells: &dyn Cells) -> bool {
    cells
        .get(POSITION)
        .is_ok_and(|cell| position(&cell.bytes).is_some())
}

fn position(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::MemoryCells;

    fn at(ms: u64) -> UnixNanos {
        UnixNanos((1_000_000 + ms) * 1_000_000)
    }

    #[test]
    fn the_next_question_is_about_what_came_after() {
        let cells = MemoryCells::new();
        let cache = crate::config::parse(b"{}").unwrap().key_cache;
        assert_eq!(
            take_turn(&cells, at(0)),
            Ok(Some(KeyChangesRequest { after: None }))
        );
        assert_eq!(take_turn(&cells, at(1)), Ok(None), "another worker has asked");
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
            take_turn(&cells, at(501)),
            Ok(Some(KeyChangesRequest { after: Some(7) }))
        );
    }

    #[test]
    fn a_ledger_that_was_restored_starts_the_list_again() {
        let cells = MemoryCells::new();
        let cache = crate::config::parse(b"{}").unwrap().key_cache;
        apply(
            &cells,
            &cache,
            &KeyChanges {
                version: 9,
                ..KeyChanges::default()
            },
            at(0),
        )
        .unwrap();
        apply(
            &cells,
            &cache,
            &KeyChanges {
                version: 2,
                ..KeyChanges::default()
            },
            at(1),
        )
        .unwrap();
        assert_eq!(
            take_turn(&cells, at(2)),
            Ok(Some(KeyChangesRequest { after: Some(2) }))
        );
    }
}
