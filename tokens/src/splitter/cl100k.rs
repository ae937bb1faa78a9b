//! The pieces of `cl100k_base`:
//!
//! ```text
//! '(?i:[sdmt]|ll|ve|re)
//! [^\r\n\p{L}\p{N}]?+\p{L}++
//! \p{N}{1,3}+
//!  ?[^\s\p{L}\p{N}]++[\r\n]*+
//! \s++$
//! \s*[\r\n]
//! \s+(?!\S)
//! \s
//! ```

use super::{Expression, Letters, White, contraction, number, run, symbols};
use crate::classes::{Char, LETTER, NEWLINE, NUMBER, SPACE};

/// The expression.
pub(crate) struct Cl100k;

// === impl Cl100k ===

impl Expression for Cl100k {
    const CONTRACTIONS_STAND_ALONE: bool = true;

    #[inline]
    fn word_ends(letters: Letters) -> u32 {
        letters.others()
    }

    #[inline]
    fn is_after_punctuation(byte: u8) -> bool {
        matches!(byte, b'\r' | b'\n')
    }

    fn piece_end(text: &[u8], at: usize) -> usize {
        let first = Char::at(text, at);
        let after = at + first.width;
        if first.is(LETTER) {
            return run(text, after, LETTER);
        }
        if first.is(NUMBER) {
            return number(text, after);
        }
        let contracted = contraction(text, at);
        if contracted > 0 {
            return at + contracted;
        }
        if !first.is(NEWLINE) {
            let end = run(text, after, LETTER);
            if end > after {
                return end;
            }
        }
        if let Some(end) = symbols(text, at, first) {
            return newlines(text, end);
        }
        if first.is(SPACE) {
            let white = White::at(text, at);
            if white.end == text.len() {
                return white.end;
            }
            return white
                .newline_end
                .or_else(|| white.before_last(text, at))
                .unwrap_or(after);
        }
        after
    }
}

/// `[\r\n]*+`
#[inline]
fn newlines(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b'\r' | b'\n')) {
        at += 1;
    }
    at
}
