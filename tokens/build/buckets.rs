//! Puts what has the same bucket side by side. `src/buckets.rs` says what is written.

use std::error::Error;

/// Buckets of a group.
const GROUP: usize = 16;

/// Entries of a bucket, at most.
const MOST: usize = 15;

/// The order that the entries are written in, and where each bucket's are.
pub(crate) struct Buckets {
    /// The entries, by their old places.
    pub(crate) order: Vec<usize>,
    /// The groups, as they are written.
    pub(crate) groups: Vec<u8>,
}

// === impl Buckets ===

impl Buckets {
    /// Of `count` buckets, a multiple of [`GROUP`]; `bucket_of` says the bucket of each entry.
    ///
    /// # Errors
    ///
    /// When a bucket has more entries than can be written down.
    pub(crate) fn new(bucket_of: &[u64], count: usize) -> Result<Self, Box<dyn Error>> {
        let mut buckets = vec![Vec::new(); count];
        for (entry, &bucket) in bucket_of.iter().enumerate() {
            let bucket = usize::try_from(bucket)?;
            buckets.get_mut(bucket).ok_or("no such bucket")?.push(entry);
        }
        let mut order = Vec::new();
        let mut groups = Vec::new();
        for group in buckets.chunks(GROUP) {
            groups.extend(u32::try_from(order.len())?.to_le_bytes());
            for pair in group.chunks(2) {
                let mut counts = 0;
                for (half, bucket) in pair.iter().enumerate() {
                    if bucket.len() > MOST {
                        return Err(format!("{} entries are too many for a bucket", bucket.len()).into());
                    }
                    counts |= u8::try_from(bucket.len())? << (4 * half);
                }
                groups.push(counts);
            }
            order.extend(group.iter().flatten());
        }
        Ok(Self { order, groups })
    }
}
