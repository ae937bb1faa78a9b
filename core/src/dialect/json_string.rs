//! Strings of a body: decoded, encoded, and found inside JSON values of any shape.

use std::borrow::Cow;

use crate::words::{self, CHUNK};

/// The strings among the values of a JSON text, in order, each with the key right before it.
pub(super) struct Strings<'a> {
    json: &'a str,
    at: usize,
}

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

/// The text of a raw JSON string. A lone surrogate, which JavaScript clients send when they cut a text, becomes
/// U+FFFD: whether it is taken is the provider's business.
pub(crate) fn decode(raw: &str) -> Cow<'_, str> {
    let quoted = between_quotes(raw);
    if !has_escapes(quoted) {
        return Cow::Borrowed(quoted);
    }
    let mut text = Vec::new();
    decode_escapes(quoted.as_bytes(), &mut text);
    Cow::Owned(String::from_utf8(text).unwrap_or_default())
}

/// As [`decode`]. A text with escapes is put into the buffer, in place of what was in it: many texts take no memory each.
pub(super) fn decode_in<'t>(raw: &'t str, buffer: &'t mut Vec<u8>) -> &'t str {
    let quoted = between_quotes(raw);
    if !has_escapes(quoted) {
        return quoted;
    }
    buffer.clear();
    decode_escapes(quoted.as_bytes(), buffer);
    simdutf8::basic::from_utf8(buffer).unwrap_or_default()
}

/// What stands between the quotes of a raw string; nothing where it is none.
fn between_quotes(raw: &str) -> &str {
    let quoted = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    quoted.unwrap_or_default()
}

fn has_escapes(quoted: &str) -> bool {
    words::len_until(quoted.as_bytes(), b'\\').is_some()
}

/// Appends a text, its escapes decoded. As it is cut between characters only, what is appended is UTF-8.
fn decode_escapes(quoted: &[u8], text: &mut Vec<u8>) {
    let mut rest = quoted;
    text.reserve(rest.len() + CHUNK);
    while let Some((chunk, behind)) = rest.split_first_chunk::<CHUNK>() {
        // All of it, and what is too much is cut off again: copies of one size are no calls.
        text.extend_from_slice(chunk);
        rest = match words::len_until(chunk, b'\\') {
            Some(plain) => {
                text.truncate(text.len() - CHUNK + plain);
                decode_escape(rest.get(plain + 1..).unwrap_or_default(), text)
            }
            None => behind,
        };
    }
    while let Some((byte, behind)) = rest.split_first() {
        rest = if *byte == b'\\' {
            decode_escape(behind, text)
        } else {
            text.push(*byte);
            behind
        };
    }
}

/// Appends the character of an escape whose backslash is passed, and returns what follows it.
#[inline]
fn decode_escape<'a>(escaped: &'a [u8], text: &mut Vec<u8>) -> &'a [u8] {
    let Some((kind, behind)) = escaped.split_first() else {
        return escaped;
    };
    text.push(match kind {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 8,
        b'f' => 12,
        b'u' => return unicode(behind, text),
        // A quote, a slash or a backslash.
        other if other.is_ascii() => *other,
        // No valid JSON: the backslash is left out.
        _ => return escaped,
    });
    behind
}

/// Appends the character that four hexadecimal digits name, or eight where they are a pair of surrogates, and returns what
/// follows.
#[inline(never)]
fn unicode<'a>(digits: &'a [u8], text: &mut Vec<u8>) -> &'a [u8] {
    let mut push = |code| {
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    };
    let Some((unit, behind)) = code_unit(digits) else {
        push(char::REPLACEMENT_CHARACTER.into());
        return &[];
    };
    if let Some((low @ 0xdc00..=0xdfff, end)) = behind.strip_prefix(b"\\u").and_then(code_unit)
        && (0xd800..=0xdbff).contains(&unit)
    {
        push(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
        return end;
    }
    push(unit);
    behind
}

fn code_unit(digits: &[u8]) -> Option<(u32, &[u8])> {
    let (hex, behind) = digits.split_first_chunk::<4>()?;
    let unit = hex.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })?;
    Some((unit, behind))
}

/// The text of a JSON string, which [`encode`] has written.
pub(crate) fn decode_bytes(raw: &[u8]) -> String {
    std::str::from_utf8(raw)
        .map(decode)
        .unwrap_or_default()
        .into_owned()
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
        assert_eq!(decode(r#""cut \ud83d here""#), "cut \u{fffd} here");
        assert_eq!(
            decode(r#""\udc00\ud83d\u0041\ud83d\ud83d\ude00""#),
            "\u{fffd}\u{fffd}A\u{fffd}😀"
        );
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let text = "quote \" backslash \\ control \u{1} line\nend 😀";
        let raw = String::from_utf8(encode(text)).unwrap();
        assert_eq!(decode(&raw), text);
    }

    #[test]
    fn what_is_no_string_is_empty_and_what_is_cut_ends() {
        for (raw, text) in [
            ("1", ""),
            ("[1]", ""),
            ("\"", ""),
            (r#""a\""#, "a"),
            (r#""\u12""#, "\u{fffd}"),
        ] {
            assert_eq!(decode(raw), text, "{raw}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_string_decodes_to_what_serde_reads(text in ".*", escaped in proptest::bool::ANY) {
            let mut raw = String::from_utf8(encode(&text)).unwrap();
            if escaped {
                let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
                raw = format!("\"{units}\"");
            }
            proptest::prop_assert_eq!(&decode(&raw), &text);
            let mut buffer = b"before".to_vec();
            proptest::prop_assert_eq!(decode_in(&raw, &mut buffer), text);
        }
    }
}
