//! Dialects: the wire formats that Tollgate understands, and the paths that name them.
//!
//! [`classify`] reads a request line, [`parse`] a request body. Both are pure and borrow from what they read;
//! neither builds a document tree. A change to a body is an [`Edit`](crate::edit::Edit) of the bytes that must
//! change, so that every other byte stays as the client sent it.

mod answer;
mod at;
mod chat_completions;
mod completions;
mod content;
mod embeddings;
mod endpoint;
mod fields;
mod generate_content;
mod json_string;
mod messages;
mod naming;
mod output_caps;
mod prompt;
pub mod prompt_tokens;
mod request;
mod responses;
mod rewrite;
mod scalar;
mod scan;
mod syntax;
mod tool_text;

use serde::{Deserialize, Serialize};

pub use self::answer::answer_texts;
pub use self::at::Invalid;
pub use self::endpoint::{Endpoint, Meaning, PathStream, Unknown, classify};
use self::fields::nested;
pub use self::json_string::encode;
pub(crate) use self::json_string::{decode, decode_bytes};
use self::naming::Naming;
pub use self::output_caps::OutputCaps;
pub use self::prompt::{Media, MediaKind, Piece, PieceKind, Role, Text};
pub use self::request::{IncludeUsage, MessageHead, Model, Request, SessionHints};
pub(crate) use self::scan::{fields as fields_of, key_text};
pub(crate) use self::syntax::object;

/// A wire format of requests and responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI `POST …/chat/completions`.
    ChatCompletions,
    /// OpenAI `POST …/responses` and `…/responses/compact`.
    Responses,
    /// OpenAI `POST …/embeddings`.
    Embeddings,
    /// OpenAI's legacy `POST …/completions`.
    Completions,
    /// Anthropic `POST …/messages`, and on Vertex AI `…:rawPredict` and `…:streamRawPredict`.
    Messages,
    /// Gemini `POST …:generateContent` and `…:streamGenerateContent`.
    GenerateContent,
    /// `GET …/models` and `…/models/{id}`: authenticated, unpriced.
    Models,
    /// `POST …/messages/count_tokens`, `…/responses/input_tokens` and `…:countTokens`: authenticated, unpriced.
    CountTokens,
}

/// Whose envelope an error wears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// `{"error":{"message","type","param","code"}}`
    OpenAi,
    /// `{"type":"error","error":{"type","message"},"request_id"}`
    Anthropic,
    /// `{"error":{"code","message","status","details"}}`
    Gemini,
}

// === impl Dialect ===

impl Dialect {
    /// Each of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 8] = [
        Self::ChatCompletions,
        Self::Responses,
        Self::Embeddings,
        Self::Completions,
        Self::Messages,
        Self::GenerateContent,
        Self::Models,
        Self::CountTokens,
    ];

    /// The name in events, metrics and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Completions => "completions",
            Self::Messages => "messages",
            Self::GenerateContent => "generate_content",
            Self::Models => "models",
            Self::CountTokens => "count_tokens",
        }
    }

    /// Whether an exchange costs tokens. The others are authenticated and pass.
    pub const fn is_metered(self) -> bool {
        !matches!(self, Self::Models | Self::CountTokens)
    }
}

/// Reads a request body of the dialect that the path named.
///
/// Lenient: what some provider accepts is accepted. Fields, roles and part types that are not known pass, and
/// `null` is an absent optional field. Refused is what no provider takes, and what two parsers could read
/// differently: a known field given twice, or in another case (Go's `encoding/json` takes `"Model"` for
/// `"model"`). Nesting costs no stack: what lies deeper than the known structure is scanned, not descended into.
pub fn parse<'a>(endpoint: &Endpoint<'a>, body: &'a [u8]) -> Result<Request<'a>, Invalid> {
    let mut request = Request::new(endpoint);
    if endpoint.dialect() == Dialect::Models {
        return Ok(request);
    }
    let json = simdutf8::basic::from_utf8(body).map_err(|_| {
        let valid_up_to = std::str::from_utf8(body).map_or_else(|error| error.valid_up_to(), str::len);
        at::At::ROOT.invalid(format!("the body is not valid UTF-8 at byte {valid_up_to}"))
    })?;
    request.body = json;
    match (endpoint.dialect(), endpoint.family()) {
        (Dialect::ChatCompletions, _) => chat_completions::read(&mut request)?,
        (Dialect::Responses, _) | (Dialect::CountTokens, Family::OpenAi) => responses::read(&mut request)?,
        (Dialect::Embeddings, _) => embeddings::read(&mut request)?,
        (Dialect::Completions, _) => completions::read(&mut request)?,
        (Dialect::GenerateContent, _) | (Dialect::CountTokens | Dialect::Models, Family::Gemini) => {
            generate_content::read(&mut request)?;
        }
        (Dialect::Messages, _) | (Dialect::CountTokens | Dialect::Models, _) => messages::read(&mut request)?,
    }
    Ok(request)
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod provider_tests;
#[cfg(test)]
mod recordings_tests;
#[cfg(test)]
mod refused_tests;
#[cfg(test)]
mod tests;
