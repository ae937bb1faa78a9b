//! The characters of a JSON string that arrives in pieces, whatever the pieces.

use memchr::memchr2;

/// Where in a string the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Before its opening quote.
    #[default]
    Before,
    Inside,
    /// After a backslash.
    Slash,
    /// Within `\uXXXX`: digits to come, and what those before say.
    Hex(u8, u16),
    /// After its closing quote.
    Behind,
}

/// Decodes one string. Its bytes are handed on as they come: a character that the pieces split is whole again once
/// they are put together.
#[derive(Debug, Default)]
pub(super) struct Unescape {
    place: Place,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

// === impl Unescape ===

impl Unescape {
    /// Takes the next piece of the string, quotes included, and hands on the bytes of its characters.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut impl FnMut(&[u8])) {
        let mut rest = piece;
        while let [first, tail @ ..] = rest {
            rest = match self.place {
                Place::Before => {
                    self.place = Place::Inside;
                    tail
                }
                Place::Inside => self.inside(rest, out),
                Place::Slash => {
                    self.escaped(*first, out);
                    tail
                }
                Place::Hex(left, unit) => match char::from(*first).to_digit(16) {
                    Some(digit) => {
                        let unit = unit << 4 | u16::try_from(digit).unwrap_or(0);
                        self.place = Place::Hex(left.saturating_sub(1), unit);
                        if left <= 1 {
                            self.place = Place::Inside;
                            self.unit(unit, out);
                        }
                        tail
                    }
                    // Not an escape: read the byte again as text.
                    None => {
                        self.place = Place::Inside;
                        replace(out);
                        rest
                    }
                },
                Place::Behind => return,
            };
        }
    }

    fn inside<'a>(&mut self, rest: &'a [u8], out: &mut impl FnMut(&[u8])) -> &'a [u8] {
        let end = memchr2(b'"', b'\\', rest);
        let (text, tail) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or((rest, &[]));
        if !text.is_empty() {
            self.flush(out);
            out(text);
        }
        let [special, behind @ ..] = tail else {
            return tail;
        };
        self.place = if *special == b'"' {
            self.flush(out);
            Place::Behind
        } else {
            Place::Slash
        };
        behind
    }

    fn escaped(&mut self, byte: u8, out: &mut impl FnMut(&[u8])) {
        if byte == b'u' {
            self.place = Place::Hex(4, 0);
            return;
        }
        self.flush(out);
        self.place = Place::Inside;
        out(&[match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            other => other,
        }]);
    }

    /// A UTF-16 unit has been read.
    fn unit(&mut self, unit: u16, out: &mut impl FnMut(&[u8])) {
        let high = self.high.take();
        if let (Some(high), 0xdc00..=0xdfff) = (high, unit) {
            let pair = 0x1_0000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(unit) - 0xdc00);
            return character(pair, out);
        }
        if high.is_some() {
            replace(out);
        }
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
        } else {
            character(u32::from(unit), out);
        }
    }

    /// A half of a pair whose other half did not come.
    fn flush(&mut self, out: &mut impl FnMut(&[u8])) {
        if self.high.take().is_some() {
            replace(out);
        }
    }
}

fn character(code: u32, out: &mut impl FnMut(&[u8])) {
    let found = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out(found.encode_utf8(&mut [0; 4]).as_bytes());
}

fn replace(out: &mut impl FnMut(&[u8])) {
    character(u32::from(char::REPLACEMENT_CHARACTER), out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let (mut unescape, mut bytes) = (Unescape::default(), Vec::new());
        for piece in pieces {
            unescape.push(piece, &mut |text: &[u8]| bytes.extend_from_slice(text));
        }
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn every_string_is_decoded_whatever_the_pieces(text in ".*", escaped: bool, size in 1_usize..9) {
            let raw = if escaped {
                let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
                format!("\"{units}\"")
            } else {
                serde_json::to_string(&text).unwrap()
            };
            prop_assert_eq!(decoded(raw.as_bytes().chunks(size)), text);
        }
    }

    #[test]
    fn a_lone_surrogate_becomes_the_replacement_character() {
        assert_eq!(
            decoded([&br#""\ud83d\u0041\ud83dx\ud83d\n\ud83d\ud83d\ude00\udc00\ud83d""#[..]]),
            "\u{fffd}A\u{fffd}x\u{fffd}\n\u{fffd}😀\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn what_is_no_escape_is_text_again() {
        assert_eq!(decoded([&br#""\u12"tail"#[..]]), "\u{fffd}");
    }
}
