use std::cell::RefCell;
use std::collections::HashMap;

use proptest::prelude::*;

use super::super::{Cell, CellError, Floor, MemoryCells, OneWorker};
use super::*;

const T0: u64 = 1_700_000_000_000;

/// A worker that counts in cells.
struct Counter<C> {
    cells: C,
    recall: Recall,
}

impl<C: Cells> Counter<C> {
    fn new(cells: C) -> Self {
        Self {
            cells,
            recall: Recall::default(),
        }
    }

    /// Adds one to a cell, from what is remembered of it where anything is.
    fn count(&self, place: u64, now: UnixMillis) {
        let name = format!("c/{place}");
        let mut remembered = self.recall.take(place, now);
        loop {
            let (bytes, version, is_recalled) = match remembered.take() {
                Some(written) => (written.bytes, written.version, true),
                None => {
                    let cell = self.cells.get(&name).unwrap();
                    (cell.bytes, cell.version, false)
                }
            };
            let more = (number(&bytes) + 1).to_le_bytes();
            let stored = self.cells.set(&name, &more, version);
            if is_recalled {
                self.recall.guessed(stored.is_ok(), now);
            }
            if stored.is_ok() {
                return self.recall.wrote(&self.cells, place, name, more.to_vec(), now);
            }
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

/// What happens: who does it, to which cell, whether it is counted or written past everything that remembers, and
/// how much later.
fn steps() -> impl Strategy<Value = Vec<(usize, u64, bool, u64)>> {
    // Runs of one worker, in which guesses succeed.
    let wait = prop_oneof![20 => Just(0), 4 => 1_u64..50, 1 => 900_u64..70_000];
    let step = (0_usize..3, 0_u64..4, prop::bool::weighted(0.9), wait, 1_usize..8);
    prop::collection::vec(step, 1..150).prop_map(|steps| {
        let runs = steps.into_iter().map(|(who, place, is_counted, wait, times)| {
            (0..times as u64).map(move |time| {
                (
                    who,
                    (place + time) % 4,
                    is_counted,
                    if time == 0 { wait } else { 0 },
                )
            })
        });
        runs.flatten().collect()
    })
}

/// A host that counts each cell's writes, as no Envoy does that the filter runs in.
#[derive(Default)]
struct PerCell {
    cells: RefCell<HashMap<String, (Vec<u8>, u32)>>,
}

struct PerCellWorker<'a> {
    shared: &'a PerCell,
    floor: Floor,
}

impl Cells for PerCellWorker<'_> {
    fn get(&self, key: &str) -> Result<Cell, CellError> {
        let cells = self.shared.cells.borrow();
        let Some((bytes, version)) = cells.get(key).cloned() else {
            return Ok(Cell {
                bytes: Vec::new(),
                version: Version::ABSENT,
            });
        };
        Ok(Cell {
            bytes,
            version: Version(version),
        })
    }

    fn set(&self, key: &str, bytes: &[u8], version: Version) -> Result<(), CellError> {
        let mut cells = self.shared.cells.borrow_mut();
        let cell = cells.entry(key.to_owned()).or_insert((Vec::new(), 0));
        if cell.1 != 0 && version != Version::ANY && version.0 != cell.1 {
            return Err(CellError::Conflict);
        }
        *cell = (bytes.to_vec(), cell.1 + 1);
        self.floor.wrote();
        Ok(())
    }

    fn floor(&self) -> Option<&Floor> {
        Some(&self.floor)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// However workers come in between each other, and wherever the counter of versions starts anew.
    #[test]
    fn no_count_is_lost(steps in steps(), left in prop_oneof![0_u32..300, Just(u32::MAX - 1)]) {
        let shared = MemoryCells::new();
        shared.count_from(u32::MAX - 1 - left);
        let workers = [0; 3].map(|_| Counter::new(OneWorker::new(&shared)));
        let (mut now, mut expected) = (T0, [0_u64; 4]);
        for (who, place, is_counted, wait) in steps {
            now += wait;
            let name = format!("c/{place}");
            if is_counted {
                workers[who].count(place, UnixMillis(now));
                expected[place as usize] += 1;
            } else {
                shared.poke(&name, &77_u64.to_le_bytes());
                expected[place as usize] = 77;
            }
            prop_assert_eq!(number(&shared.peek(&name)), expected[place as usize]);
        }
    }

    #[test]
    fn the_floor_is_never_above_what_the_host_has_drawn(
        steps in prop::collection::vec((0_usize..2, 0_u8..3, prop::bool::weighted(0.8)), 1..200),
        left in 0_u32..150,
    ) {
        let shared = MemoryCells::new();
        shared.count_from(u32::MAX - left);
        let mut drawn: u32 = u32::MAX - left;
        let workers = [0; 2].map(|_| OneWorker::new(&shared));
        for (who, cell, is_unseen) in steps {
            let name = format!("c/{cell}");
            if is_unseen {
                workers[who].set(&name, b"x", Version::ANY).unwrap();
                drawn = drawn.checked_add(1).unwrap_or(1);
            } else {
                // As after a write of its own.
                workers[who].set(&name, b"x", Version::ANY).unwrap();
                drawn = drawn.checked_add(1).unwrap_or(1);
                let version = workers[who].get(&name).unwrap().version;
                workers[who].floor().unwrap().is(version);
            }
            for worker in &workers {
                let floor = worker.floor().and_then(Floor::version);
                prop_assert!(floor.is_none_or(|floor| !is_later(floor.0, drawn)), "{floor:?} of {drawn}");
            }
        }
    }
}

#[test]
fn a_worker_alone_reads_nothing_twice() {
    let shared = MemoryCells::new();
    let worker = Counter::new(OneWorker::new(&shared));
    for place in 0..4 {
        worker.count(place, UnixMillis(T0));
    }
    shared.take_calls();
    for round in 0..1_000 {
        // What the worker writes beside it is counted.
        worker.cells.set("beside", b"x", Version::ANY).unwrap();
        worker.count(round % 4, UnixMillis(T0 + round));
    }
    let calls = shared.take_calls();
    assert!(calls.gets <= 5, "{calls:?}");
    assert_eq!(calls.conflicts, 0);
}

#[test]
fn workers_in_each_others_way_soon_stop_guessing() {
    let shared = MemoryCells::new();
    let workers = [0; 2].map(|_| Counter::new(OneWorker::new(&shared)));
    for round in 0..100_000_u64 {
        let now = UnixMillis(T0 + round);
        workers[(round % 2) as usize].count(round % 3, now);
    }
    let calls = shared.take_calls();
    assert!(calls.conflicts < 200, "{calls:?}");
    assert!(calls.gets < 100_500, "{calls:?}");
}

#[test]
fn after_a_while_a_worker_that_is_alone_again_guesses_again() {
    let shared = MemoryCells::new();
    let workers = [0; 2].map(|_| Counter::new(OneWorker::new(&shared)));
    for round in 0..100 {
        workers[round % 2].count(0, UnixMillis(T0));
    }
    let later = UnixMillis(T0 + MAX_PAUSE_MS);
    for _ in 0..10 {
        workers[0].count(0, later);
    }
    shared.take_calls();
    for _ in 0..100 {
        workers[0].count(0, later);
    }
    assert_eq!(shared.take_calls().gets, 0);
}

#[test]
fn where_versions_are_counted_by_the_cell_nothing_is_guessed() {
    let shared = PerCell::default();
    let workers = [0; 2].map(|_| {
        Counter::new(PerCellWorker {
            shared: &shared,
            floor: Floor::default(),
        })
    });
    let mut expected = [0_u64; 3];
    for round in 0..3_000_usize {
        // One cell is ahead of the others.
        let place = [0, 0, 0, 0, 1, 0, 2][round % 7];
        workers[round / 11 % 2].count(place, UnixMillis(T0 + round as u64));
        expected[place as usize] += 1;
        let cells = shared.cells.borrow();
        assert_eq!(number(&cells[&format!("c/{place}")].0), expected[place as usize]);
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let shared = MemoryCells::new();
    let worker = OneWorker::new(&shared);
    let recall = Recall::default();
    for place in 0..5_000_u64 {
        let (key, bytes) = (format!("c/{place}"), vec![7; 100 * (place % 40) as usize]);
        worker.set(&key, &bytes, Version::ANY).unwrap();
        recall.wrote(&worker, place, key, bytes, UnixMillis(T0));
        let state = recall.state.borrow();
        let bytes: usize = state.cells.values().map(|written| written.bytes.len()).sum();
        assert_eq!(state.bytes, bytes);
        assert!(state.cells.len() <= MAX_CELLS && bytes <= MAX_BYTES);
    }
}

#[test]
fn what_was_written_long_ago_is_not_relied_upon() {
    let shared = MemoryCells::new();
    let worker = Counter::new(OneWorker::new(&shared));
    for _ in 0..3 {
        worker.count(0, UnixMillis(T0));
    }
    assert!(worker.recall.take(0, UnixMillis(T0 + MAX_AGE_MS)).is_none());
    worker.count(0, UnixMillis(T0 + 1));
    assert!(
        worker.recall.take(0, UnixMillis(T0)).is_none(),
        "the clock jumped back"
    );
}
