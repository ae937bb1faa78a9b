//! A vocabulary and, for each token, the two tokens that the byte-pair merges make it of.

use std::{collections::HashMap, error::Error};

use tiktoken_rs::CoreBPE;

use crate::hash::RANK_BITS;

/// The longest token of either encoding, in bytes.
pub(crate) const TOKEN_MAX: usize = 128;

/// One token of a vocabulary.
pub(crate) struct Token {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Its rank: merges happen in this order.
    pub(crate) rank: u32,
    /// The ranks of the two tokens that it is merged from; nothing for a single byte.
    pub(crate) parts: Option<(u32, u32)>,
}

/// All ordinary tokens of an encoding, by rank.
pub(crate) struct Vocabulary {
    /// The tokens, by rank; a rank may be missing.
    pub(crate) tokens: Vec<Token>,
}

type Ranks = HashMap<Vec<u8>, u32>;

// === impl Vocabulary ===

impl Vocabulary {
    /// Reads every ordinary token of the oracle and finds how each is merged.
    ///
    /// # Errors
    ///
    /// When the vocabulary lacks a property that the counter is built on.
    pub(crate) fn read(oracle: &CoreBPE) -> Result<Self, Box<dyn Error>> {
        let special = oracle.special_tokens();
        let mut ranks = Ranks::new();
        let mut listed = Vec::new();
        for rank in 0..1 << RANK_BITS {
            let Ok(bytes) = oracle.decode_bytes(&[rank]) else {
                continue;
            };
            if str::from_utf8(&bytes).is_ok_and(|text| special.contains(text)) {
                continue;
            }
            if bytes.is_empty() || bytes.len() > TOKEN_MAX || (rank < 256) != (bytes.len() == 1) {
                return Err(format!("token {rank}: {} bytes are not expected here", bytes.len()).into());
            }
            ranks.insert(bytes.clone(), rank);
            listed.push((bytes, rank));
        }
        let tokens = listed
            .into_iter()
            .map(|(bytes, rank)| {
                let parts = parts(&bytes, rank, &ranks)?;
                Ok(Token { bytes, rank, parts })
            })
            .collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        Ok(Self { tokens })
    }
}

/// Merges a token's bytes by every rank below its own; what is left must be two tokens.
fn parts(bytes: &[u8], rank: u32, ranks: &Ranks) -> Result<Option<(u32, u32)>, Box<dyn Error>> {
    let mut ends: Vec<usize> = (1..=bytes.len()).collect();
    loop {
        let mut best = (rank, usize::MAX);
        let mut start = 0;
        for (index, pair) in ends.windows(2).enumerate() {
            let &[middle, end] = pair else { continue };
            let merged = bytes.get(start..end).and_then(|slice| ranks.get(slice)).copied();
            if let Some(merged) = merged.filter(|&merged| merged < best.0) {
                best = (merged, index);
            }
            start = middle;
        }
        if best.1 == usize::MAX {
            break;
        }
        ends.remove(best.1);
    }
    match ends.as_slice() {
        [_] => Ok(None),
        &[middle, _] => {
            let (left, right) = bytes.split_at_checked(middle).ok_or("a part is too long")?;
            let rank_of = |part| ranks.get(part).copied().ok_or("a part of a token is no token");
            Ok(Some((rank_of(left)?, rank_of(right)?)))
        }
        parts => Err(format!("token {rank} is never merged: {} parts are left", parts.len()).into()),
    }
}
