//! The static tables of an encoding, and the questions that the counter asks of them.
//!
//! The build script writes them (`build/pack.rs`); all numbers are little-endian. Whether some bytes are a token, and
//! what two tokens are merged to, are perfect hashes (`hash.rs`).

use crate::hash::{
    SHORT_MAX, bucket_of, fragment_bit, hash_more, hash_word, joined_bit, merged_bit, slot_of,
};

/// Bits of a rank.
const RANK_BITS: u32 = 18;
/// Bits of an offset into the arena.
const OFFSET_BITS: u32 = 20;
/// The longest token, in bytes.
pub(crate) const TOKEN_MAX: usize = 128;

/// The tables of one encoding.
pub(crate) struct Tables {
    /// Short tokens: the bytes, and their count in the last byte.
    words: &'static [[u8; 8]],
    word_pilots: &'static [[u8; 2]],
    /// Long tokens: offset into the arena (20 bits), length less one (7), some bits of the hash (5).
    places: &'static [[u8; 4]],
    place_pilots: &'static [[u8; 2]],
    /// The bytes of the long tokens.
    arena: &'static [u8],
    /// The token of each byte.
    bytes: &'static [[u8; 4]],
    /// The token of each two bytes, or [`Token::NONE`].
    byte_pairs: &'static [[u8; 4]],
    /// What two tokens are merged to: rank of the left one (18 bits), of the right one (18), the token (20).
    pairs: &'static [[u8; 8]],
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

macro_rules! table {
    ($name:literal, $suffix:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".", $suffix)).as_slice()
    };
}

macro_rules! tables {
    ($name:literal) => {
        Tables {
            words: table!($name, "words").as_chunks().0,
            word_pilots: table!($name, "word_pilots").as_chunks().0,
            places: table!($name, "places").as_chunks().0,
            place_pilots: table!($name, "place_pilots").as_chunks().0,
            arena: table!($name, "arena"),
            bytes: table!($name, "bytes").as_chunks().0,
            byte_pairs: table!($name, "byte_pairs").as_chunks().0,
            pairs: table!($name, "pairs").as_chunks().0,
            pair_pilots: table!($name, "pair_pilots").as_chunks().0,
            merged: table!($name, "merged"),
            joined: table!($name, "joined"),
            fragments: table!($name, "fragments"),
        }
    };
}

/// The tables of `o200k_base`.
pub(crate) static O200K: Tables = tables!("o200k");

/// The tables of `cl100k_base`.
pub(crate) static CL100K: Tables = tables!("cl100k");

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
    /// How large they are together.
    pub(crate) const fn bytes(&self) -> usize {
        size_of_val(self.words)
            + size_of_val(self.word_pilots)
            + size_of_val(self.places)
            + size_of_val(self.place_pilots)
            + size_of_val(self.arena)
            + size_of_val(self.bytes)
            + size_of_val(self.byte_pairs)
            + size_of_val(self.pairs)
            + size_of_val(self.pair_pilots)
            + size_of_val(self.merged)
            + size_of_val(self.joined)
            + size_of_val(self.fragments)
    }

    /// Whether `text[start..end]` is a token.
    #[inline]
    pub(crate) fn has(&self, text: &[u8], start: usize, end: usize) -> bool {
        match end.wrapping_sub(start) {
            0 => false,
            1..=SHORT_MAX => self.has_word(Self::word(text, start, end)),
            8..=TOKEN_MAX => text.get(start..end).is_some_and(|token| self.has_long(token)),
            _ => false,
        }
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
        self.byte_pairs
            .get(usize::from(left) << 8 | usize::from(right))
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
        let slot = perfect_slot(hash, self.pair_pilots, self.pairs.len());
        let entry = self
            .pairs
            .get(slot)
            .map_or(u64::MAX, |&entry| u64::from_le_bytes(entry));
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
            .iter()
            .map(|&entry| u64::from_le_bytes(entry))
            .filter(|&entry| entry != u64::MAX)
            .map(move |entry| {
                (
                    part(entry, 0),
                    part(entry, RANK_BITS),
                    Token((entry >> (2 * RANK_BITS)) as u32),
                )
            })
    }

    /// `text[start..end]`, of 1 to [`SHORT_MAX`] bytes, and how many they are.
    #[inline]
    pub(crate) fn word(text: &[u8], start: usize, end: usize) -> u64 {
        let len = end - start;
        read_word(text, start, len) | (len as u64) << 56
    }

    /// Whether a word is a token.
    #[inline]
    fn has_word(&self, word: u64) -> bool {
        let slot = perfect_slot(hash_word(word), self.word_pilots, self.words.len());
        self.words
            .get(slot)
            .is_some_and(|&found| u64::from_le_bytes(found) == word)
    }

    fn has_long(&self, token: &[u8]) -> bool {
        let hash = hash_long(token);
        let slot = perfect_slot(hash, self.place_pilots, self.places.len());
        let place = self
            .places
            .get(slot)
            .map_or(0, |&place| u32::from_le_bytes(place));
        let len = (place >> OFFSET_BITS & 0x7f) as usize + 1;
        if place >> (OFFSET_BITS + 7) != (hash & 0x1f) as u32 || len != token.len() {
            return false;
        }
        let offset = (place & ((1 << OFFSET_BITS) - 1)) as usize;
        self.arena.get(offset..offset + len) == Some(token)
    }
}

#[inline]
fn perfect_slot(hash: u64, pilots: &[[u8; 2]], slots: usize) -> usize {
    let bucket = bucket_of(hash, pilots.len());
    let pilot = pilots.get(bucket).map_or(0, |&bytes| u16::from_le_bytes(bytes));
    slot_of(hash, pilot, slots)
}

#[inline]
fn hash_long(token: &[u8]) -> u64 {
    let len = token.len();
    let mut hash = hash_word(len as u64);
    let mut at = 0;
    while at + 8 < len {
        hash = hash_more(hash, read_word(token, at, 8));
        at += 8;
    }
    hash_word(hash_more(hash, read_word(token, len.saturating_sub(8), 8)))
}

/// The `len` (1 to 8) bytes at `start` as a little-endian number.
#[inline]
pub(crate) fn read_word(text: &[u8], start: usize, len: usize) -> u64 {
    let rest = text.get(start..).unwrap_or_default();
    let word = match rest.first_chunk::<8>() {
        Some(&bytes) => u64::from_le_bytes(bytes),
        None => rest
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    word & (u64::MAX >> (64 - 8 * len.min(8)))
}
