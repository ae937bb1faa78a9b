//! Writes the merges of one encoding. `src/tables.rs` says what each file holds.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    error::Error,
    fs,
    path::Path,
};

use crate::{
    boundaries,
    buckets::Buckets,
    hash::{MERGE_BITS, MERGE_BUCKET_BITS, RANK_BITS, mix},
    vocabulary::{Token, Vocabulary},
};

/// Two bytes, as many as there can be.
const BYTE_PAIRS: usize = 1 << 16;

/// Bytes of a merge: what its bucket does not say of its key, and a token with its flags.
const MERGE_BYTES: usize = 5;

/// No token, as the merges know it.
const NONE: u32 = ((1 << RANK_BITS) - 1) << 2;

/// What the merges know a token by: its rank and two flags.
type Values = HashMap<u32, u32>;

/// Where the tables of an encoding go, or those that both share.
pub(crate) struct Out<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) encoding: &'a str,
}

/// Writes what only one encoding has: its merges.
///
/// # Errors
///
/// When a number does not fit its field, or a file cannot be written.
pub(crate) fn write(vocabulary: &Vocabulary, folder: &Path, encoding: &str) -> Result<(), Box<dyn Error>> {
    let out = Out { folder, encoding };
    write_byte_pairs(vocabulary, &out)?;
    write_merges(vocabulary, &out)?;
    let (joined, fragments) = boundaries::filters(vocabulary)?;
    out.file("joined", joined)?;
    out.file("fragments", fragments)
}

/// What two tokens are merged to; apart from that, what a byte is.
fn write_merges(vocabulary: &Vocabulary, out: &Out<'_>) -> Result<(), Box<dyn Error>> {
    let values = values(vocabulary)?;
    let value = |rank: u32| values.get(&rank).copied().ok_or("no such token");
    let mut bytes = vec![0_u32; 1 << 8];
    let mut merges = Vec::new();
    for token in &vocabulary.tokens {
        match (token.parts, token.bytes.as_slice()) {
            (None, &[byte]) => put(&mut bytes, usize::from(byte), value(token.rank)?)?,
            (Some((left, right)), _) => {
                let key = u64::from(left) | u64::from(right) << RANK_BITS;
                merges.push((mix(key, MERGE_BITS), value(token.rank)?));
            }
            (None, _) => return Err("a token of several bytes is merged from nothing".into()),
        }
    }
    out.file("bytes", bytes.into_iter().flat_map(u32::to_le_bytes))?;
    let rest_bits = MERGE_BITS - MERGE_BUCKET_BITS;
    let entries = merges.iter().map(|&(mixed, value)| {
        (
            mixed >> rest_bits,
            mixed & ((1 << rest_bits) - 1) | u64::from(value) << rest_bits,
        )
    });
    out.buckets::<MERGE_BYTES>("merge", entries, MERGE_BUCKET_BITS)
}

/// What two bytes are merged to: a bit for each two that are, how many bits are set before each word of 64, and the
/// tokens in the bits' order.
fn write_byte_pairs(vocabulary: &Vocabulary, out: &Out<'_>) -> Result<(), Box<dyn Error>> {
    let values = values(vocabulary)?;
    let mut tokens = BTreeMap::new();
    for token in &vocabulary.tokens {
        if let &[first, second] = token.bytes.as_slice() {
            let value = values.get(&token.rank).copied().ok_or("no such token")?;
            tokens.insert(usize::from(first) << 8 | usize::from(second), value);
        }
    }
    let mut bits = vec![0_u64; BYTE_PAIRS / 64];
    for pair in tokens.keys() {
        *bits.get_mut(pair / 64).ok_or("no such word")? |= 1 << (pair % 64);
    }
    let mut before = 0;
    let mut counts = Vec::new();
    for word in &bits {
        counts.push(u16::try_from(before)?);
        before += word.count_ones();
    }
    out.file("byte_pair_bits", bits.into_iter().flat_map(u64::to_le_bytes))?;
    out.file("byte_pair_counts", counts.into_iter().flat_map(u16::to_le_bytes))?;
    out.file(
        "byte_pair_tokens",
        tokens.into_values().flat_map(u32::to_le_bytes),
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

pub(crate) fn put<T>(table: &mut [T], slot: usize, value: T) -> Result<(), Box<dyn Error>> {
    *table.get_mut(slot).ok_or("no such slot")? = value;
    Ok(())
}

// === impl Out ===

impl Out<'_> {
    pub(crate) fn file(
        &self,
        suffix: &str,
        content: impl IntoIterator<Item = u8>,
    ) -> Result<(), Box<dyn Error>> {
        let path = self.folder.join(format!("{}.{suffix}", self.encoding));
        fs::write(path, content.into_iter().collect::<Vec<u8>>())?;
        Ok(())
    }

    /// Entries of `BYTES` bytes, each with its bucket, of which there are `1 << bucket_bits`.
    pub(crate) fn buckets<const BYTES: usize>(
        &self,
        kind: &str,
        entries: impl IntoIterator<Item = (u64, u64)>,
        bucket_bits: u32,
    ) -> Result<(), Box<dyn Error>> {
        let (places, entries): (Vec<u64>, Vec<u64>) = entries.into_iter().unzip();
        let buckets = Buckets::new(&places, 1 << bucket_bits)?;
        self.file(&format!("{kind}_buckets"), buckets.groups)?;
        let ordered = buckets.order.iter().filter_map(|&entry| entries.get(entry));
        self.file(
            &format!("{kind}s"),
            ordered.flat_map(|entry| entry.to_le_bytes().into_iter().take(BYTES)),
        )
    }
}
