//! Strings of a body: decoded, encoded, and found inside JSON values of any shape.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{self, Visitor};

/// The strings among the values of a JSON text, in order, each with the key right before it.
pub(super) struct Strings<'a> {
    json: &'a str,
    at: usize,
}

struct Decode;

// === impl Strings ===

impl<'a> Strings<'a> {
    /// `json` is valid JSON.
    pub(super) const fn of(json: &'a str) -> Self {
        Self { json, at: 0 }
    }

    /// The next string token from `from` on, keys included: its bytes with the quotes, and where it ends.
    fn token(&self, from: usize) -> Option<(&'a str, usize)> {
        let bytes = self.json.as_bytes();
        let start = from + memchr::memchr(b'"', bytes.get(from..)?)?;
        let mut end = start + 1;
        loop {
            end += memchr::memchr2(b'"', b'\\', bytes.get(end..)?)?;
            if bytes.get(end) == Some(&b'"') {
                return Some((self.json.get(start..=end)?, end + 1));
            }
            end += 2;
        }
    }

    /// Where the value of the key that ends at `end` begins; `None` where that string is no key.
    fn value_after(&self, end: usize) -> Option<usize> {
        let colon = self.skip_space(end);
        (self.json.as_bytes().get(colon) == Some(&b':')).then(|| self.skip_space(colon + 1))
    }

    fn skip_space(&self, from: usize) -> usize {
        let rest = self.json.as_bytes().get(from..).unwrap_or_default();
        let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        from + space.count()
    }
}

impl<'a> Iterator for Strings<'a> {
    /// The key right before the string, if there is one, and the string; both raw, with their quotes.
    type Item = (Option<&'a str>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let mut key = None;
        loop {
            let (token, end) = self.token(self.at)?;
            self.at = end;
            let Some(value) = self.value_after(end) else {
                return Some((key, token));
            };
            self.at = value;
            key = (self.json.as_bytes().get(value) == Some(&b'"')).then_some(token);
        }
    }
}

// === impl Decode ===

impl<'de> Visitor<'de> for Decode {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(text(bytes))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(text(bytes).into_owned().into())
    }
}

/// The text of a raw JSON string. A lone surrogate, which JavaScript clients send when they cut a text, becomes
/// U+FFFD: whether it is taken is the provider's business.
pub(super) fn decode(raw: &str) -> Cow<'_, str> {
    // Read as bytes, because `serde_json` refuses lone surrogates in strings, but not in byte strings.
    serde_json::Deserializer::from_str(raw)
        .deserialize_bytes(Decode)
        .unwrap_or_default()
}

/// Bytes as text. All but those of a lone surrogate are UTF-8, which is told faster than it is mended.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// The text as a JSON string, with its quotes.
pub fn encode(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).unwrap_or_else(|_| b"\"\"".to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(json: &str) -> Vec<(Option<&str>, &str)> {
        Strings::of(json).collect()
    }

    #[test]
    fn values_are_found_with_the_key_right_before_them() {
        let found = strings(r#"{"a" : "x\"y", "b":["p","q\\"],"c":{"d": 1},"e":"z"}"#);
        assert_eq!(
            found,
            [
                (Some("\"a\""), r#""x\"y""#),
                (None, "\"p\""),
                (None, r#""q\\""#),
                (Some("\"e\""), "\"z\""),
            ]
        );
    }

    #[test]
    fn a_bare_string_is_its_own_value() {
        assert_eq!(strings("\"a\""), [(None, "\"a\"")]);
    }

    #[test]
    fn a_text_without_escapes_is_borrowed() {
        assert!(matches!(decode("\"grün\""), Cow::Borrowed("grün")));
    }

    #[test]
    fn escapes_and_surrogates_are_decoded() {
        assert_eq!(decode(r#""a\n\u00e9\ud83d\ude00\/""#), "a\né😀/");
    }

    #[test]
    fn a_lone_surrogate_becomes_the_replacement_character() {
        assert!(decode(r#""cut \ud83d here""#).contains('\u{fffd}'));
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let text = "quote \" backslash \\ control \u{1} line\nend 😀";
        let raw = String::from_utf8(encode(text)).unwrap();
        assert_eq!(decode(&raw), text);
    }
}
