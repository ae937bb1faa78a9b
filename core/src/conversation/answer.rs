//! The answer: what is said in it, read as it passes.

use super::unescape::Unescape;
use super::{PART_COST, layout};
use crate::dialect::Dialect;
use crate::usage::facts::Protocol;
use crate::usage::json::Scanner;
use crate::usage::reader::{Format, format_of};
use crate::usage::run::Shape;
use crate::usage::sse;
use crate::usage::tree::{Node, Sink, Slot, Unit, Voice};
use crate::wire::{TextKind, TextPart, TextRole};

/// Takes the text out of one answer, JSON or server-sent events, in bounded memory.
#[derive(Debug)]
pub struct AnswerText {
    root: &'static Node,
    max_bytes: usize,
    format: Format,
    lines: sse::Parser,
    documents: Documents,
}

/// The documents of an answer and what they say: one of JSON, one an event of a stream.
#[derive(Debug)]
struct Documents {
    scanner: Scanner,
    said: Said,
}

/// What has been said so far.
#[derive(Debug, Default)]
struct Said {
    /// Bytes that may still be kept.
    room: usize,
    kept: Vec<Piece>,
    /// Of the current document: what it is to the answer is known at its end.
    fresh: Vec<Piece>,
    /// Whether there was no room for a part of the current document.
    overflowed: bool,
    string: Unescape,
    /// Whether the string or document that is being copied has been begun.
    is_copying: bool,
    /// Where the current part of the document begins in `fresh`.
    part_start: usize,
    is_thought: bool,
    is_reasoning: bool,
    choice: u32,
    kind: String,
    /// Whether deltas have come: the whole that ends a stream says nothing new then.
    has_deltas: bool,
}

#[derive(Debug)]
struct Piece {
    choice: u32,
    voice: Voice,
    text: Vec<u8>,
    is_cut: bool,
}

// === impl AnswerText ===

impl AnswerText {
    /// For the answer to one request, of which at most so many bytes are kept; `None` where the dialect says nothing.
    pub fn new(dialect: Dialect, max_bytes: usize) -> Option<Self> {
        let root = layout::of(Protocol::of(dialect)?)?;
        Some(Self::of(root, max_bytes))
    }

    fn of(root: &'static Node, max_bytes: usize) -> Self {
        Self {
            root,
            max_bytes,
            format: Format::Unknown,
            lines: sse::Parser::default(),
            documents: Documents {
                scanner: Scanner::new(root),
                said: Said {
                    room: max_bytes,
                    ..Said::default()
                },
            },
        }
    }

    /// Forgets what came: the client is sent another answer.
    pub fn restart(&mut self) {
        *self = Self::of(self.root, self.max_bytes);
    }

    /// Takes the next chunk of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        if self.format == Format::Unknown {
            self.format = format_of(chunk);
        }
        let Documents { scanner, said } = &mut self.documents;
        match self.format {
            Format::Unknown | Format::Opaque => {}
            Format::Json => scanner.push(chunk, said),
            Format::Events => self.lines.push(chunk, &mut self.documents),
        }
    }

    /// What was said, in order; of several answers one after the other.
    pub fn finish(mut self) -> Vec<TextPart> {
        if self.format == Format::Events {
            self.lines.finish(&mut self.documents);
        }
        self.documents.said.finish()
    }
}

// === impl Documents ===

impl sse::Handler for Documents {
    fn data(&mut self, part: &[u8]) {
        self.scanner.push(part, &mut self.said);
    }

    fn end_of_event(&mut self) {
        self.said.end_of_document();
        self.scanner.reset();
    }
}

// === impl Said ===

impl Said {
    fn finish(mut self) -> Vec<TextPart> {
        self.end_of_document();
        self.kept.sort_by_key(|piece| piece.choice);
        self.kept.into_iter().map(TextPart::from).collect()
    }

    fn end_of_document(&mut self) {
        let kind = std::mem::take(&mut self.kind);
        self.is_copying = false;
        if kind.is_empty() {
            self.keep();
        } else {
            self.end_of_response_event(&kind);
        }
        self.overflowed = false;
        self.string = Unescape::default();
        self.end_of(Unit::Part);
    }

    /// An event of a Responses stream, whose type says what its delta is.
    fn end_of_response_event(&mut self, kind: &str) {
        let is_end = kind == "response.completed" || kind == "response.incomplete";
        if kind.ends_with(".delta") && !kind.contains("audio.delta") {
            let voice = if kind.contains("reasoning") {
                Voice::Thinking
            } else if ["arguments", "input", "code"]
                .iter()
                .any(|word| kind.contains(word))
            {
                Voice::Arguments
            } else {
                Voice::Text
            };
            for piece in &mut self.fresh {
                piece.voice = voice;
            }
            self.has_deltas = true;
            self.keep();
        } else if kind == "response.output_item.added" || is_end && !self.has_deltas {
            self.keep();
        } else {
            self.drop_fresh();
        }
    }

    /// What the document or the choice said is part of the answer.
    fn keep(&mut self) {
        for mut piece in std::mem::take(&mut self.fresh) {
            if piece.voice == Voice::Delta {
                // A document of another dialect: it has no such thing.
                self.room = self.room.saturating_add(piece.text.len() + PART_COST);
                continue;
            }
            piece.choice = self.choice;
            let last = self.kept.iter_mut().rev().find(|last| last.choice == self.choice);
            match last.filter(|last| last.voice == piece.voice && piece.voice != Voice::Name) {
                Some(last) => {
                    last.text.append(&mut piece.text);
                    last.is_cut |= piece.is_cut;
                    self.room = self.room.saturating_add(PART_COST);
                }
                None => self.kept.push(piece),
            }
        }
        if std::mem::take(&mut self.overflowed)
            && let Some(last) = self.kept.last_mut()
        {
            last.is_cut = true;
        }
    }

    fn drop_fresh(&mut self) {
        for piece in std::mem::take(&mut self.fresh) {
            self.room = self.room.saturating_add(piece.text.len() + PART_COST);
        }
    }

    /// Room for another part.
    fn begin(&mut self, voice: Voice) -> bool {
        let Some(room) = self.room.checked_sub(PART_COST) else {
            self.overflowed = true;
            return false;
        };
        self.room = room;
        self.fresh.push(Piece {
            choice: 0,
            voice,
            text: Vec::new(),
            is_cut: false,
        });
        true
    }
}

impl Sink for Said {
    fn value(&mut self, slot: Slot, json: &[u8]) {
        match slot {
            Slot::Kind => self.kind = serde_json::from_slice(json).unwrap_or_default(),
            Slot::Index => self.choice = serde_json::from_slice(json).unwrap_or(0),
            Slot::ItemKind => self.is_reasoning = json == b"\"reasoning\"",
            Slot::Thought => self.is_thought = json == b"true",
            Slot::Usage | Slot::Model | Slot::ServiceTier | Slot::Finish | Slot::Error => {}
        }
    }

    fn text(&mut self, _bytes: u64) {}

    fn copy(&mut self, voice: Voice, shape: Shape, part: &[u8], ended: bool) {
        let is_new = !std::mem::replace(&mut self.is_copying, !ended);
        if is_new {
            self.string = Unescape::default();
            if !self.begin(voice) {
                return;
            }
        }
        let Some(piece) = self.fresh.last_mut().filter(|_| !self.overflowed) else {
            return;
        };
        let (room, string) = (&mut self.room, &mut self.string);
        let mut take = |bytes: &[u8]| {
            let taken = bytes.get(..*room).unwrap_or(bytes);
            piece.is_cut |= taken.len() < bytes.len();
            piece.text.extend_from_slice(taken);
            *room -= taken.len();
        };
        if shape == Shape::Text {
            string.push(part, &mut take);
        } else {
            take(part);
        }
        if ended && piece.text.is_empty() && !piece.is_cut {
            self.fresh.pop();
            self.room = self.room.saturating_add(PART_COST);
        }
    }

    fn end_of(&mut self, unit: Unit) {
        match unit {
            Unit::Part | Unit::Item => {
                let is_thought =
                    std::mem::take(&mut self.is_thought) | std::mem::take(&mut self.is_reasoning);
                let part = self.fresh.get_mut(self.part_start..).unwrap_or_default();
                for piece in part.iter_mut().filter(|piece| piece.voice == Voice::Text) {
                    if is_thought {
                        piece.voice = Voice::Thinking;
                    }
                }
                self.part_start = self.fresh.len();
            }
            Unit::Choice => {
                self.keep();
                self.choice = 0;
                self.part_start = 0;
            }
        }
    }
}

// === impl TextPart ===

impl From<Piece> for TextPart {
    fn from(piece: Piece) -> Self {
        let (text, was_split) = whole_characters(piece.text);
        Self {
            index: Some(piece.choice),
            role: TextRole::Assistant,
            kind: match piece.voice {
                Voice::Text | Voice::Delta => TextKind::Text,
                Voice::Thinking => TextKind::Thinking,
                Voice::Name => TextKind::Name,
                Voice::Arguments => TextKind::Arguments,
            },
            text,
            cut: piece.is_cut || was_split,
        }
    }
}

/// The text, without a character that its end splits; bytes that are no text are replaced.
fn whole_characters(mut bytes: Vec<u8>) -> (String, bool) {
    let split = bytes
        .utf8_chunks()
        .last()
        .map_or(0, |chunk| chunk.invalid().len());
    let is_split = split > 0
        && std::str::from_utf8(bytes.get(bytes.len().saturating_sub(split)..).unwrap_or_default())
            .is_err_and(|error| error.error_len().is_none());
    if is_split {
        bytes.truncate(bytes.len().saturating_sub(split));
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text, is_split),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), is_split),
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
