//! What all limits of one group have counted for one subject: one entry of the group's table.
//!
//! A record names its limit by id, and its bytes are read only by that limit; the others are copied. So a configuration
//! that was reloaded goes on where the old one was, and while both are in use (requests in flight keep the old one)
//! neither loses what the other counted.

use super::meter::{Meter, Rule};
use crate::codec::Reader;
use crate::time::UnixMillis;

/// Changes with the encoding of an entry, down to a meter's: cells of another format read as empty.
pub(super) const FORMAT: u8 = 5;
/// More than one configuration's limits, fewer than bytes that grow with every reload.
const MAX_RECORDS: usize = 128;

/// What one limit has counted, where it stands in the cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// The limit's id.
    pub(super) id: u32,
    /// What is written in front of the meter, beside the id.
    pub(super) head: Head,
    /// From when on the record says nothing.
    absent_at: UnixMillis,
    /// The meter's bytes.
    pub(super) body: &'a [u8],
}

/// What a record says beside its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Unique in the set: a reservation is given back only to the record that it was taken from.
    pub(super) birth: u32,
    /// The newest reset that it was made after; 0 where there was none.
    pub(super) generation: u64,
}

/// Writes an entry, record by record.
#[derive(Debug)]
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    now: UnixMillis,
    count: usize,
    absent_at: UnixMillis,
}

/// The records of an entry, up to the first that makes no sense.
pub(super) fn read(entry: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut reader = Reader::new(entry);
    std::iter::from_fn(move || Record::read(&mut reader))
}

// === impl Record ===

impl<'a> Record<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let id = reader.fixed_u32()?;
        let head = Head {
            birth: reader.fixed_u32()?,
            generation: reader.fixed_u64()?,
        };
        let absent_at = UnixMillis(reader.fixed_u64()?);
        let len = reader.fixed_u16()?.into();
        let body = reader.take(len)?;
        Some(Self {
            id,
            head,
            absent_at,
            body,
        })
    }
}

// === impl Writer ===

impl<'o> Writer<'o> {
    /// Appends to `out`; what says nothing at `now` is left out.
    pub(super) const fn new(out: &'o mut Vec<u8>, now: UnixMillis) -> Self {
        let start = out.len();
        Self {
            out,
            start,
            now,
            count: 0,
            absent_at: now,
        }
    }

    /// Appends a record as it was read.
    pub(super) fn keep(&mut self, record: &Record<'_>) {
        if self.put_head(record.id, record.head, record.absent_at, record.body.len()) {
            self.out.extend_from_slice(record.body);
        }
    }

    /// Appends a record.
    pub(super) fn put(&mut self, id: u32, head: Head, rule: &Rule, meter: &Meter) {
        let absent_at = UnixMillis(rule.absent_at_ms(meter));
        if self.put_head(id, head, absent_at, rule.encoded_len(meter)) {
            rule.encode(meter, self.out);
        }
    }

    /// From when on the entry says nothing. Where there is too much in it, what is closest to that is dropped.
    pub(super) fn finish(self) -> UnixMillis {
        if self.count > MAX_RECORDS {
            let entry = self.out.split_off(self.start);
            let mut records: Vec<Record<'_>> = read(&entry).collect();
            records.sort_by_key(|record| std::cmp::Reverse(record.absent_at));
            let mut kept = Self::new(self.out, self.now);
            for record in records.iter().take(MAX_RECORDS) {
                kept.keep(record);
            }
        }
        self.absent_at
    }

    fn put_head(&mut self, id: u32, head: Head, absent_at: UnixMillis, len: usize) -> bool {
        // No meter has so many bytes.
        let Some(len) = u16::try_from(len).ok().filter(|_| absent_at > self.now) else {
            return false;
        };
        self.count += 1;
        self.absent_at = self.absent_at.max(absent_at);
        // In words, so that the bytes are grown once: the id stands before the birth.
        let id_and_birth = u64::from(head.birth) << u32::BITS | u64::from(id);
        let words = [id_and_birth, head.generation, absent_at.0].map(u64::to_le_bytes);
        self.out.extend_from_slice(words.as_flattened());
        self.out.extend_from_slice(&len.to_le_bytes());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::window::Window;

    #[test]
    fn of_too_many_records_those_closest_to_saying_nothing_go() {
        let mut out = b"in front".to_vec();
        let mut writer = Writer::new(&mut out, UnixMillis(1_000));
        let head = Head {
            birth: 1,
            generation: 0,
        };
        let (rule, mut meter) = (Rule::Window(Window::new(10, 60_000)), Meter::default());
        for id in 0..200_u32 {
            meter.taken.clear();
            meter.taken.add(u64::from(id), 1);
            writer.put(id, head, &rule, &meter);
        }
        let absent_at = writer.finish();
        assert_eq!(absent_at.0, rule.absent_at_ms(&meter));
        let entry = out.strip_prefix(b"in front").unwrap();
        let ids: Vec<u32> = read(entry).map(|record| record.id).collect();
        assert_eq!(ids, (72..200).rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_record_that_is_cut_off_ends_the_entry() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, UnixMillis(0));
        let head = Head {
            birth: 7,
            generation: 3,
        };
        let (rule, mut meter) = (Rule::Window(Window::new(10, 60_000)), Meter::default());
        meter.taken.add(1_000, 1);
        writer.put(1, head, &rule, &meter);
        writer.put(2, head, &rule, &meter);
        writer.finish();
        assert_eq!(read(&out).count(), 2);
        for cut in out.len() / 2..out.len() {
            assert_eq!(
                read(&out[..cut]).map(|record| record.head).collect::<Vec<_>>(),
                [head]
            );
        }
    }
}
