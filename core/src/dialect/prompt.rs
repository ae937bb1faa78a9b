//! What a prompt is made of: texts with their places in the body, and parts that are no text.

use std::borrow::Cow;
use std::ops::Range;

use super::fields::is_string;
use super::json_string::Strings;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// `system`, `developer`, `instructions`, `systemInstruction`.
    System,
    /// `user`, and whatever has no role.
    User,
    /// `assistant`, `model`.
    Assistant,
    /// `tool`, `function`, and tool results wherever they stand.
    Tool,
    /// A role that only some provider knows.
    Other,
}

/// A part of the prompt that is text, raw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Who says it.
    pub role: Role,
    /// What it is.
    pub kind: PieceKind,
    /// The index of its message; `None` outside of messages.
    pub message: Option<usize>,
    /// Its JSON in the body.
    pub raw: &'a str,
}

/// What a [`Piece`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PieceKind {
    /// A text: a JSON string.
    Text,
    /// Reasoning of an earlier turn: a JSON string.
    Thinking,
    /// The name of a speaker or of a called tool: a JSON string.
    Name,
    /// Arguments of a tool call, as a JSON string.
    Arguments,
    /// Arguments or a result of a tool call, as JSON: the model sees it as it is.
    Json,
    /// Something of a type that is not known here: the model may see its strings.
    Unknown,
}

/// A string of the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a> {
    /// Who says it.
    pub role: Role,
    /// What it is.
    pub kind: PieceKind,
    /// The index of its message; `None` outside of messages.
    pub message: Option<usize>,
    /// Decoded.
    pub text: Cow<'a, str>,
    /// The JSON string in the body, quotes included.
    pub span: Range<usize>,
}

/// A part of the prompt that is not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// The length of what is inline (base64), in bytes; 0 where it is referred to.
    pub inline_bytes: usize,
    /// OpenAI's `detail: low`.
    pub low_detail: bool,
}

/// What a [`Media`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// Speech or other sound.
    Audio,
    /// A film.
    Video,
    /// A document, or a file of any kind.
    File,
}

// === impl Piece ===

impl<'a> Piece<'a> {
    /// The strings in it, raw, without what no model reads as text.
    pub(super) fn strings(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let whole = is_string(self.raw);
        let opaque = move |key: Option<&str>| !whole && key.is_some_and(is_opaque);
        let unknown = self.kind == PieceKind::Unknown;
        Strings::of(self.raw)
            .filter(move |(key, raw)| !(unknown && (opaque(*key) || raw.starts_with("\"data:"))))
            .map(|(_, raw)| raw)
    }
}

// === impl Role ===

impl Role {
    /// The role that a name means.
    pub fn of(name: &str) -> Self {
        match name {
            "system" | "developer" => Self::System,
            "user" => Self::User,
            "assistant" | "model" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            _ => Self::Other,
        }
    }
}

/// Whether the field with this key (raw, in quotes) holds something else than text for the model, in parts of
/// types that are not known.
fn is_opaque(key: &str) -> bool {
    let name = key.trim_matches('"');
    let named = matches!(
        name,
        "type"
            | "id"
            | "role"
            | "status"
            | "format"
            | "signature"
            | "data"
            | "file_data"
            | "url"
            | "ttl"
            | "mode"
    );
    let ends = [
        "_id", "Id", "_url", "Url", "_uri", "Uri", "_type", "Type", "_content", "ignature",
    ];
    named || ends.iter().any(|end| name.ends_with(end)) && name != "raw_content"
}
