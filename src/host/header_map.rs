//! Header maps as the ABI hands them over: a count, then the sizes of each name and value, then the bytes of each
//! with a NUL behind it.

#![deny(unsafe_code)]

use tollgate_core::headers::Headers;

/// A header map as the host has serialised it.
#[derive(Debug)]
pub(crate) struct HeaderMap {
    bytes: Vec<u8>,
}

// === impl HeaderMap ===

impl HeaderMap {
    pub(super) const fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Calls `look` with the pairs. A malformed map shows as an empty one.
    pub(crate) fn with<T>(&self, look: impl FnOnce(Headers<'_>) -> T) -> T {
        let pairs = parse(&self.bytes).unwrap_or_default();
        look(Headers::new(&pairs))
    }
}

fn parse(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let (count, mut sizes) = take_u32(bytes)?;
    let mut data = sizes.get(count.checked_mul(8)?..)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (name_size, rest) = take_u32(sizes)?;
        let (value_size, rest) = take_u32(rest)?;
        sizes = rest;
        let (name, rest) = data.split_at_checked(name_size)?;
        let (value, rest) = rest.get(1..)?.split_at_checked(value_size)?;
        data = rest.get(1..)?;
        pairs.push((name, value));
    }
    Some(pairs)
}

fn take_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*head)).ok()?, rest))
}

pub(super) fn serialise(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let content: usize = pairs
        .iter()
        .map(|(name, value)| name.len() + value.len() + 10)
        .sum();
    let mut out = Vec::with_capacity(4 + content);
    let put_u32 = |out: &mut Vec<u8>, n: usize| {
        out.extend_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
    };
    put_u32(&mut out, pairs.len());
    for (name, value) in pairs {
        put_u32(&mut out, name.len());
        put_u32(&mut out, value.len());
    }
    for bytes in pairs.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(bytes);
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_the_wire_with_every_byte() {
        let pairs: Vec<(&[u8], &[u8])> = vec![(b"a", b""), (b"name", b"\xff\0x")];
        assert_eq!(parse(&serialise(&pairs)), Some(pairs));
    }

    #[test]
    fn a_truncated_map_is_no_map() {
        let wire = serialise(&[(b"name", b"value")]);
        for end in 0..wire.len() {
            assert_eq!(parse(&wire[..end]), None);
        }
    }
}
