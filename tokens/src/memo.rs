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

    /// The tokens of the next bytes, if they are one, or are up to [`LONGER_MAX`] and the last ones of their hash that were
    /// looked for: most are.
    #[inline]
    pub(crate) fn latest(&self, next: Glance, len: usize) -> Option<u64> {
        let tokens = match len {
            1 => 1,
            2..=SHORT_MAX => {
                let word = next.word(len);
                self.of_word(word)?.latest() ^ word
            }
            8..=LONGER_MAX => {
                let [first, last] = next.two_words(len);
                let [head, tail] = self.of_two_words([first, last])?.latest();
                if head != first {
                    return None;
                }
                tail ^ last
            }
            _ => return None,
        };
        (tokens < TOKENS).then_some(tokens)
    }

    /// The tokens of the first two to [`LONGER_MAX`] bytes of a text, remembered or else as `count` says.
    #[inline]
    pub(crate) fn short(&self, text: &[u8], len: usize, count: impl FnOnce() -> u64) -> u64 {
        match Glance::of(text) {
            Some(next) if len <= SHORT_MAX => self.word(next.word(len), count),
            Some(next) => self.two_words(next.two_words(len), count),
            None => 0,
        }
    }

    /// The tokens of a word (see `Glance::word`), remembered or else as `count` says.
    #[inline]
    fn word(&self, word: u64, count: impl FnOnce() -> u64) -> u64 {
        let Some(places) = self.of_word(word) else {
            return count();
        };
        places.find(|found| found ^ word < TOKENS, || word | count()) ^ word
    }

    /// The tokens of a piece of 8 to [`LONGER_MAX`] bytes (see `Glance::two_words`), remembered or else as `count` says.
    #[inline]
    fn two_words(&self, piece: [u64; 2], count: impl FnOnce() -> u64) -> u64 {
        let Some(places) = self.of_two_words(piece) else {
            return count();
        };
        let [first, last] = piece;
        let is_it = |[head, tail]: [u64; 2]| head == first && tail ^ last < TOKENS;
        let [_, found] = places.find(is_it, || [first, last | count()]);
        found ^ last
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
        let [.., found] = places.find(is_it, || [first, second, third, last | count() << LONGEST_BITS]);
        found >> LONGEST_BITS
    }
}

// === impl Places ===

impl<T: Copy> Places<T> {
    /// What was looked for last.
    #[inline]
    fn latest(&self) -> T {
        let Self([first, ..]) = self;
        first.get()
    }

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
        if len > LONGER_MAX {
            return memo.longest(&text.as_bytes()[..len], count);
        }
        let next = Glance::of(text.as_bytes()).unwrap();
        let before = memo.latest(next, len);
        let tokens = memo.short(text.as_bytes(), len, count);
        assert!(before.is_none_or(|before| before == tokens));
        assert_eq!(memo.latest(next, len), Some(tokens));
        tokens
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
        let words = (1..).map(|word| word * super::TOKENS);
        let words: Vec<u64> = words.filter(|&word| set(word) == 7).take(4).collect();
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
