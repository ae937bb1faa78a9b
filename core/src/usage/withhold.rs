//! Keeps from a client the usage event that it did not ask for.
//!
//! To meter a stream, Tollgate sets `stream_options.include_usage`; the provider then sends one more chunk before
//! `[DONE]`, with `choices: []` and the usage
//! (<https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options>). That one event is
//! withheld; every other byte passes as it is.

use std::ops::Range;

use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::sse::{Boundaries, Handler, Parser};

/// A longer event passes unread: the one that is looked for has a few hundred bytes.
const MAX_EVENT: usize = 64 * 1024;

/// What to send on in place of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    /// The chunk, as it is.
    AsIs,
    /// These bytes, of which there may be none.
    Replaced(Vec<u8>),
}

/// Withholds the usage event of one stream of an OpenAI chat or legacy completion. Complete events are passed at
/// once; of the last one in a chunk, what has come so far is held (64 KiB at most) until its end is seen.
#[derive(Debug)]
pub struct Withhold {
    boundaries: Boundaries,
    choices: memmem::Finder<'static>,
    /// The start of the current event, from earlier chunks.
    held: Vec<u8>,
    /// The current event is too long to be the one: it passes.
    passing: bool,
    /// Whether the event before the current one was withheld.
    withheld: bool,
}

#[derive(Deserialize)]
struct Chunk {
    choices: Vec<IgnoredAny>,
    usage: Option<IgnoredAny>,
}

struct Data(Vec<u8>);

// === impl Withhold ===

impl Withhold {
    /// For one stream, from its first byte.
    pub fn new() -> Self {
        Self {
            boundaries: Boundaries::default(),
            choices: memmem::Finder::new(b"\"choices\""),
            held: Vec::new(),
            passing: false,
            withheld: false,
        }
    }

    /// Takes the next chunk of the stream.
    pub fn push(&mut self, chunk: &[u8]) -> Passed {
        let mut before = std::mem::take(&mut self.held);
        let mut dropped: Vec<Range<usize>> = Vec::new();
        let mut event_ended = false;
        let mut start = self.boundaries.late_lf(chunk);
        if start > 0 && self.withheld {
            dropped.push(0..start);
        }
        while let Some(length) = self.boundaries.next_end(chunk.get(start..).unwrap_or_default()) {
            let end = start + length;
            let event = chunk.get(start..end).unwrap_or_default();
            self.withheld = !self.passing
                && if event_ended || before.is_empty() {
                    self.is_usage_event(event)
                } else {
                    self.is_usage_event(&[&before, event].concat())
                };
            if self.withheld {
                dropped.push(start..end);
                if !event_ended {
                    before.clear();
                }
            }
            self.passing = false;
            event_ended = true;
            start = end;
        }
        let rest = chunk.get(start..).unwrap_or_default();
        let earlier = if event_ended { 0 } else { before.len() };
        if self.passing || earlier + rest.len() > MAX_EVENT {
            self.passing = true;
        } else if !rest.is_empty() {
            dropped.push(start..chunk.len());
            if !event_ended {
                self.held = std::mem::take(&mut before);
            }
            self.held.extend_from_slice(rest);
        } else if !event_ended {
            self.held = std::mem::take(&mut before);
        }
        if before.is_empty() && dropped.is_empty() {
            return Passed::AsIs;
        }
        Passed::Replaced(without(before, chunk, &dropped))
    }

    /// The end of the stream: the bytes that are still to be sent on. An event that lacks only its empty line is
    /// judged as it stands.
    pub fn finish(self) -> Vec<u8> {
        if self.is_usage_event(&self.held) {
            return Vec::new();
        }
        self.held
    }

    fn is_usage_event(&self, event: &[u8]) -> bool {
        // Every chunk has the key; only few have nothing under it.
        let suspect = self.choices.find_iter(event).any(|at| {
            let after = event.get(at + self.choices.needle().len()..).unwrap_or_default();
            let mut tokens = after.iter().filter(|byte| !byte.is_ascii_whitespace());
            (tokens.next(), tokens.next(), tokens.next()) == (Some(&b':'), Some(&b'['), Some(&b']'))
        });
        suspect && {
            let mut data = Data(Vec::new());
            let mut parser = Parser::default();
            parser.push(event, &mut data);
            parser.finish(&mut data);
            serde_json::from_slice::<Chunk>(&data.0)
                .is_ok_and(|chunk| chunk.choices.is_empty() && chunk.usage.is_some())
        }
    }
}

impl Default for Withhold {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Data ===

impl Handler for Data {
    fn data(&mut self, part: &[u8]) {
        self.0.extend_from_slice(part);
    }

    fn end_of_event(&mut self) {}
}

/// `before` and then `chunk`, without the ranges of it that are dropped.
fn without(before: Vec<u8>, chunk: &[u8], dropped: &[Range<usize>]) -> Vec<u8> {
    let mut out = before;
    let mut at = 0;
    for range in dropped {
        out.extend_from_slice(chunk.get(at..range.start).unwrap_or_default());
        at = range.end;
    }
    out.extend_from_slice(chunk.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
#[path = "withhold_tests.rs"]
mod tests;
