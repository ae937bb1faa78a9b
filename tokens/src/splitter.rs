//! Splitting a text into the pieces that are encoded apart, exactly as the encodings' regular expressions do.
//!
//! Each expression is matched by hand: the comments quote the alternative that a line stands for. No alternative
//! looks further ahead than the run of characters that it is in, and no run is read more than a few times, so that a
//! text is split in linear time.

mod cl100k;
mod glance;
mod o200k;

pub(crate) use cl100k::Cl100k;
use glance::Letters;
pub(crate) use glance::{FREE_BITS, Glance};
pub(crate) use o200k::O200k;

use crate::classes::{Char, NEWLINE, NUMBER, SPACE, SYMBOL};

/// A regular expression, as it splits a text.
pub(crate) trait Expression {
    /// Whether an apostrophe begins a piece where a contraction follows, instead of going on with the word before it.
    const CONTRACTIONS_STAND_ALONE: bool;

    /// The bytes, of those in ASCII, that a word does not go on with when it has come to them.
    fn word_ends(letters: Letters) -> u32;

    /// Whether this character of ASCII belongs to the punctuation before it, though it may be none itself.
    fn is_after_punctuation(byte: u8) -> bool;

    /// The end of the piece that begins at `at`, which is before the end of the text.
    fn piece_end(text: &[u8], at: usize) -> usize;
}

/// The end of the run of characters of `classes` that begins at `at`.
#[inline]
fn run(text: &[u8], mut at: usize, classes: u8) -> usize {
    loop {
        let next = Char::at(text, at);
        if !next.is(classes) {
            return at;
        }
        at += next.width;
    }
}

/// `\p{N}{1,3}` at a first number that ends at `at`.
#[inline]
fn number(text: &[u8], mut at: usize) -> usize {
    for _ in 0..2 {
        let next = Char::at(text, at);
        if !next.is(NUMBER) {
            break;
        }
        at += next.width;
    }
    at
}

/// ` ?[^\s\p{L}\p{N}]+`: the end of the symbols, if there are any.
#[inline]
fn symbols(text: &[u8], at: usize, first: Char) -> Option<usize> {
    let start = if text.get(at) == Some(&b' ') {
        at + first.width
    } else {
        at
    };
    let end = run(text, start, SYMBOL);
    (end > start).then_some(end)
}

/// A run of white space, measured once for the alternatives that share it.
struct White {
    end: usize,
    last_width: usize,
    newline_end: Option<usize>,
}

// === impl White ===

impl White {
    fn at(text: &[u8], start: usize) -> Self {
        let mut white = Self {
            end: start,
            last_width: 0,
            newline_end: None,
        };
        loop {
            let next = Char::at(text, white.end);
            if !next.is(SPACE) {
                return white;
            }
            white.end += next.width;
            white.last_width = next.width;
            if next.is(NEWLINE) {
                white.newline_end = Some(white.end);
            }
        }
    }

    /// `\s+(?!\S)`: all of the run at the end of the text, else all but its last character, if that leaves any.
    fn before_last(&self, text: &[u8], start: usize) -> Option<usize> {
        let end = if self.end == text.len() {
            self.end
        } else {
            self.end - self.last_width
        };
        (end > start).then_some(end)
    }
}

/// The length of `'s`, `'t`, `'m`, `'d`, `'re`, `'ve` or `'ll` at `at`, in any case; 0 if there is none.
///
/// The long s (U+017F) folds to `s`; no other character outside ASCII folds to one of these letters.
#[inline]
fn contraction(text: &[u8], at: usize) -> usize {
    if text.get(at) != Some(&b'\'') {
        return 0;
    }
    let second = text.get(at + 2).map(u8::to_ascii_lowercase);
    match (text.get(at + 1).map(u8::to_ascii_lowercase), second) {
        (Some(b's' | b't' | b'm' | b'd'), _) => 2,
        (Some(b'r' | b'v'), Some(b'e')) | (Some(b'l'), Some(b'l')) | (Some(0xc5), Some(0xbf)) => 3,
        _ => 0,
    }
}
