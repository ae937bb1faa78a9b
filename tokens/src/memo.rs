//! What short pieces came to the last time: most pieces of a text have been in it before.
//!
//! The tables know every token, but are larger than a processor's nearest caches; and what is no token has to be
//! merged. Here a place holds the last piece that had it, all of its bytes, so that nothing can be mistaken.

use std::cell::Cell;

use crate::hash::{hash_more, hash_word};
use crate::spellings::read_word;

/// Places for pieces of up to seven bytes.
const WORDS: usize = 1 << 13;

/// Places for longer ones.
const LONGER: usize = 1 << 12;

/// Words of a longer piece.
const LONGER_WORDS: usize = 3;

/// The longest piece that is remembered, in bytes.
pub(crate) const LONGEST: usize = 8 * LONGER_WORDS;

/// A short piece's bytes and their count take so many bits; its tokens have the others.
const WORD_BITS: u32 = 59;

/// The pieces of an encoding.
pub(crate) struct Memo {
    words: [Cell<u64>; WORDS],
    longer: [Cell<Longer>; LONGER],
}

/// A piece of 8 to [`LONGEST`] bytes.
#[derive(Clone, Copy)]
struct Longer {
    bytes: [u64; LONGER_WORDS],
    len: u32,
    tokens: u32,
}

// === impl Memo ===

impl Memo {
    pub(crate) const fn new() -> Self {
        const NOTHING: Longer = Longer {
            bytes: [0; LONGER_WORDS],
            len: 0,
            tokens: 0,
        };
        Self {
            words: [const { Cell::new(0) }; WORDS],
            longer: [const { Cell::new(NOTHING) }; LONGER],
        }
    }

    /// The tokens of a word (see `spellings::word`), remembered or else as `count` says.
    #[inline]
    pub(crate) fn word(&self, word: u64, count: impl FnOnce() -> u64) -> u64 {
        let place = self
            .words
            .get((hash_word(word) >> (64 - WORDS.trailing_zeros())) as usize);
        let Some(place) = place else { return count() };
        let found = place.get();
        if found & ((1 << WORD_BITS) - 1) == word {
            return found >> WORD_BITS;
        }
        let tokens = count();
        place.set(word | tokens << WORD_BITS);
        tokens
    }

    /// The tokens of `text[start..end]`, of 8 to [`LONGEST`] bytes, remembered or else as `count` says.
    #[inline]
    pub(crate) fn longer(&self, text: &[u8], start: usize, end: usize, count: impl FnOnce() -> u64) -> u64 {
        let len = end - start;
        let mut bytes = [read_word(text, start, 8), 0, 0];
        for (word, at) in bytes.iter_mut().zip((0..len).step_by(8)).skip(1) {
            *word = read_word(text, start + at, (len - at).min(8));
        }
        let hash = bytes.iter().fold(len as u64, |hash, &word| hash_more(hash, word));
        let place = self
            .longer
            .get((hash_word(hash) >> (64 - LONGER.trailing_zeros())) as usize);
        let Some(place) = place else { return count() };
        let found = place.get();
        if (found.bytes, found.len) == (bytes, len as u32) {
            return u64::from(found.tokens);
        }
        let tokens = count();
        place.set(Longer {
            bytes,
            len: len as u32,
            tokens: tokens as u32,
        });
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Memo};
    use crate::spellings::word as word_of;

    fn unknown() -> u64 {
        panic!("it is remembered")
    }

    #[test]
    fn a_piece_is_remembered_whatever_comes_after_it() {
        let memo = Memo::new();
        for len in 2..=LONGEST {
            let before = "a".repeat(len) + " and";
            let after = "a".repeat(len) + "? other";
            if len < 8 {
                let word = |text: &str| word_of(text.as_bytes(), 0, len);
                assert_eq!(memo.word(word(&before), || 5), 5);
                assert_eq!(memo.word(word(&after), unknown), 5);
            } else {
                assert_eq!(memo.longer(before.as_bytes(), 0, len, || 6), 6);
                assert_eq!(memo.longer(after.as_bytes(), 0, len, unknown), 6);
            }
        }
    }

    #[test]
    fn pieces_that_differ_in_one_byte_or_in_length_are_not_mistaken() {
        let memo = Memo::new();
        let all: Vec<String> = (8..=LONGEST)
            .flat_map(|len| (0..len).map(move |at| "\0".repeat(at) + "x" + &"\0".repeat(len - at - 1)))
            .collect();
        for _ in 0..2 {
            for (index, piece) in all.iter().enumerate() {
                let counted = memo.longer(piece.as_bytes(), 0, piece.len(), || index as u64);
                assert_eq!(counted, index as u64);
            }
        }
    }
}
