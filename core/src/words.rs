//! Bytes that mean something in a JSON string, found a word at a time without leaving the function: quicker than
//! `memchr` where they are close together, as escapes are in code.

/// So many bytes are looked at together.
pub(crate) const WORD: usize = 8;

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// How many bytes at the front of a string stand for themselves: up to a quote, a backslash or a control character.
pub(crate) fn plain_len(string: &[u8]) -> usize {
    let is_special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    len_before(string, is_special, |word| {
        let is_control = word.wrapping_sub(ONES * u64::from(b' ')) & !word;
        (is_control & HIGHS) | equal(word, b'"') | equal(word, b'\\')
    })
}

/// Appends to `copy` what stands before the first `end`, and returns what stands behind it; `None` where there is none,
/// and all is appended. Room for a [`WORD`] more than that spares `copy` from growing.
pub(crate) fn copy_until<'a>(bytes: &'a [u8], end: u8, copy: &mut Vec<u8>) -> Option<&'a [u8]> {
    let mut rest = bytes;
    while let Some((word, behind)) = rest.split_first_chunk::<WORD>() {
        let kept = copy.len();
        copy.extend_from_slice(word);
        let marked = equal(u64::from_le_bytes(*word), end);
        if marked != 0 {
            let len = marked.trailing_zeros() as usize / 8;
            copy.truncate(kept + len);
            return rest.get(len + 1..);
        }
        rest = behind;
    }
    let len = rest.iter().position(|byte| *byte == end);
    copy.extend_from_slice(rest.get(..len.unwrap_or(rest.len())).unwrap_or_default());
    rest.get(len? + 1..)
}

/// The highest bit of each byte of a word that is equal to `byte`; above the first such byte, other bits may be set too:
/// <https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>.
pub(crate) const fn equal(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * byte as u64);
    difference.wrapping_sub(ONES) & !difference & HIGHS
}

/// How many bytes stand before the first that `is_it`, which `marks` finds in a word; all of them where there is none.
fn len_before(bytes: &[u8], is_it: impl Fn(u8) -> bool, marks: impl Fn(u64) -> u64) -> usize {
    let (words, rest) = bytes.as_chunks::<WORD>();
    for (index, word) in words.iter().enumerate() {
        let marked = marks(u64::from_le_bytes(*word));
        if marked != 0 {
            return index * WORD + marked.trailing_zeros() as usize / 8;
        }
    }
    words.len() * WORD + rest.iter().position(|byte| is_it(*byte)).unwrap_or(rest.len())
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
        fn what_is_copied_ends_where_it_should(bytes in prop::collection::vec(any_byte(), 0..40)) {
            let mut copy = b"x".to_vec();
            let behind = copy_until(&bytes, b'a', &mut copy);
            let (before, rest) = match bytes.iter().position(|byte| *byte == b'a') {
                Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
                None => (&*bytes, None),
            };
            prop_assert_eq!((&copy[1..], behind), (before, rest));
        }
    }
}
