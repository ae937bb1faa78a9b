//! Bytes that mean something in a JSON string, found many at a time without leaving the function: quicker than
//! `memchr` where they are close together, as escapes are in code.

use wide::u8x16;

/// So many bytes are looked at together.
pub(crate) const CHUNK: usize = 16;

/// How many bytes at the front of a string stand for themselves: up to a quote, a backslash or a control character.
#[inline]
pub(crate) fn plain_len(string: &[u8]) -> usize {
    // Of all bytes a quote alone becomes a space by this.
    len_before(string, |chunk| {
        (chunk ^ u8x16::splat(b'"' ^ b' ')).simd_le(u8x16::splat(b' ')) | chunk.simd_eq(u8x16::splat(b'\\'))
    })
}

/// What stands before the first `end`, a character of ASCII, and what stands behind it; `None` where there is none.
#[inline]
pub(crate) fn split_at(text: &str, end: u8) -> Option<(&str, &str)> {
    let len = len_until(text.as_bytes(), end)?;
    Some((text.get(..len)?, text.get(len + 1..)?))
}

/// How many bytes stand before the first `end`; `None` where there is none.
#[inline]
pub(crate) fn len_until(bytes: &[u8], end: u8) -> Option<usize> {
    let len = len_before(bytes, |chunk| chunk.simd_eq(u8x16::splat(end)));
    (len < bytes.len()).then_some(len)
}

/// How many bytes stand before the first quote or backslash; `None` where there is neither.
#[inline]
pub(crate) fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    let len = len_before(bytes, |chunk| {
        chunk.simd_eq(u8x16::splat(b'"')) | chunk.simd_eq(u8x16::splat(b'\\'))
    });
    (len < bytes.len()).then_some(len)
}

/// How many bytes stand before the first quote or bracket; `None` where there is neither.
#[inline]
pub(crate) fn quote_or_bracket(bytes: &[u8]) -> Option<usize> {
    let len = len_before(bytes, |chunk| {
        // `[` and `{`, `]` and `}` differ in one bit.
        let folded = chunk | u8x16::splat(0x20);
        chunk.simd_eq(u8x16::splat(b'"'))
            | folded.simd_eq(u8x16::splat(b'{'))
            | folded.simd_eq(u8x16::splat(b'}'))
    });
    (len < bytes.len()).then_some(len)
}

/// How many bytes stand before the first whose bits `mark` sets in a chunk; all of them where there is none.
#[inline]
fn len_before(bytes: &[u8], mark: impl Fn(u8x16) -> u8x16) -> usize {
    let (chunks, rest) = bytes.as_chunks::<CHUNK>();
    for (index, chunk) in chunks.iter().enumerate() {
        if let Some(marked) = first_marked(mark(u8x16::new(*chunk))) {
            return index * CHUNK + marked;
        }
    }
    let mut last = [0; CHUNK];
    if let Some(front) = last.get_mut(..rest.len()) {
        front.copy_from_slice(rest);
    }
    let marked = first_marked(mark(u8x16::new(last))).unwrap_or(CHUNK);
    chunks.len() * CHUNK + marked.min(rest.len())
}

#[inline]
fn first_marked(marks: u8x16) -> Option<usize> {
    let bits = marks.to_bitmask();
    (bits != 0).then(|| bits.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_byte() -> impl Strategy<Value = u8> {
        prop_oneof![any::<u8>(), Just(b'a'), 30_u8..36, 90_u8..95]
    }

    proptest! {
        #[test]
        fn lengths_are_those_that_are_found_byte_by_byte(bytes in prop::collection::vec(any_byte(), 0..40)) {
            let before = |is_it: fn(u8) -> bool| bytes.iter().position(|byte| is_it(*byte)).unwrap_or(bytes.len());
            prop_assert_eq!(plain_len(&bytes), before(|byte| matches!(byte, b'"' | b'\\') || byte < 32));
        }

        #[test]
        fn a_text_is_split_at_the_first_that_is_looked_for(text in "[ab\u{e4}\u{20ac}]{0,40}") {
            prop_assert_eq!(split_at(&text, b'a'), text.split_once('a'));
            prop_assert_eq!(len_until(text.as_bytes(), b'b'), text.find('b'));
        }

        #[test]
        fn quotes_backslashes_and_brackets_are_those_that_are_found_byte_by_byte(
            bytes in prop::collection::vec(prop_oneof![any_byte(), 120_u8..127], 0..40),
        ) {
            let first = |of: &[u8]| bytes.iter().position(|byte| of.contains(byte));
            prop_assert_eq!(quote_or_backslash(&bytes), first(b"\"\\"));
            prop_assert_eq!(quote_or_bracket(&bytes), first(b"\"{}[]"));
        }
    }
}
