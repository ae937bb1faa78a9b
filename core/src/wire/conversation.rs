//! Texts of exchanges, where policy keeps them.

use serde::{Deserialize, Serialize};

/// A text that is cut has so many bytes more than are to be kept. The sidecar redacts the whole and then takes them
/// off its end, so that no half of a secret is kept that nothing recognises.
pub const CUT_MARGIN: usize = 512;

/// `POST /v1/conversations`: what was said in exchanges that are over. Idempotent by `event_id`; 200 with
/// [`ConversationsAccepted`] once it is durable, 409 where the sidecar keeps no texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationBatch {
    /// At most 1,000.
    pub exchanges: Vec<SaidExchange>,
}

/// Answer to [`ConversationBatch`]. None of the exchanges needs to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConversationsAccepted {
    /// How many are kept now.
    pub stored: u64,
    /// How many were there already, or were deleted before they came.
    pub left_out: u64,
}

/// What was said in one exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SaidExchange {
    /// Of its event.
    pub event_id: String,
    /// What the client saw as `x-tollgate-request-id`.
    pub request_id: String,
    /// What the client calls the conversation; an exchange without it is one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// When the request arrived.
    pub time: jiff::Timestamp,
    /// Whose key it was.
    pub workspace: String,
    /// The person or service behind the key or the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The client's session, where it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The key's stable id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The model that answered, or that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The HTTP status that the client saw.
    pub status: u16,
    /// What cut the exchange short, if anything did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The prompt as the provider got it.
    pub prompt: Vec<TextPart>,
    /// Whether the prompt's beginning is left out, for want of room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prompt_cut: bool,
    /// The answer as the client got it.
    pub answer: Vec<TextPart>,
}

/// A part of a prompt or of an answer that is text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TextPart {
    /// Of a prompt: which of its messages; absent outside of messages. Of an answer: which of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Who says it.
    pub role: TextRole,
    /// What it is.
    pub kind: TextKind,
    /// The text.
    pub text: String,
    /// Whether its end is left out, for want of room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TextRole {
    /// The application.
    System,
    /// The client.
    User,
    /// The model.
    Assistant,
    /// A tool, in its result.
    Tool,
    /// A role that only some provider knows.
    Other,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TextKind {
    /// What is said.
    Text,
    /// What the model thought before.
    Thinking,
    /// The name of a speaker, or of a tool that is called.
    Name,
    /// What a tool is called with, or what it answers, as a rule JSON.
    Arguments,
}

// === impl SaidExchange ===

impl SaidExchange {
    /// Whether there is any text in it.
    pub const fn is_empty(&self) -> bool {
        self.prompt.is_empty() && self.answer.is_empty()
    }
}
