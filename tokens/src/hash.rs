//! The hash functions that the build script and the counter share.
//!
//! A table is a *perfect hash*: every key has a slot of its own, found in two steps. The hash picks a bucket, the
//! bucket's pilot (found by the build script) moves the hash, and the moved hash picks the slot. Lookups therefore
//! read exactly one pilot and one slot, whether the key is there or not.

const MIX_A: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX_B: u64 = 0xa076_1d64_78bd_642f;
const MIX_C: u32 = 0x85eb_ca6b;
const MIX_D: u32 = 0xc2b2_ae35;

/// The longest token that is kept in one word: seven bytes and their count.
pub(crate) const SHORT_MAX: usize = 7;

/// The hash of a word: a short token's bytes and their count, or two tokens.
#[inline]
#[must_use]
pub(crate) const fn hash_word(word: u64) -> u64 {
    let mixed = word.wrapping_mul(MIX_A);
    mixed ^ (mixed >> 32)
}

/// The hash of a long token from its words: the first eight bytes, whole words after them, the last eight bytes.
///
/// Start with the hash of the length, add each word, and finish with [`hash_word`].
#[inline]
#[must_use]
pub(crate) const fn hash_more(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(MIX_B);
    mixed ^ (mixed >> 29)
}

/// The bucket of a hash, of `buckets`, a power of two: by its upper bits, which depend on all of the word.
#[inline]
#[must_use]
pub(crate) const fn bucket_of(hash: u64, buckets: usize) -> usize {
    (hash >> (64 - buckets.trailing_zeros())) as usize
}

/// The slot of a hash, of `slots`, given the pilot of its bucket.
#[inline]
#[must_use]
pub(crate) const fn slot_of(hash: u64, pilot: u16, slots: usize) -> usize {
    // Multiplied last: hashes that are close to each other must not stay so for all pilots.
    let moved = (hash as u32 ^ (pilot as u32).wrapping_mul(MIX_C)).wrapping_mul(MIX_D);
    ((moved as u64 * slots as u64) >> 32) as usize
}

/// Bits of the filter of pairs of tokens that are merged: one in six is set.
pub(crate) const MERGED_BITS: usize = 1 << 20;

/// The bit of the hash of two tokens.
#[inline]
#[must_use]
pub(crate) const fn merged_bit(hash: u64) -> usize {
    (hash >> (64 - MERGED_BITS.trailing_zeros())) as usize
}

/// Bits of the filter of characters that stand side by side in some token: one in thirty or less is set.
pub(crate) const JOINED_BITS: usize = 1 << 19;

/// The bit of two characters of three bytes.
#[inline]
#[must_use]
pub(crate) const fn joined_bit(before: [u8; 3], after: [u8; 3]) -> usize {
    let [a, b, c] = before;
    let [d, e, f] = after;
    let hash = hash_word(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]));
    (hash >> (64 - JOINED_BITS.trailing_zeros())) as usize
}

/// The bit of a character's last byte and the first two of the character after it, both of three bytes.
#[inline]
#[must_use]
pub(crate) const fn fragment_bit(last: u8, first: u8, second: u8) -> usize {
    (last as usize & 0x3f) << 10 | (first as usize & 0x0f) << 6 | (second as usize & 0x3f)
}
