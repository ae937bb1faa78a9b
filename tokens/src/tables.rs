//! The static tables of an encoding, and the questions that the counter asks of them.
//!
//! The build script writes them (`build/pack.rs`); all numbers are little-endian. What two tokens are merged to is a
//! perfect hash (`hash.rs`).

use crate::hash::{fragment_bit, hash_word, joined_bit, merged_bit};
use crate::spellings::{CL100K as OF_CL100K, O200K as OF_O200K, SPELLINGS, perfect_slot, read_word, table};

/// Bits of a rank.
const RANK_BITS: u32 = 18;
/// Bytes of an entry of [`Tables::pairs`].
const PAIR_BYTES: usize = 7;

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
    /// What two tokens are merged to: rank of the left one (18 bits), of the right one (18), the token (20); and a byte
    /// behind the last.
    pairs: &'static [u8],
    pair_pilots: &'static [[u8; 2]],
    /// A bit for each hash of two tokens that are merged to another: most are not, and this is a small table.
    merged: &'static [u8],
    /// A bit for each two characters of three bytes that stand side by side in some token, by hash.
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
            pairs: table!($name, "pairs"),
            pair_pilots: table!($name, "pair_pilots").as_chunks().0,
            merged: table!($name, "merged"),
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
            + size_of_val(self.pairs)
            + size_of_val(self.pair_pilots)
            + size_of_val(self.merged)
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
        let key = left.rank() | right.rank() << RANK_BITS;
        let hash = hash_word(key);
        let bit = merged_bit(hash);
        if self
            .merged
            .get(bit / 8)
            .is_none_or(|byte| byte >> (bit % 8) & 1 == 0)
        {
            return Token::NONE;
        }
        let slot = perfect_slot(hash, self.pair_pilots, self.pairs.len() / PAIR_BYTES);
        let entry = read_word(self.pairs, slot * PAIR_BYTES, PAIR_BYTES);
        if entry & ((1 << (2 * RANK_BITS)) - 1) == key {
            Token((entry >> (2 * RANK_BITS)) as u32)
        } else {
            Token::NONE
        }
    }

    /// Whether no token reaches across the boundary between two characters of three bytes.
    #[inline]
    pub(crate) fn are_apart(&self, before: [u8; 3], after: [u8; 3]) -> bool {
        let [_, _, last] = before;
        let [first, second, _] = after;
        let is_set =
            |filter: &[u8], bit: usize| filter.get(bit / 8).is_none_or(|byte| byte >> (bit % 8) & 1 != 0);
        !is_set(self.joined, joined_bit(before, after))
            && !is_set(self.fragments, fragment_bit(last, first, second))
    }

    /// All merges: the ranks of the two tokens, and what they are merged to.
    #[cfg(test)]
    pub(crate) fn merges(&self) -> impl Iterator<Item = (u32, u32, Token)> {
        let part = |entry: u64, shift: u32| (entry >> shift) as u32 & ((1 << RANK_BITS) - 1);
        self.pairs
            .chunks_exact(PAIR_BYTES)
            .map(|entry| read_word(entry, 0, PAIR_BYTES))
            .filter(|&entry| entry != u64::MAX >> 8)
            .map(move |entry| {
                (
                    part(entry, 0),
                    part(entry, RANK_BITS),
                    Token((entry >> (2 * RANK_BITS)) as u32),
                )
            })
    }
}
