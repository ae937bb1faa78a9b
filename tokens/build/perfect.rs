//! Perfect hashing by bucket and displace: a pilot for each bucket, so that no two keys share a slot.

use std::error::Error;

use crate::hash::{bucket_of, slot_of};

/// Keys in a bucket, on average, are at most this many.
const BUCKET_LOAD: usize = 5;

/// Slots for each hundred keys: a few spare ones keep the search for the last pilots short.
const SLOTS_PERCENT: usize = 103;

/// A perfect hash function.
pub(crate) struct Perfect {
    /// A pilot for each bucket.
    pub(crate) pilots: Vec<u16>,
    /// The slot of each key, in the order of the keys.
    pub(crate) slots: Vec<usize>,
    /// How many slots there are.
    pub(crate) size: usize,
}

// === impl Perfect ===

impl Perfect {
    /// Finds the pilots for `hashes`.
    ///
    /// # Errors
    ///
    /// When two hashes are equal, or a bucket finds no pilot.
    pub(crate) fn find(hashes: &[u64]) -> Result<Self, Box<dyn Error>> {
        let count = hashes.len().div_ceil(BUCKET_LOAD).next_power_of_two().max(2);
        let size = (hashes.len() * SLOTS_PERCENT).div_ceil(100).max(1);
        let mut buckets: Vec<(usize, Vec<usize>)> = (0..count).map(|bucket| (bucket, Vec::new())).collect();
        for (key, &hash) in hashes.iter().enumerate() {
            if let Some((_, keys)) = buckets.get_mut(bucket_of(hash, count)) {
                keys.push(key);
            }
        }
        buckets.sort_by_key(|(bucket, keys)| (usize::MAX - keys.len(), *bucket));
        let mut perfect = Self {
            pilots: vec![0; count],
            slots: vec![usize::MAX; hashes.len()],
            size,
        };
        let mut taken = vec![false; size];
        let mut chosen = Vec::new();
        for (bucket, keys) in &buckets {
            let pilot = (0..=u16::MAX).find(|&pilot| {
                chosen.clear();
                keys.iter().all(|&key| {
                    let slot = slot_of(hashes.get(key).copied().unwrap_or_default(), pilot, size);
                    let free = taken.get(slot) == Some(&false) && !chosen.contains(&slot);
                    chosen.push(slot);
                    free
                })
            });
            let pilot = pilot.ok_or_else(|| format!("no pilot for a bucket of {} keys", keys.len()))?;
            if let Some(place) = perfect.pilots.get_mut(*bucket) {
                *place = pilot;
            }
            for (&key, &slot) in keys.iter().zip(&chosen) {
                if let (Some(place), Some(flag)) = (perfect.slots.get_mut(key), taken.get_mut(slot)) {
                    *place = slot;
                    *flag = true;
                }
            }
        }
        Ok(perfect)
    }
}
