//! Writes the tables of one encoding. `src/tables.rs` says what each file holds.

use std::{collections::HashMap, error::Error, fs, path::Path};

use crate::{
    hash::{SHORT_MAX, hash_more, hash_word, row_of},
    perfect::Perfect,
    vocabulary::{RANK_BITS, Token, Vocabulary},
};

/// Rows of the masks of lengths by the first three bytes.
const START_ROWS: usize = 1 << 16;

/// Rows of the masks of lengths by the first sixteen bytes.
const LONG_START_ROWS: usize = 1 << 13;

/// From this length on, lengths are in the second table of masks.
const LONG_START: usize = 16;

/// Bits of an offset into the arena of long tokens.
const OFFSET_BITS: u32 = 20;

/// Writes the tables of `vocabulary`.
///
/// # Errors
///
/// When a number does not fit its field, or a file cannot be written.
pub(crate) fn write(vocabulary: &Vocabulary, out: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    let (short, long): (Vec<&Token>, Vec<&Token>) = vocabulary
        .tokens
        .iter()
        .partition(|token| token.bytes.len() <= SHORT_MAX);
    let short_words: Vec<u64> = short.iter().map(|token| word_of(&token.bytes)).collect();
    let short_hashes: Vec<u64> = short_words.iter().map(|&word| hash_word(word)).collect();
    let long_hashes: Vec<u64> = long.iter().map(|token| hash_long(&token.bytes)).collect();
    let short_perfect = Perfect::find(&short_hashes)?;
    let long_perfect = Perfect::find(&long_hashes)?;

    let mut words = vec![0_u64; short_perfect.size];
    let mut ids: HashMap<&[u8], usize> = HashMap::new();
    for ((token, &word), &slot) in short.iter().zip(&short_words).zip(&short_perfect.slots) {
        put(&mut words, slot, word)?;
        ids.insert(&token.bytes, slot);
    }
    let mut places = vec![0_u32; long_perfect.size];
    let mut arena = Vec::new();
    for ((token, &hash), &slot) in long.iter().zip(&long_hashes).zip(&long_perfect.slots) {
        let offset = u32::try_from(arena.len())?;
        if offset >> OFFSET_BITS != 0 {
            return Err("the long tokens do not fit their arena".into());
        }
        let len = u32::try_from(token.bytes.len() - 1)?;
        let tag = u32::try_from(hash & 0x1f)?;
        put(
            &mut places,
            slot,
            offset | len << OFFSET_BITS | tag << (OFFSET_BITS + 7),
        )?;
        arena.extend_from_slice(&token.bytes);
        ids.insert(&token.bytes, short_perfect.size + slot);
    }
    let records = records(vocabulary, &ids, short_perfect.size + long_perfect.size)?;
    let bytes = (0..=u8::MAX)
        .map(|byte| {
            Ok(u32::try_from(
                *ids.get([byte].as_slice()).ok_or("a byte is no token")?,
            )?)
        })
        .collect::<Result<Vec<u32>, Box<dyn Error>>>()?;
    let (starts, long_starts) = length_masks(vocabulary)?;

    let file = |suffix: &str, content: Vec<u8>| fs::write(out.join(format!("{name}.{suffix}")), content);
    file(
        "words",
        words.iter().flat_map(|word| word.to_le_bytes()).collect(),
    )?;
    file(
        "word_pilots",
        short_perfect
            .pilots
            .iter()
            .flat_map(|pilot| pilot.to_le_bytes())
            .collect(),
    )?;
    file(
        "places",
        places.iter().flat_map(|place| place.to_le_bytes()).collect(),
    )?;
    file(
        "place_pilots",
        long_perfect
            .pilots
            .iter()
            .flat_map(|pilot| pilot.to_le_bytes())
            .collect(),
    )?;
    file("arena", arena)?;
    file(
        "records",
        records.iter().flat_map(|record| record.to_le_bytes()).collect(),
    )?;
    file("bytes", bytes.iter().flat_map(|id| id.to_le_bytes()).collect())?;
    file(
        "starts",
        starts.iter().flat_map(|mask| mask.to_le_bytes()).collect(),
    )?;
    file(
        "long_starts",
        long_starts.iter().flat_map(|mask| mask.to_le_bytes()).collect(),
    )?;
    Ok(())
}

/// For each token its rank and the two tokens that it is merged from.
fn records(
    vocabulary: &Vocabulary,
    ids: &HashMap<&[u8], usize>,
    size: usize,
) -> Result<Vec<u64>, Box<dyn Error>> {
    if size >> RANK_BITS != 0 {
        return Err("the tokens do not fit their numbers".into());
    }
    let mut records = vec![0_u64; size];
    let id = |bytes: &[u8]| ids.get(bytes).copied().ok_or("a part of a token is no token");
    for token in &vocabulary.tokens {
        let own = id(&token.bytes)?;
        let (left, right) = token
            .bytes
            .split_at_checked(token.left_len)
            .ok_or("a part is too long")?;
        let left_id = id(left)?;
        let right_id = if right.is_empty() { own } else { id(right)? };
        let record = u64::from(token.rank)
            | (left_id as u64) << RANK_BITS
            | (right_id as u64) << (2 * RANK_BITS)
            | (token.left_len as u64) << (3 * RANK_BITS);
        put(&mut records, own, record)?;
    }
    Ok(records)
}

/// Which lengths a token can have, by the bytes that it begins with.
fn length_masks(vocabulary: &Vocabulary) -> Result<(Vec<u16>, Vec<u128>), Box<dyn Error>> {
    let mut starts = vec![0_u16; START_ROWS];
    let mut long_starts = vec![0_u128; LONG_START_ROWS];
    for Token { bytes, .. } in vocabulary.tokens.iter().filter(|token| token.bytes.len() >= 3) {
        let row = row_of(read_word(bytes) & 0xff_ffff, START_ROWS);
        let mask = starts.get_mut(row).ok_or("no such row")?;
        *mask |= 1 << (bytes.len().min(LONG_START) - 1);
        if let Some(rest) = bytes.get(8..).filter(|_| bytes.len() >= LONG_START) {
            let long_row = row_of(hash_more(read_word(bytes), read_word(rest)), LONG_START_ROWS);
            let long_mask = long_starts.get_mut(long_row).ok_or("no such row")?;
            *long_mask |= 1 << (bytes.len() - LONG_START);
        }
    }
    Ok((starts, long_starts))
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

fn put<T>(table: &mut [T], slot: usize, value: T) -> Result<(), Box<dyn Error>> {
    *table.get_mut(slot).ok_or("no such slot")? = value;
    Ok(())
}
