//! Request and response headers as bytes: a header's value need not be UTF-8, and a name may come twice.

use std::borrow::Cow;

/// Headers as the host hands them over: names in lower case, pseudo-headers included, in order.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    pairs: &'a [(&'a [u8], &'a [u8])],
}

/// A header that must be single came more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated;

/// One change to a header map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderOp {
    /// Sets a header, replacing all its values.
    Set(Cow<'static, str>, String),
    /// Adds a header beside those of the same name. Where there are none it is what [`Self::Set`] does, but the host need
    /// not look for them.
    Add(Cow<'static, str>, Vec<u8>),
    /// Removes every value of a header.
    Remove(String),
}

// === impl Headers ===

impl<'a> Headers<'a> {
    /// Wraps pairs that the host gave.
    pub const fn new(pairs: &'a [(&'a [u8], &'a [u8])]) -> Self {
        Self { pairs }
    }

    /// All pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.pairs.iter().copied()
    }

    /// The first value of a header. For headers where a second value could deceive, use [`Self::single`].
    pub fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.pairs
            .iter()
            .find(|(key, _)| *key == name.as_bytes())
            .map(|(_, value)| *value)
    }

    /// The only value of a header.
    ///
    /// # Errors
    /// [`Repeated`] where there are two: Envoy, a provider and Tollgate might each believe another one.
    pub fn single(&self, name: &str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut values = self.pairs.iter().filter(|(key, _)| *key == name.as_bytes());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated),
            (first, None) => Ok(first.map(|(_, value)| *value)),
        }
    }

    /// A header's first value as text; `None` also where it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.first(name).and_then(|value| std::str::from_utf8(value).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_header_is_not_single() {
        let pairs: &[(&[u8], &[u8])] = &[(b"x-api-key", b"a"), (b"host", b"h"), (b"x-api-key", b"b")];
        let headers = Headers::new(pairs);
        assert_eq!(headers.single("x-api-key"), Err(Repeated));
        assert_eq!(headers.single("host"), Ok(Some(&b"h"[..])));
        assert_eq!(headers.single("absent"), Ok(None));
    }

    #[test]
    fn an_invalid_byte_is_no_text_but_still_bytes() {
        let pairs: &[(&[u8], &[u8])] = &[(b"x", b"\xff")];
        assert_eq!(Headers::new(pairs).text("x"), None);
        assert_eq!(Headers::new(pairs).first("x"), Some(&b"\xff"[..]));
    }
}
