//! The run through one JSON value that is skipped, counted or captured as a whole: only its end matters.

use super::tree::Take;
use crate::words::{quote_or_backslash, quote_or_bracket};

/// How far a value is that has no nodes below it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) shape: Shape,
    pub(super) take: Take,
    /// Containers open inside it, itself included.
    nested: usize,
    in_string: bool,
    pub(super) escape: Escape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    Nested,
    Scalar,
}

/// Where a string is within an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    Outside,
    /// After the backslash.
    Slash,
    /// Within `\uXXXX`: digits to come, and what the ones before say. Only where text is counted.
    Hex(u8, u16),
}

// === impl Run ===

impl Run {
    /// At the value's first byte.
    pub(super) fn of(shape: Shape, take: Take) -> Self {
        Self {
            shape,
            take,
            nested: 1,
            in_string: false,
            escape: Escape::Outside,
        }
    }

    /// Goes on to the value's end: bytes used, whether it has ended, and the bytes of text in them where a
    /// string is counted.
    pub(super) fn advance(&mut self, body: &[u8]) -> (usize, bool, u64) {
        match self.shape {
            Shape::Text if self.take == Take::Count => self.count(body),
            Shape::Text => match end_of_string(body, &mut self.escape) {
                Some(end) => (end, true, 0),
                None => (body.len(), false, 0),
            },
            Shape::Nested => match self.end_of_nested(body) {
                Some(end) => (end, true, 0),
                None => (body.len(), false, 0),
            },
            Shape::Scalar => {
                let end = body.iter().position(|byte| is_after_scalar(*byte));
                (end.unwrap_or(body.len()), end.is_some(), 0)
            }
        }
    }

    /// The offset after the bracket that ends a nested value, if it is in `body`.
    pub(super) fn end_of_nested(&mut self, body: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if self.in_string {
                at += end_of_string(body.get(at..)?, &mut self.escape)?;
                self.in_string = false;
            }
            let tail = body.get(at..)?;
            let hit = quote_or_bracket(tail)?;
            at += hit + 1;
            match tail.get(hit)? {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.nested += 1,
                _ => {
                    self.nested -= 1;
                    if self.nested == 0 {
                        return Some(at);
                    }
                }
            }
        }
    }

    /// To the end of a string, counting the bytes that its characters have in UTF-8.
    fn count(&mut self, body: &[u8]) -> (usize, bool, u64) {
        let mut counted = 0;
        let mut at = 0;
        while let Some(tail) = body.get(at..).filter(|tail| !tail.is_empty()) {
            match self.escape {
                Escape::Outside => {
                    let Some(hit) = quote_or_backslash(tail) else {
                        return (body.len(), false, counted + tail.len() as u64);
                    };
                    counted += hit as u64;
                    at += hit + 1;
                    if tail.get(hit) == Some(&b'"') {
                        return (at, true, counted);
                    }
                    self.escape = Escape::Slash;
                }
                Escape::Slash => {
                    at += 1;
                    self.escape = match tail.first() {
                        Some(b'u') => Escape::Hex(4, 0),
                        _ => {
                            counted += 1;
                            Escape::Outside
                        }
                    };
                }
                Escape::Hex(left, value) => {
                    let digit = tail.first().and_then(|byte| char::from(*byte).to_digit(16));
                    let Some(digit) = digit else {
                        // Not an escape: read the byte again as text.
                        self.escape = Escape::Outside;
                        continue;
                    };
                    at += 1;
                    let unit = value << 4 | u16::try_from(digit).unwrap_or(0);
                    self.escape = if left > 1 {
                        Escape::Hex(left - 1, unit)
                    } else {
                        counted += utf8_len(unit);
                        Escape::Outside
                    };
                }
            }
        }
        (body.len(), false, counted)
    }
}

/// Whether a number, `true`, `false` or `null` is over.
#[inline]
pub(super) fn is_after_scalar(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
}

/// The offset after the quote that ends a string, if it is in `bytes`.
#[inline]
pub(super) fn end_of_string(bytes: &[u8], escape: &mut Escape) -> Option<usize> {
    let mut at = 0;
    if *escape != Escape::Outside && !bytes.is_empty() {
        *escape = Escape::Outside;
        at = 1;
    }
    loop {
        let tail = bytes.get(at..)?;
        let hit = quote_or_backslash(tail)?;
        at += hit + 1;
        if tail.get(hit) == Some(&b'"') {
            return Some(at);
        }
        if at == bytes.len() {
            *escape = Escape::Slash;
            return None;
        }
        at += 1;
    }
}

/// The bytes that a UTF-16 unit takes in UTF-8; half of a surrogate pair counts for two of the pair's four.
fn utf8_len(unit: u16) -> u64 {
    match unit {
        0..0x80 => 1,
        0x80..0x800 | 0xd800..0xe000 => 2,
        _ => 3,
    }
}
