//! Dialects: the wire formats that Tollgate understands, and the paths that name them.

use serde::{Deserialize, Serialize};

/// A wire format of requests and responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI `POST …/chat/completions`.
    ChatCompletions,
    /// OpenAI `POST …/responses`.
    Responses,
    /// OpenAI `POST …/embeddings`.
    Embeddings,
    /// OpenAI's legacy `POST …/completions`.
    Completions,
    /// Anthropic `POST …/messages`.
    Messages,
    /// Gemini `POST …:generateContent` and `…:streamGenerateContent`.
    GenerateContent,
    /// `GET …/models` and `…/models/{id}`: authenticated, unpriced.
    Models,
    /// `POST …/messages/count_tokens` and `…:countTokens`: authenticated, unpriced.
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
