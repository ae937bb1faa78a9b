//! A mock LLM provider: honest usage, hostile on request.
//!
//! It answers OpenAI chat completions, Responses, embeddings, legacy completions and models, Anthropic
//! messages and `count_tokens`, Gemini `generateContent`, `streamGenerateContent` and `countTokens`, under any
//! path prefix, as JSON and as SSE, in the shapes that the official SDKs read. `fault.rs` tells how to make it
//! misbehave, `script.rs` how to make it answer byte for byte, `answer.rs` what a prompt can ask of it.
//!
//! What it saw is at `GET /__mock/requests` (method, path, headers, body, connection) and
//! `GET /__mock/served` (totals); `POST /__mock/reset` forgets both and all scripts.

mod answer;
mod connection;
mod dialect;
mod fault;
mod plan;
mod record;
mod script;
mod send;
mod server;
mod tokens;

pub use fault::FAULT_HEADER;
pub use script::SCRIPT_HEADER;
pub use server::{bind, serve};
