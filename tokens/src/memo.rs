//! What short pieces came to the last time: most pieces of a text have been in it before.
//!
//! The tables know every token, but are larger than a processor's nearest caches; and what is no token has to be
//! merged. Here a piece has three places, which it shares with others that have the same hash: the last three of them
//! are there, all of their bytes, so that nothing can be mistaken.

use std::cell::Cell;

use crate::hash::{SHORT_MAX, hash_more, hash_word};
use crate::spellings::read_word;
use crate::splitter::Glance;

/// Sets of places for pieces of up to seven bytes.
const WORDS: usize = 1 << 12;

/// Sets of places for longer ones.
const LONGER: usize = 1 << 11;

/// Sets of places for those of more than [`LONGER_MAX`].
const LONGEST: usize = 1 << 8;

/// The longest piece of two words, in bytes.
pub(crate) const LONGER_MAX: usize = 15;

/// The longest piece that is remembered, in bytes.
pub(crate) const LONGEST_MAX: usize = 30;

/// A short piece's bytes and their count take so many bits; its tokens have the others.
const WORD_BITS: u32 = 59;

/// The last bytes of a longer piece and their count take so many bits; its tokens have the others.
const LONGER_BITS: u32 = 60;

/// As [`LONGER_BITS`], of the longest pieces.
const LONGEST_BITS: u32 = 56;

/// The pieces of an encoding.
pub(crate) struct Memo {
    words: [Places<u64>; WORDS],
    longer: [Places<[u64; 2]>; LONGER],
    longest: [Places<[u64; 4]>; LONGEST],
}

/// Places of pieces of the same hash, the last one first.
struct Places<T>([Cell<T>; 3]);

// === impl Memo ===

impl Memo {
    pub(crate) const fn new() -> Self {
        Self {
            words: [const { Places([const { Cell::new(0) }; 3]) }; WORDS],
            longer: [const { Places([const { Cell::new([0; 2]) }; 3]) }; LONGER],
            longest: [const { Places([const { Cell::new([0; 4]) }; 3]) }; LONGEST],
        }
    }

    /// The tokens of the next two to [`LONGER_MAX`] bytes, remembered or else as `count` says.
    #[inline]
    pub(crate) fn short(&self, next: Glance, len: usize, count: impl FnOnce() -> u64) -> u64 {
        if len <= SHORT_MAX {
            self.word(next.word(len), count)
        } else {
            self.longer(next.two_words(len), count)
        }
    }

    /// The tokens of a word (see `Glance::word`), remembered or else as `count` says.
    #[inline]
    fn word(&self, word: u64, count: impl FnOnce() -> u64) -> u64 {
        let set = (hash_word(word) >> (64 - WORDS.trailing_zeros())) as usize;
        let Some(places) = self.words.get(set) else {
            return count();
        };
        let is_it = |found: u64| found & ((1 << WORD_BITS) - 1) == word;
        places.find(is_it, || word | count() << WORD_BITS) >> WORD_BITS
    }

    /// The tokens of a piece of 8 to [`LONGER_MAX`] bytes (see `Glance::two_words`), remembered or else as `count` says.
    #[inline]
    fn longer(&self, piece: [u64; 2], count: impl FnOnce() -> u64) -> u64 {
        let [first, last] = piece;
        let set = (hash_more(hash_word(first), last) >> (64 - LONGER.trailing_zeros())) as usize;
        let Some(places) = self.longer.get(set) else {
            return count();
        };
        let is_it = |[head, tail]: [u64; 2]| head == first && tail & ((1 << LONGER_BITS) - 1) == last;
        let [_, found] = places.find(is_it, || [first, last | count() << LONGER_BITS]);
        found >> LONGER_BITS
    }

    /// The tokens of a piece of 16 to [`LONGEST_MAX`] bytes, remembered or else as `count` says.
    #[inline]
    pub(crate) fn longest(&self, piece: &[u8], count: impl FnOnce() -> u64) -> u64 {
        let words = [0, 8, 16, 24].map(|from| match piece.len() {
            len if len > from => read_word(piece, from, (len - from).min(8)),
            _ => 0,
        });
        // The last word has six bytes at most.
        let [first, second, third, last] = words;
        let last = last | (piece.len() as u64) << 48;
        let hash = [second, third, last]
            .into_iter()
            .fold(hash_word(first), hash_more);
        let set = (hash >> (64 - LONGEST.trailing_zeros())) as usize;
        let Some(places) = self.longest.get(set) else {
            return count();
        };
        let is_it = |[a, b, c, tail]: [u64; 4]| {
            [a, b, c, tail & ((1 << LONGEST_BITS) - 1)] == [first, second, third, last]
        };
        let [.., found] = places.find(is_it, || [first, second, third, last | count() << LONGEST_BITS]);
        found >> LONGEST_BITS
    }
}

// === impl Places ===

impl<T: Copy> Places<T> {
    /// What is there already, or else what `new` makes, in the place of what was not looked for the longest.
    #[inline]
    fn find(&self, is_it: impl Fn(T) -> bool, new: impl FnOnce() -> T) -> T {
        let Self([first, second, third]) = self;
        let last = first.get();
        if is_it(last) {
            return last;
        }
        let earlier = second.get();
        let found = if is_it(earlier) {
            earlier
        } else {
            let earliest = third.get();
            third.set(earlier);
            if is_it(earliest) { earliest } else { new() }
        };
        second.set(last);
        first.set(found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Glance, LONGER_MAX, LONGEST_MAX, Memo};

    fn unknown() -> u64 {
        panic!("it is remembered")
    }

    fn counted(memo: &Memo, text: &str, len: usize, count: impl FnOnce() -> u64) -> u64 {
        if len <= LONGER_MAX {
            memo.short(Glance::at(text.as_bytes(), 0), len, count)
        } else {
            memo.longest(&text.as_bytes()[..len], count)
        }
    }

    #[test]
    fn a_piece_is_remembered_whatever_comes_after_it() {
        let memo = Memo::new();
        for len in 2..=LONGEST_MAX {
            let piece = "a".repeat(len);
            assert_eq!(counted(&memo, &(piece.clone() + " and"), len, || 5), 5);
            for after in ["", "?", "? other", "?? something else"] {
                assert_eq!(counted(&memo, &(piece.clone() + after), len, unknown), 5);
            }
        }
    }

    #[test]
    fn pieces_that_differ_in_one_byte_or_in_length_are_not_mistaken() {
        let memo = Memo::new();
        let all: Vec<String> = (2..=LONGEST_MAX)
            .flat_map(|len| (0..len).map(move |at| "\0".repeat(at) + "x" + &"\0".repeat(len - at - 1)))
            .chain((2..=LONGEST_MAX).map(|len| "\0".repeat(len)))
            .collect();
        for _ in 0..2 {
            for (index, piece) in all.iter().enumerate() {
                let tokens = index as u64 % 16;
                assert_eq!(counted(&memo, piece, piece.len(), || tokens), tokens);
            }
        }
    }

    #[test]
    fn the_last_three_pieces_of_a_hash_are_remembered() {
        let memo = Memo::new();
        let set = |word: u64| super::hash_word(word) >> (64 - super::WORDS.trailing_zeros());
        let words: Vec<u64> = (1..).filter(|&word| set(word) == 7).take(4).collect();
        let [first, others @ ..] = words.as_slice() else {
            panic!("there are four")
        };
        assert_eq!(memo.word(*first, || 1), 1);
        for _ in 0..2 {
            for &word in others {
                assert_eq!(memo.word(word, || 2), 2);
            }
        }
        for &word in others {
            assert_eq!(memo.word(word, unknown), 2);
        }
        assert_eq!(memo.word(*first, || 3), 3);
    }
}
