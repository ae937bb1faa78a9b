//! The static tables of an encoding, and the questions that the merges ask of them.
//!
//! The build script writes them (`build/pack.rs`); all numbers are little-endian. A token has a number (*id*): the
//! slot of a token of up to seven bytes in the short table, or, counted on from there, the slot of a longer one in
//! the long table. Both tables are perfect hashes (`hash.rs`).

use crate::hash::{SHORT_MAX, bucket_of, hash_more, hash_word, row_of, slot_of};

/// Bits of a rank and of an id in a record.
const RANK_BITS: u32 = 18;
/// Bits of an offset into the arena.
const OFFSET_BITS: u32 = 20;
/// Lengths below this are in the masks by the first three bytes, the others in the masks by the first sixteen.
const LONG_START: usize = 16;
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
    /// For each id: rank (18 bits), left part (18), right part (18), length of the left part (7).
    records: &'static [[u8; 8]],
    /// The id of each byte.
    bytes: &'static [[u8; 4]],
    /// For the first three bytes: which lengths a token can have (bit 2 is three bytes, bit 15 sixteen or more).
    starts: &'static [[u8; 2]],
    /// For the first sixteen bytes: which lengths a token can have (bit 0 is sixteen bytes).
    long_starts: &'static [[u8; 16]],
}

/// The number of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Id(u32);

/// How a token is merged.
#[derive(Clone, Copy)]
pub(crate) struct Record(u64);

/// A token that a text has at some position.
#[derive(Clone, Copy)]
pub(crate) struct Match {
    /// The token.
    pub(crate) id: Id,
    /// Its length in bytes.
    pub(crate) len: usize,
}

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
            records: table!($name, "records").as_chunks().0,
            bytes: table!($name, "bytes").as_chunks().0,
            starts: table!($name, "starts").as_chunks().0,
            long_starts: table!($name, "long_starts").as_chunks().0,
        }
    };
}

/// The tables of `o200k_base`.
pub(crate) static O200K: Tables = tables!("o200k");

/// The tables of `cl100k_base`.
pub(crate) static CL100K: Tables = tables!("cl100k");

// === impl Record ===

impl Record {
    /// When the token is merged: lower ranks come first.
    #[inline]
    pub(crate) fn rank(self) -> u32 {
        self.field(0)
    }

    /// The left one of the two tokens that it is merged from; itself for a single byte.
    #[inline]
    pub(crate) fn left(self) -> Id {
        Id(self.field(RANK_BITS))
    }

    /// The right one of the two tokens that it is merged from; itself for a single byte.
    #[inline]
    pub(crate) fn right(self) -> Id {
        Id(self.field(2 * RANK_BITS))
    }

    /// The length of the left part, in bytes.
    #[inline]
    pub(crate) fn left_len(self) -> usize {
        (self.0 >> (3 * RANK_BITS)) as usize
    }

    /// Whether it is a single byte, which nothing is merged into.
    #[inline]
    pub(crate) fn is_byte(self) -> bool {
        self.rank() < 256
    }

    #[inline]
    fn field(self, shift: u32) -> u32 {
        (self.0 >> shift) as u32 & ((1 << RANK_BITS) - 1)
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
            + size_of_val(self.records)
            + size_of_val(self.bytes)
            + size_of_val(self.starts)
            + size_of_val(self.long_starts)
    }

    /// The token that is exactly `text[start..end]`.
    #[inline]
    pub(crate) fn find(&self, text: &[u8], start: usize, end: usize) -> Option<Id> {
        match end.wrapping_sub(start) {
            0 => None,
            len @ 1..=SHORT_MAX => self.find_short(read_word(text, start, len) | (len as u64) << 56),
            8..=TOKEN_MAX => text.get(start..end).and_then(|token| self.find_long(token)),
            _ => None,
        }
    }

    /// How a token is merged.
    #[inline]
    pub(crate) fn record(&self, id: Id) -> Record {
        Record(
            self.records
                .get(id.0 as usize)
                .map_or(0, |&bytes| u64::from_le_bytes(bytes)),
        )
    }

    /// The longest token that `text` has at `start` and that takes at most `max` bytes of it.
    ///
    /// There is always one unless `max` is 0: each byte is a token.
    pub(crate) fn longest(&self, text: &[u8], start: usize, max: usize) -> Option<Match> {
        let max = max.min(TOKEN_MAX);
        if max >= 3 {
            let row = row_of(read_word(text, start, 3), self.starts.len());
            let mask = self.starts.get(row).map_or(0, |&bytes| u16::from_le_bytes(bytes));
            if max >= LONG_START && mask >> (LONG_START - 1) != 0 {
                let found = self.longest_of_sixteen(text, start, max);
                if found.is_some() {
                    return found;
                }
            }
            let mut lengths = u32::from(mask) & ((1 << max.min(LONG_START - 1)) - 1);
            while lengths != 0 {
                let len = 32 - lengths.leading_zeros() as usize;
                if let Some(id) = self.find(text, start, start + len) {
                    return Some(Match { id, len });
                }
                lengths ^= 1 << (len - 1);
            }
        }
        if max >= 2
            && let Some(id) = self.find(text, start, start + 2)
        {
            return Some(Match { id, len: 2 });
        }
        if max == 0 {
            return None;
        }
        let byte = text.get(start)?;
        let id = self
            .bytes
            .get(usize::from(*byte))
            .map(|&bytes| Id(u32::from_le_bytes(bytes)))?;
        Some(Match { id, len: 1 })
    }

    /// The longest token of sixteen bytes or more.
    fn longest_of_sixteen(&self, text: &[u8], start: usize, max: usize) -> Option<Match> {
        let hash = hash_more(read_word(text, start, 8), read_word(text, start + 8, 8));
        let row = row_of(hash, self.long_starts.len());
        let mask = self
            .long_starts
            .get(row)
            .map_or(0, |&bytes| u128::from_le_bytes(bytes));
        let mut lengths = mask & ((1 << (max - LONG_START + 1)) - 1);
        while lengths != 0 {
            let above = 127 - lengths.leading_zeros() as usize;
            let len = LONG_START + above;
            if let Some(id) = self.find(text, start, start + len) {
                return Some(Match { id, len });
            }
            lengths ^= 1 << above;
        }
        None
    }

    #[inline]
    fn find_short(&self, word: u64) -> Option<Id> {
        let slot = perfect_slot(hash_word(word), self.word_pilots, self.words.len());
        let found = u64::from_le_bytes(*self.words.get(slot)?);
        (found == word).then_some(Id(slot as u32))
    }

    fn find_long(&self, token: &[u8]) -> Option<Id> {
        let hash = hash_long(token);
        let slot = perfect_slot(hash, self.place_pilots, self.places.len());
        let place = u32::from_le_bytes(*self.places.get(slot)?);
        let len = (place >> OFFSET_BITS & 0x7f) as usize + 1;
        if place >> (OFFSET_BITS + 7) != (hash & 0x1f) as u32 || len != token.len() {
            return None;
        }
        let offset = (place & ((1 << OFFSET_BITS) - 1)) as usize;
        let same = self.arena.get(offset..offset + len)? == token;
        same.then_some(Id((self.words.len() + slot) as u32))
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
fn read_word(text: &[u8], start: usize, len: usize) -> u64 {
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
