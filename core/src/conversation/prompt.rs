//! The prompt: its texts, with who says them.

use std::ops::Range;

use super::PART_COST;
use crate::dialect::{self, PieceKind, Request, Role, Text};
use crate::edit::{self, Edit};
use crate::wire::{TextKind, TextPart, TextRole};

/// The texts of one prompt. Where there is no room for all of them the newest are kept: what came before is, in a
/// conversation, in its earlier exchanges.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PromptText {
    max_bytes: usize,
    /// Newest first.
    texts: Vec<Kept>,
    /// Whether older ones are left out.
    is_cut: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Kept {
    index: Option<u32>,
    role: TextRole,
    kind: TextKind,
    text: String,
    is_cut: bool,
    /// Where it stands in the body; of JSON, whose text it is as it stands, also where its strings do.
    span: Range<usize>,
    is_json: bool,
}

// === impl PromptText ===

impl PromptText {
    /// The texts of a request, of which at most so many bytes are kept.
    pub fn of(request: &Request<'_>, max_bytes: usize) -> Self {
        let mut prompt = Self {
            max_bytes,
            ..Self::default()
        };
        let mut room = max_bytes;
        for text in request.spoken().rev() {
            let Some(left) = room.checked_sub(PART_COST).filter(|left| *left > 0) else {
                prompt.is_cut = true;
                break;
            };
            let kept = Kept::new(text, left);
            room = left - kept.text.len();
            prompt.texts.push(kept);
        }
        prompt
    }

    /// Makes the changes that moderation makes to the body: what it takes out is kept neither.
    pub fn redact(&mut self, edits: &[Edit]) {
        let mut room = self.max_bytes;
        for kept in &mut self.texts {
            kept.redact(edits);
            let left = room.saturating_sub(PART_COST);
            kept.is_cut |= cut(&mut kept.text, left);
            room = left.saturating_sub(kept.text.len());
        }
    }

    /// The texts, oldest first, and whether older ones are left out.
    pub fn into_parts(self) -> (Vec<TextPart>, bool) {
        let parts = self.texts.into_iter().rev().map(TextPart::from).collect();
        (parts, self.is_cut)
    }
}

// === impl Kept ===

impl Kept {
    fn new(text: Text<'_>, room: usize) -> Self {
        let is_json = text.kind == PieceKind::Json;
        let mut kept = Self {
            index: text.message.and_then(|index| u32::try_from(index).ok()),
            role: text.role.into(),
            kind: kind(text.kind),
            text: text.text.into_owned(),
            is_cut: false,
            span: text.span,
            is_json,
        };
        kept.is_cut = cut(&mut kept.text, room);
        kept
    }

    fn redact(&mut self, edits: &[Edit]) {
        let inside = |edit: &&Edit| self.span.start <= edit.span.start && edit.span.end <= self.span.end;
        let mut found: Vec<Edit> = edits.iter().filter(inside).cloned().collect();
        if !self.is_json {
            if let Some(edit) = found.pop() {
                self.text = dialect::decode_bytes(&edit.with);
            }
            return;
        }
        for edit in &mut found {
            edit.span = edit.span.start - self.span.start..edit.span.end - self.span.start;
        }
        // A string that is cut in two is left out as a whole.
        let split = found
            .iter()
            .map(|edit| &edit.span)
            .find(|span| span.start < self.text.len() && self.text.len() < span.end);
        if let Some(start) = split.map(|span| span.start) {
            self.text.truncate(start);
        }
        found.retain(|edit| edit.span.end <= self.text.len());
        if !found.is_empty() {
            let changed = edit::apply(self.text.as_bytes(), &mut found);
            self.text = String::from_utf8_lossy(&changed).into_owned();
        }
    }
}

impl From<Kept> for TextPart {
    fn from(kept: Kept) -> Self {
        Self {
            index: kept.index,
            role: kept.role,
            kind: kept.kind,
            text: kept.text,
            cut: kept.is_cut,
        }
    }
}

// === impl TextRole ===

impl From<Role> for TextRole {
    fn from(role: Role) -> Self {
        match role {
            Role::System => Self::System,
            Role::User => Self::User,
            Role::Assistant => Self::Assistant,
            Role::Tool => Self::Tool,
            Role::Other => Self::Other,
        }
    }
}

const fn kind(kind: PieceKind) -> TextKind {
    match kind {
        PieceKind::Text | PieceKind::Unknown => TextKind::Text,
        PieceKind::Thinking => TextKind::Thinking,
        PieceKind::Name => TextKind::Name,
        PieceKind::Arguments | PieceKind::Json => TextKind::Arguments,
    }
}

/// Cuts a text to so many bytes, between two characters; says whether anything was cut.
fn cut(text: &mut String, max_bytes: usize) -> bool {
    let is_longer = text.len() > max_bytes;
    text.truncate(text.floor_char_boundary(max_bytes));
    is_longer
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
