//! Pieces that are told at a glance: from the next sixteen bytes, all at once, where those that matter are ASCII.
//!
//! Nearly all pieces of a text in a European language, and of code, are: words of up to fourteen letters, numbers,
//! punctuation, indentation. The others are left to the expression's own `piece_end`, which knows all.

use wide::u8x16;

use super::Expression;
use crate::spellings::read_word;

/// Bytes that are looked at.
const GLANCE: usize = 16;

/// Stands after the end of the text: no byte of UTF-8.
const AFTER: u8 = 0xff;

/// Bits below a piece's bytes and their count that are free.
pub(crate) const FREE_BITS: u32 = 4;

/// What a byte is, one bit each. What is nothing of this (a control character) is not told at a glance.
type Kind = u8;

/// Of the letters.
const LETTER: Kind = 1;
/// What may stand before the letters of a word, `[^\r\n\p{L}\p{N}]`: punctuation and white space.
const PREFIX: Kind = 1 << 1;
/// Of the digits.
const DIGIT: Kind = 1 << 2;
/// `[\r\n]`
const LINE: Kind = 1 << 3;
/// Punctuation and symbols.
const PUNCTUATION: Kind = 1 << 4;
/// `'`
const APOSTROPHE: Kind = 1 << 5;
/// After the end of the text.
const END: Kind = 1 << 6;
/// Part of a character outside ASCII.
const WIDE: Kind = 1 << 7;

static KINDS: [Kind; 256] = kinds();

/// The next bytes of a text: all of them, and as two little-endian words.
#[derive(Clone, Copy)]
pub(crate) struct Glance {
    bytes: u8x16,
    first: u64,
    second: u64,
}

/// The end of a text, of fewer bytes than are looked at, and what stands after it.
pub(crate) struct End {
    bytes: [u8; 2 * GLANCE],
    len: usize,
}

/// The letters among the bytes: a bit for each byte, the lowest for the first.
#[derive(Clone, Copy)]
pub(crate) struct Letters {
    all: u32,
    lower: u32,
}

#[inline]
fn kind(byte: u8) -> Kind {
    KINDS.get(usize::from(byte)).copied().unwrap_or(0)
}

// === impl Glance ===

impl Glance {
    /// What a text begins with, if it is not empty.
    #[inline]
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        Self::on_the_way(text, &mut None)
    }

    /// As [`of`](Self::of), on the way through a text, of which this is what is left: its end is kept in `end`.
    #[inline]
    pub(crate) fn on_the_way(text: &[u8], end: &mut Option<End>) -> Option<Self> {
        let bytes = match text.first_chunk() {
            Some(bytes) => bytes,
            None if text.is_empty() => return None,
            None => end.get_or_insert_with(|| End::of(text)).last(text.len())?,
        };
        let [first, second] = [0, 8].map(|from| read_word(bytes, from, 8));
        Some(Self {
            bytes: u8x16::new(*bytes),
            first,
            second,
        })
    }

    /// The first two to seven bytes, and below them their count and [`FREE_BITS`].
    #[inline]
    pub(crate) fn word(self, len: usize) -> u64 {
        self.first << (8 * (8 - len) % 64) | (len as u64) << FREE_BITS
    }

    /// The first eight to fifteen bytes; below those of the second word are their count and [`FREE_BITS`].
    #[inline]
    pub(crate) fn two_words(self, len: usize) -> [u64; 2] {
        let second = self.second << (8 * (15 - len) % 64) << 8;
        [self.first, second | (len as u64) << FREE_BITS]
    }

    /// The length of the piece; 0 if that cannot be told.
    #[inline]
    pub(crate) fn piece<E: Expression>(self) -> usize {
        let first = kind(self.first as u8);
        if E::CONTRACTIONS_STAND_ALONE && first & APOSTROPHE != 0 {
            return 0;
        }
        if first & (LETTER | PREFIX) != 0 {
            // With a letter first, or behind the prefix.
            let letters = Letters::of(self.bytes);
            if letters.all & 0b11 != 0 {
                return self.word_or_none::<E>(letters);
            }
        }
        let next = kind(self.byte(1));
        if first & PUNCTUATION != 0 {
            self.punctuation::<E, 1>()
        } else if first & PREFIX != 0 {
            self.blank::<E>(next)
        } else if first & DIGIT != 0 {
            self.number(next)
        } else {
            usize::from(first & LINE != 0 && next & (PUNCTUATION | LETTER | DIGIT | END) != 0)
        }
    }

    /// A word, its first letter the first or the second byte.
    #[inline]
    fn word_or_none<E: Expression>(self, letters: Letters) -> usize {
        let len = (E::word_ends(letters) & !1).trailing_zeros() as usize;
        // What the word may go on with, which is not told at a glance.
        let wide = (self.bytes - u8x16::splat(0x80)).simd_lt(u8x16::splat(AFTER - 0x80));
        let more = if E::CONTRACTIONS_STAND_ALONE {
            wide
        } else {
            wide | self.bytes.simd_eq(u8x16::splat(b'\''))
        };
        if len < GLANCE && more.to_bitmask() >> len & 1 == 0 {
            len
        } else {
            0
        }
    }

    /// `\p{N}{1,3}`
    #[inline]
    fn number(self, second: Kind) -> usize {
        let (len, next) = match kind(self.byte(2)) {
            _ if second & DIGIT == 0 => (1, second),
            third if third & DIGIT == 0 => (2, third),
            _ => return 3,
        };
        if next & WIDE == 0 { len } else { 0 }
    }

    /// What begins with white space that no word follows, but something of the kind `next`.
    #[inline]
    fn blank<E: Expression>(self, next: Kind) -> usize {
        const OTHERS: Kind = PUNCTUATION | LETTER | DIGIT;
        let first = self.first as u8;
        if next & PUNCTUATION != 0 && first == b' ' {
            return self.punctuation::<E, 2>();
        }
        if self.byte(1) != first {
            return usize::from(next & (OTHERS | END) != 0);
        }
        let same = self.bytes.simd_eq(u8x16::splat(first)).to_bitmask();
        let run = same.trailing_ones() as usize;
        match kind(self.byte(run)) {
            _ if run == GLANCE => 0,
            // `\s+(?!\S)`
            next if next & OTHERS != 0 => run - 1,
            END => run,
            _ => 0,
        }
    }

    /// ` ?[^\s\p{L}\p{N}]+[\r\n/]*` of less than eight bytes, of which so many have been looked at.
    #[inline]
    fn punctuation<E: Expression, const LOOKED_AT: usize>(self) -> usize {
        let mut len = LOOKED_AT;
        // Of nothing known when the eight bytes are through.
        let mut rest = self.first >> (8 * LOOKED_AT);
        while kind(rest as u8) & PUNCTUATION != 0 {
            (len, rest) = (len + 1, rest >> 8);
        }
        if kind(rest as u8) & (LETTER | DIGIT | PREFIX | LINE | END) == 0 {
            return 0;
        }
        while E::is_after_punctuation(rest as u8) {
            (len, rest) = (len + 1, rest >> 8);
        }
        if len < 8 { len } else { 0 }
    }

    /// The byte at `at`, which is less than [`GLANCE`].
    #[inline]
    fn byte(self, at: usize) -> u8 {
        let word = if at < 8 { self.first } else { self.second };
        (word >> (8 * at % 64)) as u8
    }
}

// === impl End ===

impl End {
    #[inline(never)]
    fn of(text: &[u8]) -> Self {
        let mut bytes = [AFTER; 2 * GLANCE];
        for (place, &byte) in bytes.iter_mut().zip(text) {
            *place = byte;
        }
        let len = text.len();
        Self { bytes, len }
    }

    /// So many of its bytes, which are the last, and what stands after them.
    #[inline]
    fn last(&self, left: usize) -> Option<&[u8; GLANCE]> {
        self.bytes.get(self.len.checked_sub(left)?..)?.first_chunk()
    }
}

// === impl Letters ===

impl Letters {
    #[inline]
    fn of(bytes: u8x16) -> Self {
        let from_a_to_z = |bytes: u8x16| {
            let from_a = bytes - u8x16::splat(b'a');
            from_a.simd_le(u8x16::splat(b'z' - b'a')).to_bitmask()
        };
        Self {
            all: from_a_to_z(bytes | u8x16::splat(b'a' ^ b'A')),
            lower: from_a_to_z(bytes),
        }
    }

    /// Bytes that are no letters, and what comes after all bytes.
    #[inline]
    pub(super) const fn others(self) -> u32 {
        !self.all
    }

    /// Upper-case letters after a lower-case one.
    #[inline]
    pub(super) const fn upper_after_lower(self) -> u32 {
        self.all & !self.lower & self.lower << 1
    }
}

const fn kinds() -> [Kind; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    loop {
        #[expect(
            clippy::indexing_slicing,
            reason = "evaluated when compiled; there are 256 bytes"
        )]
        let place = &mut kinds[byte as usize];
        *place = match byte {
            AFTER => END,
            b'A'..=b'Z' | b'a'..=b'z' => LETTER,
            b'0'..=b'9' => DIGIT,
            b'\r' | b'\n' => LINE,
            b'\t' | 0x0b | 0x0c | b' ' => PREFIX,
            b'\'' => PUNCTUATION | PREFIX | APOSTROPHE,
            b'!'..=b'~' => PUNCTUATION | PREFIX,
            0x80.. => WIDE,
            _ => 0,
        };
        if byte == AFTER {
            return kinds;
        }
        byte += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{GLANCE, Glance};
    use crate::splitter::{Cl100k, Expression, O200k};

    /// What each byte can be, and a character of two.
    const ALPHABET: [&str; 12] = ["a", "B", " ", "\t", "\n", "7", ".", "/", "'", "s", "\u{1}", "é"];

    /// Holds the first piece against the one that the expression finds, and tells whether it was told at a glance.
    #[track_caller]
    fn agrees<E: Expression>(text: &str) -> bool {
        let len = Glance::of(text.as_bytes()).map_or(0, Glance::piece::<E>);
        assert!(
            len == 0 || len == E::piece_end(text.as_bytes(), 0),
            "{len} of {text:?}"
        );
        len > 0
    }

    #[test]
    fn what_is_told_at_a_glance_is_what_the_expression_finds() {
        let mut told = 0;
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            texts = texts
                .iter()
                .flat_map(|text| ALPHABET.map(|more| text.clone() + more))
                .collect();
            for text in &texts {
                told += u64::from(agrees::<O200k>(text)) + u64::from(agrees::<Cl100k>(text));
            }
        }
        assert!(told > texts.len() as u64, "{told}");
    }

    #[test]
    fn the_end_of_a_text_looks_the_same_wherever_one_comes_from() {
        let text = "and then an end of it, é.".as_bytes();
        let mut end = None;
        for at in 0..text.len() {
            let on_the_way = Glance::on_the_way(&text[at..], &mut end).unwrap();
            assert_eq!(on_the_way.bytes, Glance::of(&text[at..]).unwrap().bytes);
        }
        assert!(Glance::on_the_way(&[], &mut end).is_none());
    }

    #[test]
    fn a_run_of_any_length_is_told_as_the_expression_finds_it() {
        let ends = ALPHABET
            .iter()
            .flat_map(|next| ALPHABET.map(|last| (*next).to_owned() + last));
        let ends: Vec<String> = ends.chain([String::new()]).collect();
        for before in ["", " ", ".", "\t", "B", "(\n"] {
            for run in ALPHABET {
                for len in 0..=GLANCE + 2 {
                    for end in &ends {
                        let text = before.to_owned() + &run.repeat(len) + end;
                        if !text.is_empty() {
                            agrees::<O200k>(&text);
                            agrees::<Cl100k>(&text);
                        }
                    }
                }
            }
        }
    }
}
