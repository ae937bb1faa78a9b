//! Counts by slices of time: what was taken when, to a slice's width.

use crate::codec::{Reader, put};

/// More slices than any limit keeps: longer bytes are not ours.
const MAX_SLICES: usize = 128;

/// Counts of the slices in which something was counted, oldest first. A slice's number is its start divided by
/// the width.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Slices {
    counts: Vec<(u64, u64)>,
}

// === impl Slices ===

impl Slices {
    /// Counts `amount` in a slice.
    pub(super) fn add(&mut self, slice: u64, amount: u64) {
        if amount == 0 {
            return;
        }
        match self.counts.binary_search_by_key(&slice, |(number, _)| *number) {
            Ok(at) => {
                if let Some((_, count)) = self.counts.get_mut(at) {
                    *count = count.saturating_add(amount);
                }
            }
            Err(at) => self.counts.insert(at, (slice, amount)),
        }
    }

    /// Takes `amount` back out of a slice, at most what is there.
    pub(super) fn remove(&mut self, slice: u64, amount: u64) {
        if let Some((_, count)) = self.counts.iter_mut().find(|(number, _)| *number == slice) {
            *count = count.saturating_sub(amount);
        }
        self.counts.retain(|(_, count)| *count > 0);
    }

    /// Forgets all slices before `first`.
    pub(super) fn forget_before(&mut self, first: u64) {
        self.counts.retain(|(number, _)| *number >= first);
    }

    /// Moves everything into the past so that the newest slice is `newest`.
    pub(super) fn shift_newest_to(&mut self, newest: u64) {
        let by = self.newest().unwrap_or(newest).saturating_sub(newest);
        let moved = std::mem::take(&mut self.counts);
        for (number, count) in moved {
            self.add(number.saturating_sub(by), count);
        }
    }

    /// What was counted in a slice.
    pub(super) fn count(&self, slice: u64) -> u64 {
        let found = self.counts.iter().find(|(number, _)| *number == slice);
        found.map_or(0, |(_, count)| *count)
    }

    /// The sum of all slices.
    pub(super) fn total(&self) -> u64 {
        self.iter().fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// The newest slice in which something was counted.
    pub(super) fn newest(&self) -> Option<u64> {
        self.counts.last().map(|(number, _)| *number)
    }

    /// Slices and their counts, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts.iter().copied()
    }

    /// Appends the bytes: the number of slices, then for each the distance to the one before and the count.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.counts.len() as u64);
        let mut before = 0;
        for (number, count) in self.iter() {
            put(out, number - before);
            put(out, count);
            before = number;
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let len: usize = reader.int()?;
        if len > MAX_SLICES {
            return None;
        }
        let mut slices = Self::default();
        let mut before = 0_u64;
        for _ in 0..len {
            before = before.checked_add(reader.int()?)?;
            slices.add(before, reader.int()?);
        }
        Some(slices)
    }
}
