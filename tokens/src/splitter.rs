//! Splitting a text into the pieces that are encoded apart, exactly as the encodings' regular expressions do.
//!
//! Each expression is matched by hand: the comments quote the alternative that a line stands for. No alternative
//! looks further ahead than the run of characters that it is in, and no run is read more than a few times, so that a
//! text is split in linear time.

pub(crate) mod cl100k;
pub(crate) mod o200k;

use crate::classes::{Char, NEWLINE, NUMBER, SPACE, SYMBOL};

/// The highest bit of each byte of a word.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Eight bytes of a text that begin with a word in ASCII.
#[derive(Clone, Copy)]
struct Ascii {
    bytes: u64,
    /// How many of the first bytes are its letters: 1 to 7.
    len: usize,
}

/// What a word that is taken at a glance can have before it: `[^\r\n\p{L}\p{N}]?`, of ASCII.
#[inline]
fn prefix(first: u8) -> usize {
    usize::from(first < 0x80 && Char::ascii(first).is(SPACE | SYMBOL) && !matches!(first, b'\r' | b'\n'))
}

/// The bytes of a word that are lower-case letters of ASCII, by their highest bits.
#[inline]
const fn lower_letters(bytes: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let low = bytes & !HIGH;
    // No sum is more than a byte holds.
    let from_a = low + each(0x80 - b'a');
    let after_z = low + each(0x80 - b'z' - 1);
    from_a & !after_z & !bytes & HIGH
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

// === impl Ascii ===

impl Ascii {
    /// The word at `start` whose letters are those that `letters` marks, if it is short and ends before the text does,
    /// at another character of ASCII.
    #[inline]
    fn word(text: &[u8], start: usize, letters: impl Fn(u64) -> u64) -> Option<Self> {
        let bytes = u64::from_le_bytes(*text.get(start..)?.first_chunk::<8>()?);
        let len = (!letters(bytes) & HIGH).trailing_zeros() as usize / 8;
        let word = Self { bytes, len };
        ((1..8).contains(&len) && word.next() < 0x80).then_some(word)
    }

    /// The byte after its letters.
    #[inline]
    fn next(self) -> u8 {
        (self.bytes >> (8 * self.len % 64)) as u8
    }
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
