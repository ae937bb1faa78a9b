//! The hash functions that the build script and the counter share.

const MIX_A: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX_B: u64 = 0xa076_1d64_78bd_642f;

/// The longest token that is kept in one word: seven bytes and their count.
pub(crate) const SHORT_MAX: usize = 7;

/// Bits of the key of a short token (its bytes and their count), and of its bucket.
pub(crate) const WORD_BITS: u32 = 59;
pub(crate) const WORD_BUCKET_BITS: u32 = 14;

/// Bits of the bucket of a long token, the upper ones of its hash.
pub(crate) const LONG_BUCKET_BITS: u32 = 12;

/// Bits of the key of a merge (the ranks of two tokens), and of its bucket.
pub(crate) const RANK_BITS: u32 = 18;
pub(crate) const MERGE_BITS: u32 = 2 * RANK_BITS;
pub(crate) const MERGE_BUCKET_BITS: u32 = 16;

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

/// Mixes a key of so many bits: the upper ones of what comes of it depend on all. As an odd number has an inverse, no two
/// keys become the same.
#[inline]
#[must_use]
pub(crate) const fn mix(key: u64, bits: u32) -> u64 {
    key.wrapping_mul(MIX_A) & (u64::MAX >> (64 - bits))
}

/// The key that [`mix`] makes this of.
#[cfg(test)]
pub(crate) fn unmix(mixed: u64, bits: u32) -> u64 {
    // By Newton's method: each step doubles the bits that are right, of which there are three at first.
    let inverse = (0..5).fold(MIX_A, |inverse, _| {
        inverse.wrapping_mul(2_u64.wrapping_sub(MIX_A.wrapping_mul(inverse)))
    });
    mixed.wrapping_mul(inverse) & (u64::MAX >> (64 - bits))
}

/// The bit of two characters of three bytes in a filter of so many bytes, a power of two.
#[inline]
#[must_use]
pub(crate) const fn joined_bit(before: [u8; 3], after: [u8; 3], bytes: usize) -> usize {
    let [a, b, c] = before;
    let [d, e, f] = after;
    let hash = hash_word(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]));
    (hash >> (61 - bytes.trailing_zeros())) as usize
}

/// The bit of a character's last byte and the first two of the character after it, both of three bytes.
#[inline]
#[must_use]
pub(crate) const fn fragment_bit(last: u8, first: u8, second: u8) -> usize {
    (last as usize & 0x3f) << 10 | (first as usize & 0x0f) << 6 | (second as usize & 0x3f)
}

#[cfg(test)]
mod tests {
    use super::{MERGE_BITS, MIX_B, WORD_BITS, mix, unmix};

    #[test]
    fn no_two_keys_are_mixed_alike_as_each_is_found_again() {
        for bits in [MERGE_BITS, WORD_BITS] {
            for number in 0..10_000_u64 {
                let key = number.wrapping_mul(MIX_B) >> (64 - bits);
                assert_eq!(unmix(mix(key, bits), bits), key);
            }
        }
    }
}
