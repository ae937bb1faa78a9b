use proptest::prelude::*;

use super::*;
use crate::cells::MemoryCells;
use crate::codec::{Reader, put};

const NOW: UnixMillis = UnixMillis(1_000_000);

/// An entry that is only its own end.
#[derive(Debug, Clone, PartialEq)]
struct Until(u64);

impl Entry for Until {
    const FORMAT: u8 = 9;
    fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.0);
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        Reader::new(bytes).int().map(Self)
    }
    fn absent_at(&self) -> UnixMillis {
        UnixMillis(self.0)
    }
}

fn subject(number: u128) -> Subject {
    Subject(
        number
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_le_bytes(),
    )
}

fn put_until(table: &Table<Until>, cells: &MemoryCells, number: u128, until: u64) {
    table
        .update(cells, subject(number), NOW, |_, _| {
            Change::Store(Some(Until(until)), ())
        })
        .unwrap();
}

fn get(table: &Table<Until>, cells: &MemoryCells, number: u128) -> Option<Until> {
    table.read(cells, subject(number), NOW).unwrap().entry
}

#[test]
fn an_entry_is_found_again() {
    let (cells, table) = (MemoryCells::new(), Table::new("t", 1000));
    for number in 0..100 {
        put_until(&table, &cells, number, 2_000_000 + number as u64);
    }
    for number in 0..100 {
        assert_eq!(
            get(&table, &cells, number),
            Some(Until(2_000_000 + number as u64))
        );
    }
    assert_eq!(get(&table, &cells, 100), None);
}

#[test]
fn as_many_subjects_as_configured_find_room() {
    let (cells, table) = (MemoryCells::new(), Table::new("t", 10_000));
    for number in 0..10_000 {
        put_until(&table, &cells, number, 2_000_000);
    }
    let kept = (0..10_000)
        .filter(|number| get(&table, &cells, *number).is_some())
        .count();
    assert!(kept > 9_950, "{kept} of 10000");
}

#[test]
fn cells_are_bounded_whatever_subjects_come() {
    let (cells, table) = (MemoryCells::new(), Table::new("t", 100));
    for number in 0..20_000 {
        put_until(&table, &cells, number, 2_000_000);
    }
    let largest = cells
        .contents()
        .iter()
        .map(|(_, bytes)| bytes.len())
        .max()
        .unwrap();
    assert!(cells.keys().len() <= 13, "{}", cells.keys().len());
    assert!(largest < 16 * 24, "{largest} bytes");
}

#[test]
fn an_entry_that_says_nothing_is_dropped_at_the_next_write() {
    let (cells, table) = (MemoryCells::new(), Table::<Until>::new("t", 1));
    put_until(&table, &cells, 1, NOW.0 + 10);
    let stored = cells.peek("t/0").len();
    table
        .update(&cells, subject(1), UnixMillis(NOW.0 + 10), |entry, _| {
            assert_eq!(entry, None);
            Change::Store(Some(Until(NOW.0)), ())
        })
        .unwrap();
    assert!(cells.peek("t/0").len() < stored);
}

#[test]
fn nothing_is_written_where_nothing_was_and_nothing_is() {
    let (cells, table) = (MemoryCells::new(), Table::<Until>::new("t", 10));
    table
        .update(&cells, subject(1), NOW, |_, _| Change::Store(None, ()))
        .unwrap();
    assert_eq!(cells.take_calls().sets, 0);
}

#[test]
fn stamps_are_given_once() {
    let (cells, table) = (MemoryCells::new(), Table::<Until>::new("t", 10));
    let mut seen = Vec::new();
    for _ in 0..5 {
        let stamp = table.update(&cells, subject(1), NOW, |_, stamps| {
            Change::Store(Some(Until(2_000_000)), stamps.fresh())
        });
        seen.push(stamp.unwrap());
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

#[test]
fn a_conflict_is_read_and_decided_again() {
    let (cells, table) = (MemoryCells::new(), Table::<Until>::new("t", 10));
    cells.conflict_next(3);
    let mut rounds = 0;
    table
        .update(&cells, subject(1), NOW, |_, _| {
            rounds += 1;
            Change::Store(Some(Until(2_000_000)), ())
        })
        .unwrap();
    assert_eq!(rounds, 4);
}

proptest! {
    #[test]
    fn the_entry_closest_to_absence_makes_room(ends in prop::collection::vec(1_u64..1_000_000, 5..40)) {
        let (cells, table) = (MemoryCells::new(), Table::new("t", 4));
        for (number, end) in ends.iter().enumerate() {
            let before: Vec<u64> = (0..number)
                .filter_map(|other| get(&table, &cells, other as u128))
                .map(|until| until.0)
                .collect();
            put_until(&table, &cells, number as u128, NOW.0 + end);
            prop_assert_eq!(get(&table, &cells, number as u128), Some(Until(NOW.0 + end)));
            let mut expected = before;
            expected.sort_unstable_by_key(|end| std::cmp::Reverse(*end));
            expected.truncate(3);
            let mut after: Vec<u64> = (0..number)
                .filter_map(|other| get(&table, &cells, other as u128))
                .map(|until| until.0)
                .collect();
            after.sort_unstable_by_key(|end| std::cmp::Reverse(*end));
            prop_assert_eq!(after, expected);
        }
    }

    #[test]
    fn a_corrupt_cell_is_empty(bytes: Vec<u8>, cut in 0_usize..200) {
        let (cells, table) = (MemoryCells::new(), Table::new("t", 1));
        cells.poke("t/0", &bytes);
        let _ = get(&table, &cells, 1);
        put_until(&table, &cells, 1, 2_000_000);
        prop_assert_eq!(get(&table, &cells, 1), Some(Until(2_000_000)));
        let whole = cells.peek("t/0");
        cells.poke("t/0", &whole[..cut.min(whole.len() - 1)]);
        prop_assert_eq!(get(&table, &cells, 1), None);
    }
}
