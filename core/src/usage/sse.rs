//! Server-sent events, from bytes that arrive in pieces.
//!
//! Follows the WHATWG HTML standard, section 9.2.6: lines end in CR, LF or CRLF (which may be split over pieces),
//! a BOM may stand first, a line that starts with a colon is a comment, one space after a field's colon is not
//! part of the value, several `data` lines make one event, an empty line ends it. One liberty: an event that the
//! end of the stream cuts off before its empty line has been handed over as far as it came, since some providers
//! leave that line out.

use memchr::memchr2;

/// The BOM that may stand before the first line.
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Receives the events' data.
pub(crate) trait Handler {
    /// The next bytes of the current event's data.
    fn data(&mut self, part: &[u8]);

    /// The current event is complete.
    fn end_of_event(&mut self);
}

/// The parser. It holds no bytes of the stream: a value is handed over as it comes.
#[derive(Debug)]
pub(crate) struct Parser {
    place: Place,
    /// How many bytes of the BOM have been seen; past its length once the first line has begun.
    bom: usize,
    /// Whether the last line ended in a CR that an LF may follow.
    after_cr: bool,
    /// Whether the current event has a data line already.
    has_data: bool,
}

/// Where in a line the parser is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a name that has been `data` so far, for so many bytes.
    Name(usize),
    /// After `data:`, where one space may follow.
    Colon,
    /// In the value of `data`.
    Data,
    /// In any other line.
    Other,
}

/// Finds where events end, for whoever passes them on as they are.
#[derive(Debug, Default)]
pub(super) struct Boundaries {
    /// Whether the current line has any byte.
    in_line: bool,
    /// Whether the last byte was a CR: an LF belongs to it.
    after_cr: bool,
    /// Whether the last byte ended an event.
    after_end: bool,
}

// === impl Parser ===

impl Default for Parser {
    fn default() -> Self {
        Self {
            place: Place::Name(0),
            bom: 0,
            after_cr: false,
            has_data: false,
        }
    }
}

impl Parser {
    pub(crate) fn push(&mut self, piece: &[u8], handler: &mut impl Handler) {
        let mut rest = self.skip_bom(piece);
        while let [first, tail @ ..] = rest {
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                rest = tail;
                continue;
            }
            rest = match self.place {
                Place::Name(at) => self.name(rest, *first, at, handler),
                Place::Colon => {
                    self.place = Place::Data;
                    if *first == b' ' { tail } else { rest }
                }
                Place::Data | Place::Other => self.value(rest, handler),
            };
        }
    }

    /// The end of the stream: an event without its empty line ends here.
    pub(crate) fn finish(&mut self, handler: &mut impl Handler) {
        if std::mem::take(&mut self.has_data) {
            handler.end_of_event();
        }
    }

    fn skip_bom<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let mut rest = piece;
        while let ([first, tail @ ..], Some(expected)) = (rest, BOM.get(self.bom)) {
            if first != expected {
                if self.bom > 0 {
                    self.place = Place::Other;
                }
                self.bom = BOM.len();
                break;
            }
            self.bom += 1;
            rest = tail;
        }
        rest
    }

    fn name<'a>(&mut self, rest: &'a [u8], first: u8, at: usize, handler: &mut impl Handler) -> &'a [u8] {
        const DATA: &[u8] = b"data";
        let tail = rest.get(1..).unwrap_or_default();
        match (first, DATA.get(at)) {
            (b'\n' | b'\r', expected) => {
                if expected.is_none() {
                    self.begin_data(handler);
                }
                self.end_of_line(first, at == 0, handler);
                tail
            }
            (b':', None) => {
                self.begin_data(handler);
                self.place = Place::Colon;
                tail
            }
            (_, Some(expected)) if first == *expected => {
                self.place = Place::Name(at + 1);
                tail
            }
            _ => {
                self.place = Place::Other;
                rest
            }
        }
    }

    fn begin_data(&mut self, handler: &mut impl Handler) {
        if std::mem::replace(&mut self.has_data, true) {
            handler.data(b"\n");
        }
    }

    fn value<'a>(&mut self, rest: &'a [u8], handler: &mut impl Handler) -> &'a [u8] {
        let end = memchr2(b'\n', b'\r', rest);
        let (value, tail) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or((rest, &[]));
        if self.place == Place::Data && !value.is_empty() {
            handler.data(value);
        }
        match tail {
            [ending, next @ ..] => {
                self.end_of_line(*ending, false, handler);
                next
            }
            [] => tail,
        }
    }

    fn end_of_line(&mut self, ending: u8, empty: bool, handler: &mut impl Handler) {
        self.after_cr = ending == b'\r';
        self.place = Place::Name(0);
        if empty && std::mem::take(&mut self.has_data) {
            handler.end_of_event();
        }
    }
}

// === impl Boundaries ===

impl Boundaries {
    /// The offset after the first event that ends in `piece`, its empty line included. Where that line ends in a
    /// CR and the piece with it, an LF may follow that belongs to it: see [`Boundaries::late_lf`].
    pub(super) fn next_end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if self.in_line {
                at += memchr2(b'\n', b'\r', piece.get(at..)?)?;
            }
            let byte = *piece.get(at)?;
            at += 1;
            self.after_end = false;
            match byte {
                b'\n' if std::mem::take(&mut self.after_cr) => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    if !std::mem::take(&mut self.in_line) {
                        self.after_end = true;
                        return Some(self.with_lf(piece, at));
                    }
                }
                _ => {
                    self.after_cr = false;
                    self.in_line = true;
                }
            }
        }
    }

    /// How many bytes at the start of `piece` belong to the event that ended before it: an LF after its CR.
    pub(super) fn late_lf(&mut self, piece: &[u8]) -> usize {
        let late = self.after_end && self.after_cr && piece.first() == Some(&b'\n');
        if late {
            self.after_cr = false;
        }
        usize::from(late)
    }

    fn with_lf(&mut self, piece: &[u8], at: usize) -> usize {
        if self.after_cr && piece.get(at) == Some(&b'\n') {
            self.after_cr = false;
            return at + 1;
        }
        at
    }
}

#[cfg(test)]
#[path = "sse_tests.rs"]
mod tests;
