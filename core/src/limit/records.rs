//! What all limits of one group have counted for one subject: one entry of the group's table.
//!
//! A record names its limit by id, and its bytes are read only by that limit. So a configuration that was
//! reloaded goes on where the old one was, and while both are in use (requests in flight keep the old one)
//! neither loses what the other counted.

use crate::codec::{Reader, put, put_bytes};
use crate::table::Entry;
use crate::time::UnixMillis;

/// More than one configuration's limits, fewer than bytes that grow with every reload.
const MAX_RECORDS: usize = 128;

/// The entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Records {
    records: Vec<Record>,
}

/// What one limit has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The limit's id.
    pub(super) id: u32,
    /// Unique in the set: a reservation is given back only to the record that it was taken from.
    pub(super) birth: u32,
    /// The newest reset that it was made after; 0 where there was none.
    pub(super) generation: u64,
    /// From when on the record says nothing.
    pub(super) absent_at: UnixMillis,
    /// The limit's bytes.
    pub(super) body: Vec<u8>,
}

// === impl Records ===

impl Records {
    /// Takes the record of a limit out.
    pub(super) fn remove(&mut self, id: u32) -> Option<Record> {
        let at = self.records.iter().position(|record| record.id == id)?;
        Some(self.records.swap_remove(at))
    }

    /// Puts a record in.
    pub(super) fn put(&mut self, record: Record) {
        self.records.push(record);
    }

    /// Drops what says nothing any more, and what is closest to that where there is too much.
    pub(super) fn prune(&mut self, now: UnixMillis) {
        self.records.retain(|record| record.absent_at > now);
        if self.records.len() > MAX_RECORDS {
            self.records
                .sort_by_key(|record| std::cmp::Reverse(record.absent_at));
            self.records.truncate(MAX_RECORDS);
        }
    }
}

impl Entry for Records {
    const FORMAT: u8 = 4;

    fn encode(&self, out: &mut Vec<u8>) {
        for record in &self.records {
            put(out, record.id);
            put(out, record.birth);
            put(out, record.generation);
            put(out, record.absent_at.0);
            put_bytes(out, &record.body);
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let mut records = Vec::new();
        while !reader.is_empty() {
            records.push(Record {
                id: reader.int()?,
                birth: reader.int()?,
                generation: reader.int()?,
                absent_at: UnixMillis(reader.int()?),
                body: reader.bytes()?.to_vec(),
            });
        }
        Some(Self { records })
    }

    fn absent_at(&self) -> UnixMillis {
        let all = self.records.iter().map(|record| record.absent_at);
        all.max().unwrap_or_default()
    }
}
