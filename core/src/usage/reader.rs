//! The reader: follows one answer as it passes, and says at the end what it used.

use super::facts::{Facts, Protocol};
use super::json::Scanner;
use super::{Seen, Usage, sse};
use crate::dialect::Dialect;
use crate::service_tier::ServiceTier;

/// What ends an OpenAI stream.
const DONE: &[u8] = b"[DONE]";

/// Whether a body's bytes are the answer itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// They are.
    Identity,
    /// They are compressed: sizes are all that can be seen.
    Encoded,
}

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With the end of the HTTP message.
    Clean,
    /// Client or provider left before.
    Cut,
}

/// What an answer said about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Usage as reported: [`UsageStatus::Complete`], or [`UsageStatus::Partial`] where the answer went on after
    /// the report and its end was not seen. `None` where nothing was reported: see [`super::estimate`].
    pub usage: Option<Usage>,
    /// The model that answered.
    pub response_model: Option<String>,
    /// The service tier by which it was served.
    pub service_tier: Option<ServiceTier>,
    /// What was seen, for an estimate.
    pub seen: Seen,
    /// Whether the answer came to its end: the JSON's last bracket, or the event that ends the dialect's stream.
    pub finished: bool,
    /// The provider's code for an error that the body holds (`overloaded_error`), or `error`. Never its message,
    /// which may quote the prompt.
    pub error: Option<String>,
}

/// Reads usage out of one answer, whatever the chunks, in bounded memory. JSON and server-sent events are told
/// apart by the first byte, since hosts are careless with the content type.
#[derive(Debug)]
pub struct Reader {
    format: Format,
    lines: sse::Parser,
    answer: Answer,
}

/// What the bytes of a body are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Nothing but white space so far.
    Unknown,
    /// One JSON document.
    Json,
    /// Server-sent events.
    Events,
    /// Not to be read: encoded, or a dialect without usage.
    Opaque,
}

/// The documents of an answer and what they said: one of JSON, one an event of a stream.
#[derive(Debug)]
struct Answer {
    scanner: Scanner,
    facts: Facts,
    /// The start of the current event's data, to recognise [`DONE`].
    head: [u8; DONE.len() + 1],
    head_len: usize,
}

// === impl Coding ===

impl Coding {
    /// From the `content-encoding` header, if there is one.
    pub fn of(content_encoding: Option<&[u8]>) -> Self {
        let value = content_encoding.unwrap_or_default().trim_ascii();
        if value.is_empty() || value.eq_ignore_ascii_case(b"identity") {
            return Self::Identity;
        }
        Self::Encoded
    }
}

// === impl Reader ===

impl Reader {
    /// A reader for the answer to one request.
    pub fn new(dialect: Dialect, coding: Coding) -> Self {
        let protocol = Protocol::of(dialect);
        let format = match (protocol, coding) {
            (Some(_), Coding::Identity) => Format::Unknown,
            _ => Format::Opaque,
        };
        Self {
            format,
            lines: sse::Parser::default(),
            answer: Answer::new(protocol.unwrap_or(Protocol::Completion), coding),
        }
    }

    /// Takes the next chunk of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        self.answer.facts.saw(chunk.len());
        if self.format == Format::Unknown {
            self.format = format_of(chunk);
        }
        match self.format {
            Format::Unknown | Format::Opaque => {}
            Format::Json => self.answer.scanner.push(chunk, &mut self.answer.facts),
            Format::Events => self.lines.push(chunk, &mut self.answer),
        }
    }

    /// The end of the body, however it came.
    pub fn finish(mut self, end: End) -> Outcome {
        match self.format {
            Format::Unknown | Format::Opaque => {}
            Format::Json => self.answer.end_of_body(),
            Format::Events => self.lines.finish(&mut self.answer),
        }
        self.answer.facts.outcome(end)
    }
}

// === impl Answer ===

impl Answer {
    fn new(protocol: Protocol, coding: Coding) -> Self {
        Self {
            scanner: Scanner::new(protocol.root()),
            facts: Facts::new(protocol, coding == Coding::Identity),
            head: [0; DONE.len() + 1],
            head_len: 0,
        }
    }

    /// The end of a JSON body.
    fn end_of_body(&mut self) {
        let whole = self.scanner.is_done();
        self.facts.end_of_body(whole);
    }
}

impl sse::Handler for Answer {
    fn data(&mut self, part: &[u8]) {
        let room = self.head.get_mut(self.head_len..).unwrap_or_default();
        for (slot, byte) in room.iter_mut().zip(part) {
            *slot = *byte;
            self.head_len += 1;
        }
        self.scanner.push(part, &mut self.facts);
    }

    fn end_of_event(&mut self) {
        if self.head.get(..self.head_len) == Some(DONE) {
            self.facts.done();
        }
        self.head_len = 0;
        let whole = self.scanner.is_done();
        self.facts.end_of_event(whole);
        self.scanner.reset();
    }
}

/// What a body is, by its first byte that is not white space.
pub(crate) fn format_of(chunk: &[u8]) -> Format {
    match chunk.trim_ascii_start().first() {
        None => Format::Unknown,
        Some(b'{' | b'[') => Format::Json,
        Some(_) => Format::Events,
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "reader_tier_tests.rs"]
mod tier_tests;
