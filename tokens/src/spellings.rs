//! Which bytes are a token, of either encoding: tables that both share. They know all of the shortest tokens, and of the
//! others the common ones: for the rest there are the merges, which make of each token itself.
//!
//! The build script writes them (`build/spellings.rs`); all numbers are little-endian.

use crate::buckets::Buckets;
use crate::hash::{LONG_BUCKET_BITS, SHORT_MAX, WORD_BITS, WORD_BUCKET_BITS, hash_more, hash_word, mix};

/// The bits of those that a token belongs to.
pub(crate) const O200K: u8 = 1;
pub(crate) const CL100K: u8 = 2;

/// Bits of a short token that are of its key, those that its bucket does not say; behind them are those of its encodings.
const REST_BITS: u32 = WORD_BITS - WORD_BUCKET_BITS;
const REST: u64 = (1 << REST_BITS) - 1;
/// Bits of an offset into the arena.
const OFFSET_BITS: u32 = 20;
/// Bits of the length of a long token, less one.
const LEN_BITS: u32 = 7;
/// Bits of its hash.
const TAG_BITS: u32 = 3;
/// The longest token, in bytes.
const TOKEN_MAX: usize = 128;

/// The tables.
pub(crate) struct Spellings {
    /// Short tokens: the bytes and their count (mixed, 45 bits below the bucket's), and whose they are (2).
    word_buckets: Buckets,
    words: &'static [[u8; 6]],
    /// Long tokens, by hash: offset into the arena (20 bits), length less one (7), some bits of the hash (3), whose they
    /// are (2).
    place_buckets: Buckets,
    places: &'static [[u8; 4]],
    /// The bytes of the long tokens, one in another where they are.
    arena: &'static [u8],
}

/// A table that the build script wrote.
macro_rules! table {
    ($name:literal, $suffix:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".", $suffix)).as_slice()
    };
}
pub(crate) use table;

/// The tables of both encodings.
pub(crate) static SPELLINGS: Spellings = Spellings {
    word_buckets: Buckets::new(table!("all", "word_buckets")),
    words: table!("all", "words").as_chunks().0,
    place_buckets: Buckets::new(table!("all", "place_buckets")),
    places: table!("all", "places").as_chunks().0,
    arena: table!("all", "arena"),
};

// === impl Spellings ===

impl Spellings {
    /// How large they are together.
    pub(crate) const fn bytes(&self) -> usize {
        self.word_buckets.bytes()
            + size_of_val(self.words)
            + self.place_buckets.bytes()
            + size_of_val(self.places)
            + size_of_val(self.arena)
    }

    /// Whether `text[start..end]` is a token of `owner` that the tables know.
    #[inline]
    pub(crate) fn has(&self, owner: u8, text: &[u8], start: usize, end: usize) -> bool {
        match end.wrapping_sub(start) {
            0 => false,
            1..=SHORT_MAX => self.has_word(owner, word(text, start, end)),
            8..=TOKEN_MAX => text
                .get(start..end)
                .is_some_and(|token| self.has_long(owner, token)),
            _ => false,
        }
    }

    /// Whether a word is such a token.
    #[inline]
    fn has_word(&self, owner: u8, word: u64) -> bool {
        let mixed = mix(word, WORD_BITS);
        let rest = mixed & REST;
        let bucket = (mixed >> REST_BITS) as usize;
        let words = self.word_buckets.entries(bucket, self.words);
        words.unwrap_or_default().iter().any(|[start @ .., e, f]| {
            // Most others differ in these already.
            u32::from_le_bytes(*start) == rest as u32 && {
                let end = u16::from_le_bytes([*e, *f]);
                u64::from(end) & (REST >> u32::BITS) == rest >> u32::BITS
                    && (end >> (REST_BITS - u32::BITS)) as u8 & owner != 0
            }
        })
    }

    fn has_long(&self, owner: u8, token: &[u8]) -> bool {
        let hash = hash_long(token);
        let bucket = (hash >> (u64::BITS - LONG_BUCKET_BITS)) as usize;
        let places = self.place_buckets.entries(bucket, self.places);
        places.unwrap_or_default().iter().any(|&place| {
            let place = u32::from_le_bytes(place);
            let offset = (place & ((1 << OFFSET_BITS) - 1)) as usize;
            let rest = place >> OFFSET_BITS;
            let len = (rest & ((1 << LEN_BITS) - 1)) as usize + 1;
            let (tag, owners) = (
                rest >> LEN_BITS & ((1 << TAG_BITS) - 1),
                (rest >> (LEN_BITS + TAG_BITS)) as u8,
            );
            tag == (hash & ((1 << TAG_BITS) - 1)) as u32
                && owners & owner != 0
                && len == token.len()
                && self.arena.get(offset..offset + len) == Some(token)
        })
    }
}

/// `text[start..end]`, of 1 to [`SHORT_MAX`] bytes, and how many they are.
#[inline]
pub(crate) fn word(text: &[u8], start: usize, end: usize) -> u64 {
    let len = end - start;
    read_word(text, start, len) | (len as u64) << 56
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
