//! Tables of buckets: what has the same bucket stands side by side, so that to look for a key is to look through a few
//! neighbours. Upper bits of the key, mixed, or of its hash are the bucket.
//!
//! Where no two keys are mixed alike, the bits below the bucket's are all that an entry needs to know its key.

/// Buckets of a group.
const GROUP: usize = 16;

/// Bits of the number of entries of a bucket.
const COUNT_BITS: usize = 4;

/// Bytes of the place of a group's first entry, and of how many entries each of its buckets has.
const START_BYTES: usize = 4;
const GROUP_BYTES: usize = START_BYTES + GROUP * COUNT_BITS / 8;

/// The lower half of each byte.
const LOW: u64 = u64::from_le_bytes([0x0f; 8]);

/// Which entries are those of each bucket.
pub(crate) struct Buckets {
    groups: &'static [[u8; GROUP_BYTES]],
}

// === impl Buckets ===

impl Buckets {
    /// As the build script wrote them.
    pub(crate) const fn new(groups: &'static [u8]) -> Self {
        Self {
            groups: groups.as_chunks().0,
        }
    }

    /// How large they are.
    pub(crate) const fn bytes(&self) -> usize {
        size_of_val(self.groups)
    }

    /// The entries of a bucket, if there is such a one.
    #[inline]
    pub(crate) fn entries<'a, T>(&self, bucket: usize, all: &'a [T]) -> Option<&'a [T]> {
        let &[a, b, c, d, ref counts @ ..] = self.groups.get(bucket / GROUP)?;
        let counts = u64::from_le_bytes(*counts);
        let shift = bucket % GROUP * COUNT_BITS;
        let earlier = counts & ((1 << shift) - 1);
        // Two counts to a byte, then the sum of all bytes in the highest one: it is less than 16 times 16.
        let sums = (earlier & LOW) + (earlier >> COUNT_BITS & LOW);
        let before = sums.wrapping_mul(u64::from_le_bytes([1; 8])) >> 56;
        let start = u32::from_le_bytes([a, b, c, d]) as usize + before as usize;
        let count = (counts >> shift) as usize % (1 << COUNT_BITS);
        all.get(start..start + count)
    }
}

#[cfg(test)]
mod tests {
    use super::{Buckets, GROUP, GROUP_BYTES};

    #[test]
    fn each_bucket_has_its_own_entries_and_all_have_some_bucket() {
        // All counts that there are, in groups that are full, empty and mixed.
        let counts: Vec<u8> = [[15; GROUP], [0; GROUP]]
            .into_iter()
            .flatten()
            .chain((0..4 * GROUP).map(|bucket| (bucket * 7 % 16) as u8))
            .collect();
        let mut groups = Vec::new();
        let mut start = 0_u32;
        for group in counts.chunks(GROUP) {
            groups.extend(start.to_le_bytes());
            groups.extend(group.chunks(2).map(|pair| pair[0] | pair[1] << 4));
            start += group.iter().map(|&count| u32::from(count)).sum::<u32>();
        }
        assert_eq!(groups.len(), counts.len() / GROUP * GROUP_BYTES);
        let buckets = Buckets::new(groups.leak());
        let all: Vec<u32> = (0..start).collect();
        let mut found: Vec<u32> = Vec::new();
        for (bucket, &count) in counts.iter().enumerate() {
            let entries = buckets.entries(bucket, &all).unwrap();
            assert_eq!(entries.len(), usize::from(count), "of bucket {bucket}");
            found.extend(entries);
        }
        assert_eq!(found, all);
        assert_eq!(buckets.entries(counts.len(), &all), None);
    }
}
