//! The bytes of one set: `format, entry format, last stamp, (tag, absent at, length, body)*`.

use std::ops::Range;

use crate::codec::{Reader, put, put_bytes};
use crate::time::UnixMillis;

/// Changes with the layout of this file.
const FORMAT: u8 = 1;

/// A set, with its entries' bodies left where they stand.
#[derive(Debug, Default)]
pub(super) struct Content {
    bytes: Vec<u8>,
    last_stamp: u32,
    slots: Vec<Slot>,
}

/// One entry of a set.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    tag: u64,
    /// From when on the entry says nothing.
    pub(super) absent_at: UnixMillis,
    body: Range<usize>,
}

// === impl Content ===

impl Content {
    /// Reads a cell. Whatever does not parse to the last byte is an empty set.
    pub(super) fn parse(entry_format: u8, bytes: Vec<u8>) -> Self {
        match parse(entry_format, &bytes) {
            Some((last_stamp, slots)) => Self {
                bytes,
                last_stamp,
                slots,
            },
            None => Self::default(),
        }
    }

    /// Takes an entry out of the set.
    pub(super) fn remove(&mut self, tag: u64) -> Option<Slot> {
        let at = self.slots.iter().position(|slot| slot.tag == tag)?;
        Some(self.slots.swap_remove(at))
    }

    /// The bytes of an entry.
    pub(super) fn body(&self, slot: &Slot) -> &[u8] {
        self.bytes.get(slot.body.clone()).unwrap_or_default()
    }

    /// Drops what says nothing any more.
    pub(super) fn drop_absent(&mut self, now: UnixMillis) {
        self.slots.retain(|slot| slot.absent_at > now);
    }

    /// Drops the entries closest to saying nothing until at most `max` are left.
    pub(super) fn make_room(&mut self, max: usize) {
        if self.slots.len() > max {
            self.slots.sort_by_key(|slot| std::cmp::Reverse(slot.absent_at));
            self.slots.truncate(max);
        }
    }

    /// A number that this set has not given out before.
    pub(super) fn next_stamp(&mut self) -> u32 {
        self.last_stamp = self.last_stamp.wrapping_add(1);
        self.last_stamp
    }

    /// The cell's bytes, with one more entry.
    pub(super) fn encode(&self, entry_format: u8, own: Option<(u64, UnixMillis, Vec<u8>)>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 64);
        out.extend([FORMAT, entry_format]);
        put(&mut out, self.last_stamp);
        if let Some((tag, absent_at, body)) = own {
            put_slot(&mut out, tag, absent_at, &body);
        }
        for slot in &self.slots {
            put_slot(&mut out, slot.tag, slot.absent_at, self.body(slot));
        }
        out
    }
}

fn parse(entry_format: u8, bytes: &[u8]) -> Option<(u32, Vec<Slot>)> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != FORMAT || reader.byte()? != entry_format {
        return None;
    }
    let last_stamp = reader.int()?;
    let mut slots = Vec::new();
    while !reader.is_empty() {
        let tag = u64::from_le_bytes(reader.array()?);
        let absent_at = UnixMillis(reader.int()?);
        let len = reader.bytes()?.len();
        let end = bytes.len() - reader.rest().len();
        slots.push(Slot {
            tag,
            absent_at,
            body: end - len..end,
        });
    }
    Some((last_stamp, slots))
}

fn put_slot(out: &mut Vec<u8>, tag: u64, absent_at: UnixMillis, body: &[u8]) {
    out.extend(tag.to_le_bytes());
    put(out, absent_at.0);
    put_bytes(out, body);
}
