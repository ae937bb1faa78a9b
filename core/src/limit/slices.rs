//! Counts by slices of time: what was taken when, to a slice's width.
//!
//! A slice is kept in eight bytes, as it stands in a cell: its count, and above it the last sixteen bits of its number.
//! The newest slice's number is kept whole, and no slice is 2¹⁶ older than that, so the others' follow from it.

use crate::codec::Reader;

/// More slices than any limit keeps: longer bytes are not ours.
const MAX_SLICES: usize = 128;
/// Bits of a count.
const COUNT_BITS: u32 = 48;
/// The largest count of a slice, some hundred times any limit's amount: what is counted beyond it is not told apart.
const MAX_COUNT: u64 = (1 << COUNT_BITS) - 1;

/// Counts of the slices in which something was counted, oldest first. A slice's number is its start divided by
/// the width.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Slices {
    /// The newest slice's number; says nothing where there is no slice.
    newest: u64,
    /// The sum of all counts.
    total: u64,
    packed: Vec<u64>,
}

// === impl Slices ===

impl Slices {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.packed.clear();
        self.total = 0;
    }

    /// Counts `amount` in a slice; in the newest, should that be a later one.
    pub(super) fn add(&mut self, slice: u64, amount: u64) {
        if amount == 0 {
            return;
        }
        if let Some(last) = self.packed.last_mut().filter(|_| slice <= self.newest) {
            let before = *last & MAX_COUNT;
            let count = before.saturating_add(amount).min(MAX_COUNT);
            *last = (*last & !MAX_COUNT) | count;
            self.total += count - before;
            return;
        }
        self.forget_before(slice.saturating_sub(u64::from(u16::MAX)));
        self.newest = slice;
        let count = amount.min(MAX_COUNT);
        self.total += count;
        self.packed.push(slice << COUNT_BITS | count);
    }

    /// Takes `amount` back out of a slice, at most what is there.
    pub(super) fn remove(&mut self, slice: u64, amount: u64) {
        let Some(at) = self.find(slice) else {
            return;
        };
        let Some(entry) = self.packed.get_mut(at) else {
            return;
        };
        let taken = amount.min(*entry & MAX_COUNT);
        *entry -= taken;
        self.total -= taken;
        if *entry & MAX_COUNT == 0 {
            self.packed.remove(at);
            if let Some(last) = self.packed.last() {
                self.newest = self.number(*last);
            }
        }
    }

    /// Forgets all slices before `first`.
    pub(super) fn forget_before(&mut self, first: u64) {
        let past = self
            .packed
            .iter()
            .take_while(|entry| self.number(**entry) < first)
            .count();
        if past > 0 {
            let gone: u64 = self.packed.drain(..past).map(|entry| entry & MAX_COUNT).sum();
            self.total -= gone;
        }
    }

    /// Moves everything into the past so that the newest slice is `newest`.
    pub(super) fn shift_newest_to(&mut self, newest: u64) {
        let by = self.newest().unwrap_or(newest).saturating_sub(newest);
        self.newest -= by.min(self.newest);
        for entry in &mut self.packed {
            *entry = entry.wrapping_sub(by << COUNT_BITS);
        }
    }

    /// What was counted in a slice.
    pub(super) fn count(&self, slice: u64) -> u64 {
        let found = self.find(slice).and_then(|at| self.packed.get(at));
        found.map_or(0, |entry| entry & MAX_COUNT)
    }

    /// The sum of all slices.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// The newest slice in which something was counted.
    pub(super) fn newest(&self) -> Option<u64> {
        (!self.packed.is_empty()).then_some(self.newest)
    }

    /// Slices and their counts, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.packed
            .iter()
            .map(|entry| (self.number(*entry), entry & MAX_COUNT))
    }

    /// How many bytes [`encode`](Self::encode) appends.
    pub(super) const fn encoded_len(&self) -> usize {
        8 + 8 * self.packed.len()
    }

    /// Appends the bytes: the newest slice's number, then every slice.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.newest().unwrap_or(0).to_le_bytes());
        for entry in &self.packed {
            out.extend_from_slice(&entry.to_le_bytes());
        }
    }

    /// Reads what [`encode`](Self::encode) wrote, to the end of the bytes, in place of what was counted before. Where
    /// it says `None`, there is nothing or nonsense, and it must be cleared.
    pub(super) fn decode(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        self.clear();
        self.newest = reader.fixed_u64()?;
        let (entries, rest) = reader.rest().as_chunks::<8>();
        if !rest.is_empty() || entries.len() > MAX_SLICES {
            return None;
        }
        let packed = entries.iter().map(|entry| u64::from_le_bytes(*entry));
        self.packed.extend(packed);
        self.total = self.packed.iter().map(|entry| entry & MAX_COUNT).sum();
        let last = self.packed.last().map_or(self.newest, |last| self.number(*last));
        (last == self.newest).then_some(())
    }

    fn find(&self, slice: u64) -> Option<usize> {
        // The newest is nearly always what is asked for.
        self.packed.iter().rposition(|entry| self.number(*entry) == slice)
    }

    fn number(&self, entry: u64) -> u64 {
        let age = (self.newest as u16).wrapping_sub((entry >> COUNT_BITS) as u16);
        self.newest.saturating_sub(u64::from(age))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Add(u64, u64),
        Remove(u64, u64),
        Forget(u64),
        Shift(u64),
        Stored,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let ahead = prop_oneof![8 => 0_u64..4, 1 => 60_000_u64..70_000];
        let amount = prop_oneof![4 => 0_u64..50, 1 => 0..=MAX_COUNT / 200];
        let step = prop_oneof![
            4 => (ahead, amount.clone()).prop_map(|(ahead, amount)| Step::Add(ahead, amount)),
            2 => (0_u64..40, amount).prop_map(|(age, amount)| Step::Remove(age, amount)),
            1 => (0_u64..80).prop_map(Step::Forget),
            1 => (0_u64..200).prop_map(Step::Shift),
            2 => Just(Step::Stored),
        ];
        prop::collection::vec(step, 1..100)
    }

    proptest! {
        /// Against a map of slices to counts.
        #[test]
        fn slices_count_as_a_map_does(steps in steps(), start in prop_oneof![0_u64..100_000, 1_u64 << 40..1 << 41]) {
            let (mut slices, mut plain) = (Slices::default(), BTreeMap::<u64, u64>::new());
            let mut now = start;
            for step in steps {
                match step {
                    Step::Add(ahead, amount) => {
                        now += ahead;
                        slices.add(now, amount);
                        if amount > 0 {
                            plain = plain.split_off(&now.saturating_sub(65_535));
                            *plain.entry(now).or_default() += amount;
                        }
                    }
                    Step::Remove(age, amount) => {
                        let slice = now.saturating_sub(age);
                        slices.remove(slice, amount);
                        if let Some(count) = plain.get_mut(&slice) {
                            *count = count.saturating_sub(amount);
                        }
                        plain.retain(|_, count| *count > 0);
                    }
                    Step::Forget(age) => {
                        let first = now.saturating_sub(age);
                        slices.forget_before(first);
                        plain = plain.split_off(&first);
                    }
                    Step::Shift(by) => {
                        // What would fall before the first slice of all is not what clocks do.
                        let oldest = plain.keys().next().copied().unwrap_or(u64::MAX);
                        let newest = plain.keys().next_back().copied().unwrap_or(now);
                        let by = by.min(oldest).min(newest).min(now);
                        slices.shift_newest_to(newest - by);
                        plain = plain.into_iter().map(|(slice, count)| (slice - by, count)).collect();
                        now -= by;
                    }
                    Step::Stored => {
                        let mut out = Vec::new();
                        slices.encode(&mut out);
                        prop_assert_eq!(out.len(), slices.encoded_len());
                        let mut read = Slices::default();
                        let decoded = read.decode(&mut Reader::new(&out));
                        prop_assert_eq!(decoded.is_some(), plain.len() <= MAX_SLICES);
                        if decoded.is_some() {
                            slices = read;
                        }
                    }
                }
                let listed: Vec<(u64, u64)> = slices.iter().collect();
                prop_assert_eq!(&listed, &plain.iter().map(|(slice, count)| (*slice, *count)).collect::<Vec<_>>());
                prop_assert_eq!(slices.total(), plain.values().sum::<u64>());
                prop_assert_eq!(slices.newest(), plain.keys().next_back().copied());
                for slice in [now, now.saturating_sub(1), now.saturating_sub(7)] {
                    prop_assert_eq!(slices.count(slice), plain.get(&slice).copied().unwrap_or(0));
                }
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, slice: u64, amount: u64) {
            let mut slices = Slices::default();
            if slices.decode(&mut Reader::new(&bytes)).is_none() {
                slices.clear();
            }
            slices.forget_before(slice);
            slices.remove(slice, amount);
            slices.shift_newest_to(slice);
            slices.add(slice, amount);
            let _ = slices.iter().count();
        }
    }

    #[test]
    fn a_count_stops_at_the_largest() {
        let mut slices = Slices::default();
        slices.add(5, u64::MAX);
        slices.add(5, u64::MAX);
        assert_eq!(slices.count(5), MAX_COUNT);
        slices.remove(5, 1);
        assert_eq!(slices.total(), MAX_COUNT - 1);
    }
}
