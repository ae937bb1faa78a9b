//! Compact bytes for what is kept in cells: LEB128 integers and length-prefixed byte strings; and integers of fixed
//! width, for what every request reads and writes.
//!
//! Reading never fails loudly: whatever does not fit is `None`, and the caller treats the whole value as absent.
//!
//! Nearly all integers fit 64 bits, and are read and written as such: in a VM of 32 bits a shift of 128 bits is a call.

/// Reads what [`put`] and its siblings wrote, from front to back.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Starts at the front.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The next integer; `None` where it is cut off or longer than 128 bits.
    pub(crate) fn wide(&mut self) -> Option<u128> {
        if let Some(value) = self.narrow() {
            return Some(value.into());
        }
        let mut value = 0_u128;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The next integer, of the size that is asked for.
    pub(crate) fn int<T: TryFrom<u128>>(&mut self) -> Option<T> {
        T::try_from(self.wide()?).ok()
    }

    /// The next integer, where it takes at most nine bytes; where not, nothing is read.
    fn narrow(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for (index, byte) in self.rest.iter().take(9).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = self.rest.get(index + 1..)?;
                return Some(value);
            }
        }
        None
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// The next length-prefixed byte string.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.int()?;
        self.take(len)
    }

    /// The next `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    /// The next integer of two bytes, lowest first. Integers of fixed width take more bytes than [`put`]'s and a
    /// fraction of the work.
    pub(crate) fn fixed_u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next integer of four bytes, lowest first.
    pub(crate) fn fixed_u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next integer of eight bytes, lowest first.
    pub(crate) fn fixed_u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next integer of sixteen bytes, lowest first.
    pub(crate) fn fixed_u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }
}

/// Writes an integer: seven bits a byte, lowest first.
pub(crate) fn put(out: &mut Vec<u8>, value: impl Into<u128>) {
    let mut wide: u128 = value.into();
    let mut left = loop {
        match u64::try_from(wide) {
            Ok(narrow) => break narrow,
            Err(_) => out.push((wide & 0x7f) as u8 | 0x80),
        }
        wide >>= 7;
    };
    while left >= 0x80 {
        out.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// Writes a byte string with its length in front.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(wide: u128, narrow: u64, text: Vec<u8>) {
            let mut out = Vec::new();
            put(&mut out, wide);
            put_bytes(&mut out, &text);
            put(&mut out, narrow);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.wide(), Some(wide));
            prop_assert_eq!(reader.bytes(), Some(text.as_slice()));
            prop_assert_eq!(reader.int::<u64>(), Some(narrow));
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.wide().is_some() {}
            let mut strings = Reader::new(&bytes);
            while strings.bytes().is_some() {}
            let _ = Reader::new(&bytes).array::<16>();
        }
    }

    #[test]
    fn an_integer_that_does_not_fit_is_none() {
        let mut out = Vec::new();
        put(&mut out, 256_u32);
        assert_eq!(Reader::new(&out).int::<u8>(), None);
        assert_eq!(Reader::new(&[0xff; 40]).wide(), None);
    }
}
