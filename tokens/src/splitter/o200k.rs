//! The pieces of `o200k_base`:
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! \p{N}{1,3}
//!  ?[^\s\p{L}\p{N}]+[\r\n/]*
//! \s*[\r\n]+
//! \s+(?!\S)
//! \s+
//! ```

use super::{Expression, Letters, White, contraction, number, run, symbols};
use crate::classes::{Char, LETTER, LOWER, MARK, MIDDLE, NEWLINE, NUMBER, SPACE, UPPER};

/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
const HEAD: u8 = UPPER | MIDDLE | MARK;
/// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
const TAIL: u8 = LOWER | MIDDLE | MARK;

/// The expression.
pub(crate) struct O200k;

/// A word at a position, as the first or only the second alternative takes it.
enum Word {
    /// It ends here by the first alternative, which needs one character of `TAIL`.
    First(usize),
    /// It has only upper-case letters and ends here by the second alternative.
    Second(usize),
    /// There is none.
    None,
}

// === impl O200k ===

impl Expression for O200k {
    const CONTRACTIONS_STAND_ALONE: bool = false;

    #[inline]
    fn word_ends(letters: Letters) -> u32 {
        letters.others() | letters.upper_after_lower()
    }

    #[inline]
    fn is_after_punctuation(byte: u8) -> bool {
        matches!(byte, b'\r' | b'\n' | b'/')
    }

    fn piece_end(text: &[u8], at: usize) -> usize {
        let first = Char::at(text, at);
        let after = at + first.width;
        if first.is(LETTER) {
            return match word(text, at) {
                Word::First(end) | Word::Second(end) => end + contraction(text, end),
                Word::None => after,
            };
        }
        if first.is(NUMBER) {
            return number(text, after);
        }
        if !first.is(NEWLINE) {
            match word(text, after) {
                Word::First(end) => return end + contraction(text, end),
                // The first alternative without a prefix: the mark is a word of its own.
                _ if first.is(MARK) => return after + contraction(text, after),
                Word::Second(end) => return end + contraction(text, end),
                Word::None => {}
            }
        }
        if let Some(end) = symbols(text, at, first) {
            return newlines_and_slashes(text, end);
        }
        if first.is(SPACE) {
            let white = White::at(text, at);
            return white
                .newline_end
                .or_else(|| white.before_last(text, at))
                .unwrap_or(white.end);
        }
        after
    }
}

/// `[\p{Lu}…]*[\p{Ll}…]+` or, failing that, `[\p{Lu}…]+`.
#[inline]
fn word(text: &[u8], start: usize) -> Word {
    let mut at = start;
    let mut caseless_end = None;
    loop {
        let next = Char::at(text, at);
        if next.is(HEAD) {
            at += next.width;
            if next.is(TAIL) {
                caseless_end = Some(at);
            }
        } else if next.is(LOWER) {
            return Word::First(run(text, at + next.width, TAIL));
        } else {
            break;
        }
    }
    // The greedy head gives characters back until the last one is also of the tail.
    match caseless_end {
        Some(end) => Word::First(end),
        None if at > start => Word::Second(at),
        None => Word::None,
    }
}

/// `[\r\n/]*`
#[inline]
fn newlines_and_slashes(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b'\r' | b'\n' | b'/')) {
        at += 1;
    }
    at
}
