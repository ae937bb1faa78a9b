//! The static tables of an encoding, and the questions that the counter asks of them.
//!
//! The build script writes them (`build/pack.rs`); all numbers are little-endian.

use crate::buckets::Buckets;
use crate::hash::{MERGE_BITS, MERGE_BUCKET_BITS, RANK_BITS, fragment_bit, joined_bit, mix};
use crate::spellings::{CL100K as OF_CL100K, O200K as OF_O200K, SPELLINGS, table};

/// Bits of a merge that are of its key, those that its bucket does not say; behind them is the token.
const REST_BITS: u32 = MERGE_BITS - MERGE_BUCKET_BITS;

/// The tables of one encoding.
pub(crate) struct Tables {
    /// The encoding's bit in the tables of what is a token.
    owner: u8,
    /// The token of each byte.
    bytes: &'static [[u8; 4]],
    /// A bit for each two bytes that are a token, how many are set before each word of bits, and the tokens in the
    /// order of their bits.
    byte_pair_bits: &'static [[u8; 8]],
    byte_pair_counts: &'static [[u8; 2]],
    byte_pair_tokens: &'static [[u8; 4]],
    /// What two tokens are merged to, by the ranks of both (mixed, 20 bits below the bucket's): the token (20 bits).
    merge_buckets: Buckets,
    merges: &'static [[u8; 5]],
    /// A bit for each two characters of three bytes that stand side by side in some token, by hash: one in sixteen or less
    /// is set.
    joined: &'static [u8],
    /// A bit for each last byte and first two bytes of such characters, where a token has only parts of them.
    fragments: &'static [u8],
}

/// A token as the merges know it: its rank (lower ones are merged first), and two flags.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Token(u32);

macro_rules! tables {
    ($name:literal, $owner:expr) => {
        Tables {
            owner: $owner,
            bytes: table!($name, "bytes").as_chunks().0,
            byte_pair_bits: table!($name, "byte_pair_bits").as_chunks().0,
            byte_pair_counts: table!($name, "byte_pair_counts").as_chunks().0,
            byte_pair_tokens: table!($name, "byte_pair_tokens").as_chunks().0,
            merge_buckets: Buckets::new(table!($name, "merge_buckets")),
            merges: table!($name, "merges").as_chunks().0,
            joined: table!($name, "joined"),
            fragments: table!($name, "fragments"),
        }
    };
}

/// The tables of `o200k_base`.
pub(crate) static O200K: Tables = tables!("o200k", OF_O200K);

/// The tables of `cl100k_base`.
pub(crate) static CL100K: Tables = tables!("cl100k", OF_CL100K);

// === impl Token ===

impl Token {
    /// No token: it comes after all others, and no token is merged from it.
    pub(crate) const NONE: Self = Self(((1 << RANK_BITS) - 1) << 2);

    /// A number of 20 bits that is ordered as the ranks are; from [`Self::from_bits`] the token again.
    #[inline]
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether some token is merged from this one and one after it.
    #[inline]
    const fn is_left_part(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether some token is merged from one before this one and this one.
    #[inline]
    const fn is_right_part(self) -> bool {
        self.0 & 2 != 0
    }

    /// When it is merged: lower ranks come first.
    #[inline]
    pub(crate) const fn rank(self) -> u64 {
        (self.0 >> 2) as u64
    }
}

// === impl Tables ===

impl Tables {
    /// How large they are together, with those that both encodings share.
    pub(crate) const fn bytes(&self) -> usize {
        SPELLINGS.bytes()
            + size_of_val(self.bytes)
            + size_of_val(self.byte_pair_bits)
            + size_of_val(self.byte_pair_counts)
            + size_of_val(self.byte_pair_tokens)
            + self.merge_buckets.bytes()
            + size_of_val(self.merges)
            + size_of_val(self.joined)
            + size_of_val(self.fragments)
    }

    /// Whether `text[start..end]` is one of the tokens that are known by their bytes: all of up to three, and the common
    /// ones.
    #[inline]
    pub(crate) fn has(&self, text: &[u8], start: usize, end: usize) -> bool {
        SPELLINGS.has(self.owner, text, start, end)
    }

    /// The token of a byte.
    #[inline]
    pub(crate) fn byte(&self, byte: u8) -> Token {
        self.bytes
            .get(usize::from(byte))
            .map_or(Token::NONE, |&token| Token(u32::from_le_bytes(token)))
    }

    /// What two bytes are merged to.
    #[inline]
    pub(crate) fn byte_pair(&self, left: u8, right: u8) -> Token {
        let pair = usize::from(left) << 8 | usize::from(right);
        let bits = self
            .byte_pair_bits
            .get(pair / 64)
            .map_or(0, |&bits| u64::from_le_bytes(bits));
        if bits >> (pair % 64) & 1 == 0 {
            return Token::NONE;
        }
        let earlier = (bits & ((1 << (pair % 64)) - 1)).count_ones() as usize;
        self.byte_pair_counts
            .get(pair / 64)
            .and_then(|&before| {
                self.byte_pair_tokens
                    .get(usize::from(u16::from_le_bytes(before)) + earlier)
            })
            .map_or(Token::NONE, |&token| Token(u32::from_le_bytes(token)))
    }

    /// What two tokens are merged to.
    #[inline]
    pub(crate) fn pair(&self, left: Token, right: Token) -> Token {
        if !left.is_left_part() || !right.is_right_part() {
            return Token::NONE;
        }
        let mixed = mix(left.rank() | right.rank() << RANK_BITS, MERGE_BITS);
        let rest = mixed as u32 % (1 << REST_BITS);
        let bucket = (mixed >> REST_BITS) as usize;
        let Some(merges) = self.merge_buckets.entries(bucket, self.merges) else {
            return Token::NONE;
        };
        for [start @ .., end] in merges {
            let start = u32::from_le_bytes(*start);
            if start % (1 << REST_BITS) == rest {
                return Token(start >> REST_BITS | u32::from(*end) << (u32::BITS - REST_BITS));
            }
        }
        Token::NONE
    }

    /// Whether no token reaches across the boundary between two characters of three bytes.
    #[inline]
    pub(crate) fn are_apart(&self, before: [u8; 3], after: [u8; 3]) -> bool {
        let [_, _, last] = before;
        let [first, second, _] = after;
        let is_set =
            |filter: &[u8], bit: usize| filter.get(bit / 8).is_none_or(|byte| byte >> (bit % 8) & 1 != 0);
        !is_set(self.joined, joined_bit(before, after, self.joined.len()))
            && !is_set(self.fragments, fragment_bit(last, first, second))
    }

    /// All merges: the ranks of the two tokens, and what they are merged to.
    #[cfg(test)]
    pub(crate) fn merges(&self) -> impl Iterator<Item = (u32, u32, Token)> {
        use crate::hash::unmix;
        let part = |key: u64, shift: u32| (key >> shift) as u32 & ((1 << RANK_BITS) - 1);
        (0..1 << MERGE_BUCKET_BITS).flat_map(move |bucket| {
            let entries = self.merge_buckets.entries(bucket, self.merges);
            entries.unwrap_or_default().iter().map(move |&[a, b, c, d, e]| {
                let entry = u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]);
                let rest = entry & ((1 << REST_BITS) - 1);
                let key = unmix((bucket as u64) << REST_BITS | rest, MERGE_BITS);
                (
                    part(key, 0),
                    part(key, RANK_BITS),
                    Token((entry >> REST_BITS) as u32),
                )
            })
        })
    }
}
