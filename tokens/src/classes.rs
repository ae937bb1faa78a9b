//! The class of a character, from tables that the build script makes with the `regex` crate.

mod flags;

pub(crate) use flags::*;

/// A page number for each 128 characters.
static INDEX: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/classes.index"));

/// A class for each character of a page.
static PAGES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/classes.pages"));

/// The classes of ASCII.
static ASCII: [u8; 128] = ascii();

/// The character at a position of a text: its class, and how many bytes it takes.
#[derive(Clone, Copy)]
pub(crate) struct Char {
    /// One of the flags; nothing at the end of the text.
    pub(crate) class: u8,
    /// Its bytes; 0 at the end of the text.
    pub(crate) width: usize,
}

// === impl Char ===

impl Char {
    /// The character that begins at `at`.
    #[inline]
    pub(crate) fn at(text: &[u8], at: usize) -> Self {
        match text.get(at) {
            Some(&byte) if byte < 0x80 => Self::ascii(byte),
            Some(&first) => Self::wide(first, text.get(at + 1..).unwrap_or_default()),
            None => Self { class: 0, width: 0 },
        }
    }

    /// A character of ASCII.
    #[inline]
    pub(crate) fn ascii(byte: u8) -> Self {
        Self {
            class: ASCII.get(usize::from(byte)).copied().unwrap_or(OTHER),
            width: 1,
        }
    }

    /// Whether its class is one of `classes`.
    #[inline]
    pub(crate) fn is(self, classes: u8) -> bool {
        self.class & classes != 0
    }

    fn wide(first: u8, rest: &[u8]) -> Self {
        let part = |index: usize| rest.get(index).map_or(0, |&byte| u32::from(byte & 0x3f));
        let (code, width) = match first {
            0..0xe0 => (u32::from(first & 0x1f) << 6 | part(0), 2),
            0xe0..0xf0 => (u32::from(first & 0x0f) << 12 | part(0) << 6 | part(1), 3),
            _ => (
                u32::from(first & 0x07) << 18 | part(0) << 12 | part(1) << 6 | part(2),
                4,
            ),
        };
        Self {
            class: class_of(code),
            width,
        }
    }
}

fn class_of(code: u32) -> u8 {
    let page = INDEX.get((code >> 7) as usize).copied().unwrap_or(0);
    PAGES
        .get(usize::from(page) << 7 | (code & 0x7f) as usize)
        .copied()
        .unwrap_or(OTHER)
}

const fn ascii() -> [u8; 128] {
    let mut classes = [OTHER; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        #[expect(
            clippy::indexing_slicing,
            reason = "evaluated when compiled; the index is below 128"
        )]
        let place = &mut classes[byte as usize];
        *place = match byte {
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'0'..=b'9' => NUMBER,
            b'\r' | b'\n' => SPACE | NEWLINE,
            b'\t' | 0x0b | 0x0c | b' ' => SPACE,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
}
