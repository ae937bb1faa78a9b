//! Request and response headers as bytes: a header's value need not be UTF-8, and a name may come twice.

use std::borrow::Cow;

/// Headers as the host hands them over: names in lower case, pseudo-headers included, in order.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    pairs: &'a [(&'a [u8], &'a [u8])],
    /// A bit for each length of a name: most of those that are looked for and not there are told by it.
    lengths: u64,
}

/// Headers by which a client could make a provider read another method, or leave the usage out of its answer.
pub(crate) const OVERRIDES: [&str; 4] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-goog-fieldmask",
];

/// Names that are looked for among all headers of every request. Most others are told from them by their length.
#[derive(Debug, Clone, Default)]
pub struct Names {
    names: Vec<String>,
    /// A bit for each length, of which two may share one.
    lengths: u64,
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
    pub fn new(pairs: &'a [(&'a [u8], &'a [u8])]) -> Self {
        let lengths = lengths_of(pairs.iter().map(|(name, _)| *name));
        Self { pairs, lengths }
    }

    /// All pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.pairs.iter().copied()
    }

    /// The first value of a header. For headers where a second value could deceive, use [`Self::single`].
    pub fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The only value of a header.
    ///
    /// # Errors
    /// [`Repeated`] where there are two: Envoy, a provider and Tollgate might each believe another one.
    pub fn single(&self, name: &str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated),
            (first, None) => Ok(first),
        }
    }

    /// A header's first value as text; `None` also where it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.first(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of a header.
    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let may_be_there = self.lengths & length_bit(name.len()) != 0;
        let pairs = if may_be_there { self.pairs } else { &[] };
        let named = pairs.iter().filter(move |(key, _)| *key == name.as_bytes());
        named.map(|(_, value)| *value)
    }
}

// === impl Names ===

impl Names {
    /// Whether the name is one of them.
    pub fn contain(&self, name: &[u8]) -> bool {
        self.lengths & length_bit(name.len()) != 0 && self.names.iter().any(|one| one.as_bytes() == name)
    }
}

impl FromIterator<String> for Names {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        let names: Vec<String> = names.into_iter().collect();
        let lengths = lengths_of(names.iter().map(String::as_bytes));
        Self { names, lengths }
    }
}

/// The bits of some names' lengths.
fn lengths_of<'n>(names: impl Iterator<Item = &'n [u8]>) -> u64 {
    names.fold(0, |bits, name| bits | length_bit(name.len()))
}

const fn length_bit(len: usize) -> u64 {
    1 << (len % 64)
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

    proptest::proptest! {
        #[test]
        fn values_are_those_of_the_pairs_with_the_name(drawn in proptest::collection::vec(0_usize..5, 0..5)) {
            let long = "x".repeat(70);
            let names = ["abc", "abd", "x", "xxxxxx", &long];
            let pairs: Vec<(&[u8], &[u8])> = drawn
                .iter()
                .zip([b"0", b"1", b"2", b"3", b"4"])
                .map(|(at, value)| (names[*at].as_bytes(), &value[..]))
                .collect();
            let headers = Headers::new(&pairs);
            for name in names {
                let mut plain = pairs.iter().filter(|(key, _)| *key == name.as_bytes());
                let first = plain.next().map(|(_, value)| *value);
                let single = if plain.next().is_some() { Err(Repeated) } else { Ok(first) };
                proptest::prop_assert_eq!(headers.first(name), first);
                proptest::prop_assert_eq!(headers.single(name), single);
            }
        }
    }

    #[test]
    fn names_are_found_whatever_else_is_as_long() {
        let long = "x".repeat(70);
        let names: Names = ["abc".to_owned(), long.clone()].into_iter().collect();
        for (name, is_there) in [
            ("abc", true),
            ("abd", false),
            ("ab", false),
            ("xxxxxx", false),
            (&long, true),
        ] {
            assert_eq!(names.contain(name.as_bytes()), is_there, "{name}");
        }
    }

    #[test]
    fn an_invalid_byte_is_no_text_but_still_bytes() {
        let pairs: &[(&[u8], &[u8])] = &[(b"x", b"\xff")];
        assert_eq!(Headers::new(pairs).text("x"), None);
        assert_eq!(Headers::new(pairs).first("x"), Some(&b"\xff"[..]));
    }
}
