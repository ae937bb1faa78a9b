//! Writes which bytes are a common token of either encoding: most of those of one are those of the other, too, so that they
//! share their tables. `src/spellings.rs` says what each file holds.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    path::Path,
};

use crate::{
    hash::{LONG_BUCKET_BITS, SHORT_MAX, WORD_BITS, WORD_BUCKET_BITS, hash_more, hash_word, mix},
    pack::Out,
    vocabulary::{Token, Vocabulary},
};

/// Bits of an offset into the arena of long tokens.
const OFFSET_BITS: u32 = 20;

/// Bits of a length less one, and of the hash.
const LEN_BITS: u32 = 7;
const TAG_BITS: u32 = 3;

/// Bytes of a short token: what its bucket does not say of its key, and whose it is.
const WORD_BYTES: usize = 6;

/// Bytes of a long token.
const PLACE_BYTES: usize = 4;

/// Tokens of up to so many bytes are all in the tables: what is merged of so few bytes is known to be none.
const ALL_UP_TO: usize = 3;

/// Of the longer ones those of lower ranks are, which are the commoner. The others are found by their merges, which
/// takes ten times as long; but what each of them takes of memory every VM has, and every copy of the module.
const COMMON: u32 = 1 << 15;

/// Which encodings have a token: a bit for each, in their order.
type Owners = u8;

/// The bytes of the long tokens, in as little room as is found: many are a part of another.
#[derive(Default)]
struct Arena {
    bytes: Vec<u8>,
    /// Where each eight bytes stand.
    places: HashMap<[u8; 8], Vec<usize>>,
}

/// Writes the tables of the tokens of all `vocabularies`.
///
/// # Errors
///
/// When a number does not fit its field, or a file cannot be written.
pub(crate) fn write(vocabularies: &[&Vocabulary], folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut owners: BTreeMap<&[u8], Owners> = BTreeMap::new();
    for (index, vocabulary) in vocabularies.iter().enumerate() {
        let is_listed = |token: &&Token| token.bytes.len() <= ALL_UP_TO || token.rank < COMMON;
        for token in vocabulary.tokens.iter().filter(is_listed) {
            *owners.entry(&token.bytes).or_default() |= 1 << index;
        }
    }
    let out = Out {
        folder,
        encoding: "all",
    };
    let (short, long): (Vec<_>, Vec<_>) = owners
        .into_iter()
        .partition(|(bytes, _)| bytes.len() <= SHORT_MAX);
    write_short(&short, &out)?;
    write_long(long, &out)
}

/// Short tokens: the bytes themselves.
fn write_short(tokens: &[(&[u8], Owners)], out: &Out<'_>) -> Result<(), Box<dyn Error>> {
    let rest_bits = WORD_BITS - WORD_BUCKET_BITS;
    let entries = tokens.iter().map(|&(bytes, owners)| {
        let mixed = mix(word_of(bytes), WORD_BITS);
        (
            mixed >> rest_bits,
            mixed & ((1 << rest_bits) - 1) | u64::from(owners) << rest_bits,
        )
    });
    out.buckets::<WORD_BYTES>("word", entries, WORD_BUCKET_BITS)
}

/// Long tokens: where their bytes are.
fn write_long(mut tokens: Vec<(&[u8], Owners)>, out: &Out<'_>) -> Result<(), Box<dyn Error>> {
    // The longest first: the others are found in them.
    tokens.sort_by_key(|(bytes, _)| usize::MAX - bytes.len());
    let mut arena = Arena::default();
    let mut places = Vec::new();
    for (bytes, owners) in tokens {
        let hash = hash_long(bytes);
        let offset = u32::try_from(arena.place(bytes))?;
        if offset >> OFFSET_BITS != 0 {
            return Err("the long tokens do not fit their arena".into());
        }
        let len = u32::try_from(bytes.len() - 1)?;
        let tag = u32::try_from(hash & ((1 << TAG_BITS) - 1))?;
        let fields = [(len, LEN_BITS), (tag, TAG_BITS), (u32::from(owners), 0)];
        let mut shift = OFFSET_BITS;
        let mut place = offset;
        for (field, bits) in fields {
            place |= field << shift;
            shift += bits;
        }
        places.push((hash >> (64 - LONG_BUCKET_BITS), u64::from(place)));
    }
    out.buckets::<PLACE_BYTES>("place", places, LONG_BUCKET_BITS)?;
    out.file("arena", arena.bytes)
}

// === impl Arena ===

impl Arena {
    /// Where these bytes, eight at least, stand: where they are found, or at the end.
    fn place(&mut self, bytes: &[u8]) -> usize {
        let found = bytes
            .first_chunk::<8>()
            .and_then(|first| self.places.get(first))
            .into_iter()
            .flatten()
            .copied()
            .find(|&at| self.bytes.get(at..at + bytes.len()) == Some(bytes));
        if let Some(at) = found {
            return at;
        }
        let at = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let windows = self.bytes.windows(8).enumerate().skip(at.saturating_sub(7));
        for (place, window) in windows {
            if let Some(&window) = window.first_chunk::<8>() {
                self.places.entry(window).or_default().push(place);
            }
        }
        at
    }
}

/// The word of a short token: its bytes, and their count in the last byte.
fn word_of(bytes: &[u8]) -> u64 {
    read_word(bytes) | (bytes.len() as u64) << 56
}

/// The hash of a long token: see `hash_more`.
fn hash_long(bytes: &[u8]) -> u64 {
    let mut hash = hash_word(bytes.len() as u64);
    let mut rest = bytes;
    while rest.len() > 8 {
        hash = hash_more(hash, read_word(rest));
        rest = rest.get(8..).unwrap_or_default();
    }
    let last = bytes.get(bytes.len().saturating_sub(8)..).unwrap_or_default();
    hash_word(hash_more(hash, read_word(last)))
}

/// Up to eight bytes as a little-endian number.
fn read_word(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .rev()
        .fold(0, |word, &byte| word << 8 | u64::from(byte))
}
