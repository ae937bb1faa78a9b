//! What short pieces came to the last time: most pieces of a text have been in it before.
//!
//! The tables know every token, but are larger than a processor's nearest caches; and what is no token has to be
//! merged. Here a piece has three places, which it shares with others that have the same hash: the last three of them
//! are there, all of their bytes, so that nothing can be mistaken.

use std::cell::Cell;

use crate::hash::{SHORT_MAX, hash_more, hash_word};
use crate::spellings::read_word;
use crate::splitter::{FREE_BITS, Glance};

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

/// What is remembered of a piece is its bytes, their count and, in the bits that are free, its tokens: the two differ by
/// less than this.
const TOKENS: u64 = 1 << FREE_BITS;

/// The last bytes of one of the longest pieces and their count take so many bits; its tokens have the others.
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

    /// The tokens of the next bytes, if they are one, or are up to [`LONGER_MAX`] and remembered: most are.
    #[inline]
    pub(crate) fn recall(&self, next: Glance, len: usize) -> Option<u64> {
        match len {
            1 => Some(1),
            2..=SHORT_MAX => {
                let word = next.word(len);
                let found = self.of_word(word)?.recall(|found| found ^ word < TOKENS)?;
                Some(found ^ word)
            }
            8..=LONGER_MAX => {
                let [first, last] = next.two_words(len);
                let is_it = |[head, tail]: [u64; 2]| head == first && tail ^ last < TOKENS;
                let [_, found] = self.of_two_words([first, last])?.recall(is_it)?;
                Some(found ^ last)
            }
            _ => None,
        }
    }

    /// Remembers the tokens of the next two to [`LONGER_MAX`] bytes.
    pub(crate) fn remember(&self, next: Glance, len: usize, tokens: u64) {
        if len <= SHORT_MAX {
            let word = next.word(len);
            if let Some(places) = self.of_word(word) {
                places.put(word | tokens);
            }
        } else {
            let [first, last] = next.two_words(len);
            if let Some(places) = self.of_two_words([first, last]) {
                places.put([first, last | tokens]);
            }
        }
    }

    #[inline]
    fn of_word(&self, word: u64) -> Option<&Places<u64>> {
        self.words
            .get((hash_word(word) >> (64 - WORDS.trailing_zeros())) as usize)
    }

    #[inline]
    fn of_two_words(&self, [first, last]: [u64; 2]) -> Option<&Places<[u64; 2]>> {
        let hash = hash_more(hash_word(first), last);
        self.longer.get((hash >> (64 - LONGER.trailing_zeros())) as usize)
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
        if let Some([.., found]) = places.recall(is_it) {
            return found >> LONGEST_BITS;
        }
        let tokens = count();
        places.put([first, second, third, last | tokens << LONGEST_BITS]);
        tokens
    }
}

// === impl Places ===

impl<T: Copy> Places<T> {
    /// What is there, which is then what was looked for last.
    #[inline]
    fn recall(&self, is_it: impl Fn(T) -> bool) -> Option<T> {
        let Self([first, second, third]) = self;
        let last = first.get();
        if is_it(last) {
            return Some(last);
        }
        let earlier = second.get();
        let found = if is_it(earlier) {
            earlier
        } else {
            let earliest = Some(third.get()).filter(|earliest| is_it(*earliest))?;
            third.set(earlier);
            earliest
        };
        second.set(last);
        first.set(found);
        Some(found)
    }

    /// Puts something in the place of what was not looked for the longest.
    fn put(&self, new: T) {
        let Self([first, second, third]) = self;
        third.set(second.get());
        second.set(first.get());
        first.set(new);
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Glance, LONGER_MAX, LONGEST_MAX, Memo, Places};

    fn unknown() -> u64 {
        panic!("it is remembered")
    }

    fn counted(memo: &Memo, text: &str, len: usize, count: impl FnOnce() -> u64) -> u64 {
        if len > LONGER_MAX {
            return memo.longest(&text.as_bytes()[..len], count);
        }
        let next = Glance::of(text.as_bytes()).unwrap();
        memo.recall(next, len).unwrap_or_else(|| {
            let tokens = count();
            memo.remember(next, len, tokens);
            assert_eq!(memo.recall(next, len), Some(tokens));
            tokens
        })
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
        let places = Places([const { Cell::new(0) }; 3]);
        let recall = |piece: u64| places.recall(|found| found == piece);
        for piece in [1, 2, 3, 4] {
            places.put(piece);
        }
        assert_eq!(recall(1), None);
        for piece in [2, 3, 4, 3] {
            assert_eq!(recall(piece), Some(piece));
        }
        // The one that was not looked for the longest goes.
        places.put(5);
        assert_eq!([5, 4, 3, 2].map(recall), [Some(5), Some(4), Some(3), None]);
    }
}
