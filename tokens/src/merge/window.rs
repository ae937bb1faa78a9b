//! Merging up to 512 bytes.
//!
//! The least pair is found in two steps: of each block the least key is kept, and a merge changes three keys, mostly
//! of one block, so that it costs the same wherever it is.

use super::Key;
use crate::tables::{Tables, Token};

/// Positions of a block: four vectors of keys.
pub(super) const BLOCK: usize = 16;

/// The most bytes of a window.
pub(super) const WINDOW: usize = 512;

/// Where tokens begin, a bit for each position.
#[derive(Clone)]
pub(super) struct Starts {
    bits: [u64; WINDOW / 64],
    len: usize,
}

/// Up to `BLOCKS * BLOCK` bytes that are being merged.
struct Merging<const BLOCKS: usize> {
    /// The pair that begins at each position.
    keys: [[Key; BLOCK]; BLOCKS],
    /// The least key of each block.
    least: [Key; BLOCKS],
    /// The token that begins at each position.
    tokens: [[Token; BLOCK]; BLOCKS],
    starts: Starts,
}

/// The tokens of some bytes, at most `BLOCKS * BLOCK`.
pub(super) fn merge<const BLOCKS: usize>(tables: &Tables, bytes: &[u8]) -> Starts {
    let mut merging = Merging::<BLOCKS>::new(tables, bytes);
    loop {
        let least = Key::least(&merging.least);
        if least.token() == Token::NONE {
            return merging.starts;
        }
        merging.apply(tables, least.token(), least.position());
    }
}

// === impl Merging ===

impl<const BLOCKS: usize> Merging<BLOCKS> {
    #[inline]
    fn new(tables: &Tables, bytes: &[u8]) -> Self {
        let mut merging = Self {
            keys: [[Key::NONE; BLOCK]; BLOCKS],
            least: [Key::NONE; BLOCKS],
            tokens: [[Token::NONE; BLOCK]; BLOCKS],
            starts: Starts::all(bytes.len().min(BLOCKS * BLOCK)),
        };
        let keys = merging.keys.as_flattened_mut().iter_mut().enumerate();
        for (pair, (at, key)) in bytes.windows(2).zip(keys) {
            if let &[left, right] = pair {
                *key = Key::new(tables.byte_pair(left, right), at);
            }
        }
        for (&byte, token) in bytes.iter().zip(merging.tokens.as_flattened_mut()) {
            *token = tables.byte(byte);
        }
        for (least, keys) in merging.least.iter_mut().zip(&merging.keys) {
            *least = Key::least(keys);
        }
        merging
    }

    /// Merges the two tokens at `at`.
    #[inline]
    fn apply(&mut self, tables: &Tables, merged: Token, at: usize) {
        let gone = self.starts.after(at);
        let next = self.starts.after(gone);
        self.starts.remove(gone);
        self.set_token(at, merged);
        self.set_pair(gone, Token::NONE);
        self.set_pair(at, tables.pair(merged, self.token(next)));
        self.refresh(at);
        if gone / BLOCK != at / BLOCK {
            self.refresh(gone);
        }
        if let Some(before) = self.starts.before(at) {
            self.set_pair(before, tables.pair(self.token(before), merged));
            self.refresh(before);
        }
    }

    #[inline]
    fn token(&self, at: usize) -> Token {
        let tokens = self.tokens.as_flattened();
        tokens.get(at).copied().unwrap_or(Token::NONE)
    }

    #[inline]
    fn set_token(&mut self, at: usize, token: Token) {
        if let Some(place) = self.tokens.as_flattened_mut().get_mut(at) {
            *place = token;
        }
    }

    #[inline]
    fn set_pair(&mut self, at: usize, merged: Token) {
        if let Some(key) = self.keys.as_flattened_mut().get_mut(at) {
            *key = Key::new(merged, at);
        }
    }

    /// Finds the least key again of the block that has `at`.
    #[inline]
    fn refresh(&mut self, at: usize) {
        if let (Some(keys), Some(least)) = (self.keys.get(at / BLOCK), self.least.get_mut(at / BLOCK)) {
            *least = Key::least(keys);
        }
    }
}

// === impl Starts ===

impl Starts {
    /// A token at each of `len` positions.
    #[inline]
    fn all(len: usize) -> Self {
        let mut bits = [0; WINDOW / 64];
        for (index, word) in bits.iter_mut().enumerate() {
            let left = len.saturating_sub(index * 64);
            *word = if left < 64 { (1 << left) - 1 } else { u64::MAX };
        }
        Self { bits, len }
    }

    /// Where the last token ends.
    pub(super) fn end(&self) -> usize {
        self.len
    }

    /// How many tokens there are.
    #[inline]
    pub(super) fn count(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many tokens begin before `end`.
    pub(super) fn count_before(&self, end: usize) -> u64 {
        let mut count = 0;
        for (index, word) in self.bits.iter().enumerate() {
            let left = end.saturating_sub(index * 64);
            let kept = if left < 64 {
                word & ((1 << left) - 1)
            } else {
                *word
            };
            count += u64::from(kept.count_ones());
        }
        count
    }

    /// Whether a token begins at `at`.
    pub(super) fn has(&self, at: usize) -> bool {
        self.bits
            .get(at / 64)
            .is_some_and(|word| word >> (at % 64) & 1 != 0)
    }

    /// Where the token after the one at `at` begins; the end of all where there is none.
    #[inline]
    pub(super) fn after(&self, at: usize) -> usize {
        let mut index = at / 64;
        let mut word = self.bits.get(index).map_or(0, |word| word >> (at % 64) >> 1);
        if word != 0 {
            return at + 1 + word.trailing_zeros() as usize;
        }
        while word == 0 {
            index += 1;
            match self.bits.get(index) {
                Some(&bits) => word = bits,
                None => return self.len,
            }
        }
        index * 64 + word.trailing_zeros() as usize
    }

    /// Where the token before the one at `at` begins.
    #[inline]
    pub(super) fn before(&self, at: usize) -> Option<usize> {
        let mut index = at / 64;
        let mut word = self.bits.get(index)? & ((1 << (at % 64)) - 1);
        while word == 0 {
            index = index.checked_sub(1)?;
            word = *self.bits.get(index)?;
        }
        Some(index * 64 + 63 - word.leading_zeros() as usize)
    }

    #[inline]
    fn remove(&mut self, at: usize) {
        if let Some(word) = self.bits.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }
}
