//! Writes the tables of one encoding. `src/tables.rs` says what each file holds.

use std::{
    collections::{HashMap, HashSet},
    error::Error,
    fs,
    path::Path,
};

use crate::{
    boundaries,
    hash::{MERGED_BITS, SHORT_MAX, hash_more, hash_word, merged_bit},
    perfect::Perfect,
    vocabulary::{RANK_BITS, Token, Vocabulary},
};

/// Bits of an offset into the arena of long tokens.
const OFFSET_BITS: u32 = 20;

/// No token, as the merges know it.
const NONE: u32 = ((1 << RANK_BITS) - 1) << 2;

/// What the merges know a token by: its rank and two flags.
type Values = HashMap<u32, u32>;

/// Where the tables of an encoding go.
struct Out<'a> {
    folder: &'a Path,
    encoding: &'a str,
}

/// Writes the tables of `vocabulary`.
///
/// # Errors
///
/// When a number does not fit its field, or a file cannot be written.
pub(crate) fn write(vocabulary: &Vocabulary, folder: &Path, encoding: &str) -> Result<(), Box<dyn Error>> {
    let out = Out { folder, encoding };
    let (short, long): (Vec<&Token>, Vec<&Token>) = vocabulary
        .tokens
        .iter()
        .partition(|token| token.bytes.len() <= SHORT_MAX);
    write_short(&short, &out)?;
    write_long(&long, &out)?;
    write_merges(vocabulary, &out)?;
    let (joined, fragments) = boundaries::filters(vocabulary)?;
    out.file("joined", joined)?;
    out.file("fragments", fragments)
}

/// Short tokens: the words themselves.
fn write_short(tokens: &[&Token], out: &Out<'_>) -> Result<(), Box<dyn Error>> {
    let words: Vec<u64> = tokens.iter().map(|token| word_of(&token.bytes)).collect();
    let hashes: Vec<u64> = words.iter().map(|&word| hash_word(word)).collect();
    let perfect = Perfect::find(&hashes)?;
    let mut table = vec![0_u64; perfect.size];
    for (&word, &slot) in words.iter().zip(&perfect.slots) {
        put(&mut table, slot, word)?;
    }
    out.file("words", table.into_iter().flat_map(u64::to_le_bytes))?;
    out.file(
        "word_pilots",
        perfect.pilots.into_iter().flat_map(u16::to_le_bytes),
    )
}

/// Long tokens: where their bytes are.
fn write_long(tokens: &[&Token], out: &Out<'_>) -> Result<(), Box<dyn Error>> {
    let hashes: Vec<u64> = tokens.iter().map(|token| hash_long(&token.bytes)).collect();
    let perfect = Perfect::find(&hashes)?;
    let mut places = vec![0_u32; perfect.size];
    let mut arena = Vec::new();
    for ((token, &hash), &slot) in tokens.iter().zip(&hashes).zip(&perfect.slots) {
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
    }
    out.file("places", places.into_iter().flat_map(u32::to_le_bytes))?;
    out.file(
        "place_pilots",
        perfect.pilots.into_iter().flat_map(u16::to_le_bytes),
    )?;
    out.file("arena", arena)
}

/// What two tokens are merged to; apart from that, what two bytes are merged to, and what a byte is.
fn write_merges(vocabulary: &Vocabulary, out: &Out<'_>) -> Result<(), Box<dyn Error>> {
    let values = values(vocabulary)?;
    let value = |rank: u32| values.get(&rank).copied().ok_or("no such token");
    let mut bytes = vec![0_u32; 1 << 8];
    let mut byte_pairs = vec![NONE; 1 << 16];
    let mut entries = Vec::new();
    for token in &vocabulary.tokens {
        match (token.parts, token.bytes.as_slice()) {
            (None, &[byte]) => put(&mut bytes, usize::from(byte), value(token.rank)?)?,
            (Some((left, right)), spelled) => {
                if let &[first, second] = spelled {
                    let pair = usize::from(first) << 8 | usize::from(second);
                    put(&mut byte_pairs, pair, value(token.rank)?)?;
                }
                let key = u64::from(left) | u64::from(right) << RANK_BITS;
                entries.push((key, key | u64::from(value(token.rank)?) << (2 * RANK_BITS)));
            }
            (None, _) => return Err("a token of several bytes is merged from nothing".into()),
        }
    }
    let hashes: Vec<u64> = entries.iter().map(|&(key, _)| hash_word(key)).collect();
    let mut merged = vec![0_u8; MERGED_BITS / 8];
    for &hash in &hashes {
        *merged.get_mut(merged_bit(hash) / 8).ok_or("no such bit")? |= 1 << (merged_bit(hash) % 8);
    }
    out.file("merged", merged)?;
    let perfect = Perfect::find(&hashes)?;
    let mut pairs = vec![u64::MAX; perfect.size];
    for (&(_, entry), &slot) in entries.iter().zip(&perfect.slots) {
        put(&mut pairs, slot, entry)?;
    }
    out.file("bytes", bytes.into_iter().flat_map(u32::to_le_bytes))?;
    out.file("byte_pairs", byte_pairs.into_iter().flat_map(u32::to_le_bytes))?;
    out.file("pairs", pairs.into_iter().flat_map(u64::to_le_bytes))?;
    out.file(
        "pair_pilots",
        perfect.pilots.into_iter().flat_map(u16::to_le_bytes),
    )
}

/// The value of each token, by rank: the rank, and whether other tokens begin or end with it.
fn values(vocabulary: &Vocabulary) -> Result<Values, Box<dyn Error>> {
    let parts = || vocabulary.tokens.iter().filter_map(|token| token.parts);
    let lefts: HashSet<u32> = parts().map(|(left, _)| left).collect();
    let rights: HashSet<u32> = parts().map(|(_, right)| right).collect();
    vocabulary
        .tokens
        .iter()
        .map(|Token { rank, .. }| {
            if rank << 2 >= NONE {
                return Err("the tokens do not fit their numbers".into());
            }
            let flags = u32::from(lefts.contains(rank)) | u32::from(rights.contains(rank)) << 1;
            Ok((*rank, rank << 2 | flags))
        })
        .collect()
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

// === impl Out ===

impl Out<'_> {
    fn file(&self, suffix: &str, content: impl IntoIterator<Item = u8>) -> Result<(), Box<dyn Error>> {
        let path = self.folder.join(format!("{}.{suffix}", self.encoding));
        fs::write(path, content.into_iter().collect::<Vec<u8>>())?;
        Ok(())
    }
}
