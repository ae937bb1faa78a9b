use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::cells::MemoryCells;

const SECOND: u64 = 1_000_000_000;

fn at(seconds: u64) -> UnixNanos {
    UnixNanos((1_000 + seconds) * SECOND)
}

/// Ticks until every owner that is silent has been found to be.
fn watch(writer: &mut Writer, cells: &MemoryCells, from: u64) -> Option<Batch> {
    let ticks = u64::from(SEARCH_EVERY * (SILENT_SEARCHES + 2));
    (0..ticks).find_map(|tick| writer.tick(cells, UnixNanos(at(from).0 + tick * SECOND / 4)))
}

fn writer(name: u8) -> Writer {
    Writer::new([name; 16], 100)
}

fn events(batch: &Batch) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_slice(&batch.body).unwrap();
    let events: Vec<String> = body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(events.len(), batch.events);
    events
}

#[test]
fn a_finished_record_is_sent_once() {
    let (cells, mut writer) = (MemoryCells::new(), writer(1));
    let slot = writer.open(&cells, b"\"open\"", at(0)).unwrap();
    assert_eq!(writer.tick(&cells, at(1)), None);
    writer.done(&cells, slot, b"\"done\"", at(1)).unwrap();
    assert_eq!(events(&writer.tick(&cells, at(2)).unwrap()), ["done"]);
    writer.sent();
    assert_eq!((writer.pending(), writer.tick(&cells, at(3))), (0, None));
}

#[test]
fn while_a_batch_is_on_its_way_there_is_no_other_and_one_that_failed_is_sent_again() {
    let (cells, mut writer) = (MemoryCells::new(), writer(1));
    for event in ["\"a\"", "\"b\""] {
        writer.record(&cells, event.as_bytes(), at(0)).unwrap();
    }
    assert_eq!(events(&writer.tick(&cells, at(1)).unwrap()), ["a", "b"]);
    writer.record(&cells, b"\"c\"", at(1)).unwrap();
    assert_eq!(writer.tick(&cells, at(2)), None);
    writer.unsent();
    assert_eq!(events(&writer.tick(&cells, at(3)).unwrap()), ["a", "b", "c"]);
}

#[test]
fn what_a_dead_worker_left_is_sent_by_one_other_as_it_stands() {
    let cells = MemoryCells::new();
    let (mut dead, mut heir, mut other) = (writer(1), writer(2), writer(3));
    dead.open(&cells, b"\"open\"", at(0)).unwrap();
    let slot = dead.open(&cells, b"\"was open\"", at(0)).unwrap();
    dead.done(&cells, slot, b"\"done\"", at(0)).unwrap();
    assert_eq!(
        heir.tick(&cells, at(1_000)),
        None,
        "one look does not tell that it is silent"
    );
    assert_eq!(events(&watch(&mut heir, &cells, 10).unwrap()), ["open", "done"]);
    assert_eq!(other.tick(&cells, at(20)), None, "it is adopted already");
    heir.sent();
    assert_eq!(heir.pending(), 0);
    for second in [38, 39] {
        assert_eq!(heir.tick(&cells, at(second)), None);
    }
    let keys = cells.keys().len();
    other.record(&cells, b"\"x\"", at(40)).unwrap();
    assert_eq!(cells.keys().len(), keys, "the drained segment can be had again");
    assert_eq!(events(&other.tick(&cells, at(40)).unwrap()), ["x"]);
}

#[test]
fn a_worker_that_was_only_slow_starts_a_new_segment_and_loses_nothing() {
    let cells = MemoryCells::new();
    let (mut slow, mut heir) = (writer(1), writer(2));
    let slot = slow.open(&cells, b"\"as opened\"", at(0)).unwrap();
    assert_eq!(events(&watch(&mut heir, &cells, 1).unwrap()), ["as opened"]);
    slow.done(&cells, slot, b"\"as it was\"", at(21)).unwrap();
    heir.sent();
    assert_eq!(events(&slow.tick(&cells, at(21)).unwrap()), ["as it was"]);
}

#[test]
fn a_worker_that_dies_while_it_looks_after_a_dead_one_leaves_both_to_the_next() {
    let cells = MemoryCells::new();
    let (mut dead, mut heir, mut next) = (writer(1), writer(2), writer(3));
    dead.open(&cells, b"\"as opened\"", at(0)).unwrap();
    let lost = (0..u64::from(SEARCH_EVERY * SILENT_SEARCHES * 2)).find_map(|tick| {
        assert_eq!(
            heir.tick(&cells, at(tick)),
            None,
            "nothing is adopted before its owner is known as lost"
        );
        heir.take_lost().pop()
    });
    assert_eq!(lost, Some([1; 16]));
    // The heir dies before it has done anything about it.
    let batch = watch(&mut next, &cells, 1_000).unwrap();
    assert_eq!(
        (events(&batch), next.take_lost()),
        (vec!["as opened".to_owned()], vec![[1; 16]])
    );
}

#[test]
fn a_slow_worker_finds_its_segment_lost_though_the_clock_has_jumped_back_meanwhile() {
    let (cells, mut slow, mut other) = (MemoryCells::new(), writer(1), writer(2));
    slow.record(&cells, b"\"before\"", at(100)).unwrap();
    assert_eq!(events(&watch(&mut other, &cells, 100).unwrap()), ["before"]);
    other.sent();
    slow.record(&cells, b"\"after\"", at(60)).unwrap();
    assert_eq!(events(&slow.tick(&cells, at(61)).unwrap()), ["after"]);
}

#[test]
fn a_clock_that_jumps_makes_nobody_seem_dead() {
    let cells = MemoryCells::new();
    let (mut alive, mut other) = (writer(1), writer(2));
    alive.open(&cells, b"\"open\"", at(0)).unwrap();
    for hour in [1, 0, 2] {
        for tick in 0..100 {
            assert_eq!(alive.tick(&cells, at(hour * 3_600 + tick)), None);
            assert_eq!(other.tick(&cells, at(hour * 3_600 + tick)), None);
        }
    }
}

#[test]
fn a_full_journal_refuses_and_refusals_get_half_of_it() {
    let (cells, mut writer) = (MemoryCells::new(), Writer::new([1; 16], 4));
    for _ in 0..2 {
        writer.record(&cells, b"1", at(0)).unwrap();
    }
    assert_eq!(writer.record(&cells, b"1", at(0)), Err(JournalError::Full));
    for _ in 0..2 {
        writer.open(&cells, b"1", at(0)).unwrap();
    }
    assert_eq!(writer.open(&cells, b"1", at(0)), Err(JournalError::Full));
    assert_eq!(writer.pending(), 4);
}

#[test]
fn cells_are_used_again_so_that_keys_do_not_grow() {
    let (cells, mut writer) = (MemoryCells::new(), writer(1));
    for second in 0..50 {
        writer.record(&cells, b"1", at(second)).unwrap();
        writer.tick(&cells, at(second)).unwrap();
        writer.sent();
    }
    assert_eq!(cells.keys().len(), 2, "{:?}", cells.keys());
}

#[test]
fn an_exchange_costs_two_writes_and_no_reads() {
    let (cells, mut writer) = (MemoryCells::new(), writer(1));
    writer.record(&cells, b"1", at(0)).unwrap();
    cells.take_calls();
    let slot = writer.open(&cells, b"1", at(0)).unwrap();
    writer.done(&cells, slot, b"1", at(0)).unwrap();
    let calls = cells.take_calls();
    assert_eq!((calls.gets, calls.sets), (0, 2));
}

#[test]
fn cells_of_records_that_arrived_are_written_over_or_soon_emptied() {
    let (cells, mut writer) = (MemoryCells::new(), writer(1));
    let record = |writer: &mut Writer, event: &[u8]| {
        let slot = writer.open(&cells, event, at(0)).unwrap();
        writer.done(&cells, slot, event, at(0)).unwrap();
    };
    let held = || {
        let keys = cells.keys().into_iter();
        keys.filter(|key| cells.get(key).unwrap().bytes.len() == 3)
            .count()
    };
    for event in [b"\"a\"", b"\"b\"", b"\"c\""] {
        record(&mut writer, event);
    }
    writer.tick(&cells, at(1)).unwrap();
    cells.take_calls();
    writer.sent();
    assert_eq!(
        cells.take_calls().sets,
        0,
        "no cell is written only to be emptied"
    );
    record(&mut writer, b"\"d\"");
    assert_eq!(held(), 3, "what has arrived is written over");
    assert_eq!(events(&writer.tick(&cells, at(1)).unwrap()), ["d"]);
    writer.sent();
    assert_eq!(writer.tick(&cells, at(1)), None);
    assert_eq!(held(), 1, "and emptied, if there was no need of it for two ticks");
    assert_eq!(writer.tick(&cells, at(1)), None);
    assert_eq!((held(), writer.pending()), (0, 0));
}

#[test]
fn a_batch_is_bounded() {
    let (cells, mut writer) = (MemoryCells::new(), Writer::new([1; 16], 10_000));
    for _ in 0..1_500 {
        writer.record(&cells, b"1", at(0)).unwrap();
    }
    assert_eq!(writer.tick(&cells, at(1)).unwrap().events, MAX_BATCH_EVENTS);
    writer.sent();
    assert_eq!(writer.tick(&cells, at(2)).unwrap().events, 500);
}

/// What may happen to a worker.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Open,
    Done,
    Tick {
        heard: bool,
    },
    Crash,
    /// It ticks for long while the others do not.
    Watch,
}

fn fate() -> impl Strategy<Value = (usize, Fate)> {
    let fate = prop_oneof![
        4 => Just(Fate::Open),
        4 => Just(Fate::Done),
        3 => any::<bool>().prop_map(|heard| Fate::Tick { heard }),
        1 => Just(Fate::Crash),
        1 => Just(Fate::Watch),
    ];
    (0..3_usize, fate)
}

proptest! {
    /// Whatever crashes, and whatever the sidecar hears, every record arrives: with its last words where its
    /// worker lived to say them.
    #[test]
    fn every_record_arrives(fates in proptest::collection::vec(fate(), 1..120)) {
        let cells = MemoryCells::new();
        let mut names = 0_u8;
        let mut new_writer = || {
            names += 1;
            Writer::new([names; 16], 1_000)
        };
        let mut workers: Vec<(Writer, Vec<(u32, Slot)>)> = (0..3).map(|_| (new_writer(), Vec::new())).collect();
        let mut expected: BTreeMap<u32, bool> = BTreeMap::new();
        let mut ledger: BTreeMap<u32, bool> = BTreeMap::new();
        let mut now = at(0);
        let mut deliver = |worker: &mut Writer, now: UnixNanos, heard: bool| {
            let Some(batch) = worker.tick(&cells, now) else { return };
            for event in events(&batch) {
                let (id, done) = event.split_once(' ').unwrap();
                let known = ledger.entry(id.parse().unwrap()).or_default();
                *known |= done == "done";
            }
            if heard { worker.sent() } else { worker.unsent() }
        };
        for (id, (index, fate)) in (0_u32..).zip(fates) {
            now = UnixNanos(now.0 + SECOND / 4);
            let (worker, open) = &mut workers[index];
            match fate {
                Fate::Open => {
                    let slot = worker.open(&cells, format!("\"{id} open\"").as_bytes(), now).unwrap();
                    open.push((id, slot));
                    expected.insert(id, false);
                }
                Fate::Done => {
                    if let Some((id, slot)) = open.pop() {
                        worker.done(&cells, slot, format!("\"{id} done\"").as_bytes(), now).unwrap();
                        expected.insert(id, true);
                    }
                }
                Fate::Tick { heard } => deliver(worker, now, heard),
                Fate::Crash => workers[index] = (new_writer(), Vec::new()),
                Fate::Watch => {
                    for _ in 0..SEARCH_EVERY * (SILENT_SEARCHES + 2) {
                        now = UnixNanos(now.0 + SECOND / 4);
                        deliver(worker, now, true);
                    }
                }
            }
        }
        // All are gone; one that comes after them sends what they left.
        let mut last = new_writer();
        for _ in 0..SEARCH_EVERY * (SILENT_SEARCHES + 4) {
            now = UnixNanos(now.0 + SECOND / 4);
            deliver(&mut last, now, true);
        }
        for (id, done) in expected {
            prop_assert!(ledger.contains_key(&id), "{id} is lost");
            prop_assert!(ledger[&id] || !done, "{id} lost its last words");
        }
    }
}

#[test]
fn what_has_just_finished_is_sent_without_being_read() {
    let (cells, mut writer) = (MemoryCells::new(), Writer::new([1; 16], 10_000));
    for _ in 0..5 {
        writer.record(&cells, b"1", at(0)).unwrap();
    }
    writer.tick(&cells, at(0));
    writer.unsent();
    cells.take_calls();
    assert_eq!(
        writer.full_batch(&cells),
        None,
        "there is little: it waits for the tick"
    );
    let batch = writer.next_batch(&cells).unwrap();
    assert_eq!((batch.events, cells.take_calls().gets), (5, 0));
}

#[test]
fn when_much_waits_the_next_batch_follows_at_once() {
    let (cells, mut writer) = (MemoryCells::new(), Writer::new([1; 16], 10_000));
    for _ in 0..3_700 {
        writer.record(&cells, b"1", at(0)).unwrap();
    }
    let mut sent = vec![writer.tick(&cells, at(0)).unwrap().events];
    assert_eq!(writer.full_batch(&cells), None, "one at a time");
    writer.sent();
    while let Some(batch) = writer.full_batch(&cells) {
        sent.push(batch.events);
        writer.sent();
    }
    assert_eq!(sent, [1_000, 1_000, 1_000, 700]);
    assert_eq!(writer.pending(), 0);
}
