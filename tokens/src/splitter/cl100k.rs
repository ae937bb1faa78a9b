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

use super::{Ascii, White, contraction, lower_letters, number, prefix, run, symbols};
use crate::classes::{Char, LETTER, NEWLINE, NUMBER, SPACE};

/// The end of the piece that begins at `at`, which is before the end of the text.
#[inline]
pub(crate) fn piece_end(text: &[u8], at: usize) -> usize {
    plain_word(text, at).unwrap_or_else(|| any_piece_end(text, at))
}

/// The end of a short word in ASCII: most pieces are such words.
#[inline]
fn plain_word(text: &[u8], at: usize) -> Option<usize> {
    const LOWER_CASE: u64 = u64::from_le_bytes([0x20; 8]);
    // An apostrophe may begin a contraction.
    let first = *text.get(at).filter(|first| **first != b'\'')?;
    let start = at + prefix(first);
    let word = Ascii::word(text, start, |bytes| lower_letters(bytes | LOWER_CASE))?;
    Some(start + word.len)
}

fn any_piece_end(text: &[u8], at: usize) -> usize {
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

/// `[\r\n]*+`
#[inline]
fn newlines(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b'\r' | b'\n')) {
        at += 1;
    }
    at
}
