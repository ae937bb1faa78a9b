//! The hash functions that the build script and the counter share.
//!
//! A table is a *perfect hash*: every key has a slot of its own, found in two steps. The hash picks a bucket, the
//! bucket's pilot (found by the build script) and the hash pick the slot. Lookups therefore read exactly one pilot and
//! one slot, whether the key is there or not.

const MIX_A: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX_B: u64 = 0xd6e8_feb8_6659_fd93;
const MIX_C: u64 = 0xa076_1d64_78bd_642f;
const MIX_D: u64 = 0xe703_7ed1_a0b4_28db;

/// The longest token that is kept in one word: seven bytes and their count.
pub(crate) const SHORT_MAX: usize = 7;

/// The hash of a short token's word (see [`SHORT_MAX`]).
#[inline]
#[must_use]
pub(crate) const fn hash_word(word: u64) -> u64 {
    let mixed = word.wrapping_mul(MIX_A);
    (mixed ^ (mixed >> 32)).wrapping_mul(MIX_B)
}

/// The hash of a long token from its words: the first eight bytes, whole words after them, the last eight bytes.
///
/// Start with the hash of the length, add each word, and finish with [`hash_word`].
#[inline]
#[must_use]
pub(crate) const fn hash_more(hash: u64, word: u64) -> u64 {
    let joined = hash ^ word;
    let mixed = (joined ^ (joined >> 32)).wrapping_mul(MIX_C);
    mixed ^ (mixed >> 29)
}

/// The bucket of a hash, of `buckets`.
#[inline]
#[must_use]
pub(crate) const fn bucket_of(hash: u64, buckets: usize) -> usize {
    scale(hash >> 32, buckets)
}

/// The slot of a hash, of `slots`, given the pilot of its bucket.
#[inline]
#[must_use]
pub(crate) const fn slot_of(hash: u64, pilot: u16, slots: usize) -> usize {
    let displaced = (hash ^ (pilot as u64).wrapping_mul(MIX_D)).wrapping_mul(MIX_A);
    scale(displaced >> 32, slots)
}

/// The row of a table of length masks, of `rows`, for the word that begins a text.
#[inline]
#[must_use]
pub(crate) const fn row_of(word: u64, rows: usize) -> usize {
    scale(hash_word(word) >> 32, rows)
}

/// Maps a 32-bit number to `0..range` without a division.
#[inline]
const fn scale(high: u64, range: usize) -> usize {
    ((high * range as u64) >> 32) as usize
}
