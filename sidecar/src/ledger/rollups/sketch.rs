//! A sketch of latencies: how many there were in each of many small ranges, so that percentiles of any sum of
//! rollups can be told from the rollups' sketches.
//!
//! Ranges are those of an HDR histogram: below 64 ms each millisecond is one of its own, above that there are 32 to
//! each power of two. What is told is the middle of a range, so it is at most 1.6 % off.

use std::cmp::Ordering;

/// Values below this have a range of their own.
const EXACT: u64 = 64;
/// Ranges to each power of two above that, as a power of two.
const RANGES_BITS: u32 = 5;
const RANGES: u64 = 1 << RANGES_BITS;
/// Ranges that there are for 64 bits.
const ALL: u64 = 1_920;

/// How many values there are in each range: ascending, without empty ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch(Vec<(u64, u64)>);

// === impl Sketch ===

impl Sketch {
    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        self.add(range_of(value), 1);
    }

    /// Counts all that is in another sketch: the same as if all values had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        if let [(range, count)] = other.0.as_slice() {
            self.add(*range, *count);
            return;
        }
        let mut merged = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        loop {
            let order = match (ours.peek(), theirs.peek()) {
                (Some((ours, _)), Some((theirs, _))) => ours.cmp(theirs),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            // Which of the two come first; where both do, they are one range.
            let one = ours.next_if(|_| order.is_le());
            let other = theirs.next_if(|_| order.is_ge());
            let both = one.into_iter().chain(other).copied();
            merged.extend(both.reduce(|(range, count), (_, more)| (range, count.saturating_add(more))));
        }
        self.0 = merged;
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The value that so many percent of all are not above; none where nothing was recorded.
    pub fn percentile(&self, percent: u8) -> Option<u64> {
        let rank = (u128::from(self.count()) * u128::from(percent)).div_ceil(100);
        let mut seen = 0_u128;
        let found = self.0.iter().find(|(_, count)| {
            seen += u128::from(*count);
            seen >= rank
        });
        found.map(|(range, _)| middle_of(*range))
    }

    fn add(&mut self, range: u64, count: u64) {
        match self.0.binary_search_by_key(&range, |(range, _)| *range) {
            Ok(at) => {
                if let Some((_, sum)) = self.0.get_mut(at) {
                    *sum = sum.saturating_add(count);
                }
            }
            Err(at) => self.0.insert(at, (range, count)),
        }
    }

    /// As the ledger keeps it: for each range its distance from the one before, and its count, both in LEB128.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 3);
        let mut before = 0;
        for (range, count) in &self.0 {
            write(&mut bytes, range - before);
            write(&mut bytes, *count);
            before = *range;
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; none where it is not that.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut ranges: Vec<(u64, u64)> = Vec::with_capacity(bytes.len() / 2);
        while !bytes.is_empty() {
            let (distance, count) = (read(&mut bytes)?, read(&mut bytes)?);
            let range = match ranges.last() {
                None => distance,
                Some(_) if distance == 0 => return None,
                Some((before, _)) => before.checked_add(distance)?,
            };
            if range >= ALL {
                return None;
            }
            ranges.push((range, count));
        }
        Some(Self(ranges))
    }
}

/// The range that a value is in.
const fn range_of(value: u64) -> u64 {
    if value < EXACT {
        return value;
    }
    let shift = value.ilog2() - RANGES_BITS;
    RANGES * shift as u64 + (value >> shift)
}

/// The middle of a range.
const fn middle_of(range: u64) -> u64 {
    if range < EXACT {
        return range;
    }
    let shift = range / RANGES - 1;
    ((range % RANGES + RANGES) << shift) + ((1 << shift) - 1) / 2
}

/// Writes a number in groups of seven bits, the lowest first.
#[expect(clippy::cast_possible_truncation, reason = "seven bits are left")]
fn write(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch(values: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.record(*value));
        sketch
    }

    /// Values of every size, each as likely.
    fn value() -> impl Strategy<Value = u64> {
        (0_u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift)
    }

    #[test]
    fn the_last_range_is_the_last() {
        assert_eq!(range_of(u64::MAX), ALL - 1);
        assert_eq!(sketch(&[]).percentile(50), None);
        assert_eq!(sketch(&[7]).percentile(99), Some(7));
    }

    proptest! {
        #[test]
        fn a_percentile_is_at_most_two_percent_off(
            mut values in proptest::collection::vec(value(), 1..300), percent in 1_u8..=100,
        ) {
            let told = sketch(&values).percentile(percent).unwrap();
            values.sort_unstable();
            let exact = values[(values.len() * usize::from(percent)).div_ceil(100) - 1];
            prop_assert!(told.abs_diff(exact) <= exact / 50, "told {told}, is {exact}");
        }

        #[test]
        fn merged_sketches_are_the_sketch_of_all(
            one in proptest::collection::vec(value(), 0..50), other in proptest::collection::vec(value(), 0..50),
        ) {
            let mut merged = sketch(&one);
            merged.merge(&sketch(&other));
            prop_assert_eq!(merged, sketch(&[one, other].concat()));
        }

        #[test]
        fn a_sketch_survives_its_bytes(values in proptest::collection::vec(value(), 0..100)) {
            let sketch = sketch(&values);
            prop_assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Some(sketch));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(sketch) = Sketch::from_bytes(&bytes) {
                let _ = sketch.percentile(99);
            }
        }
    }
}
