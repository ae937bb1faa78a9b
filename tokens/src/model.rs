//! Which encoding a model uses, as `tiktoken-rs` knows it.

use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use crate::Encoding;

/// The encoding of `model`, under its own name or behind the names of those who route to it.
pub(crate) fn encoding(model: &str) -> Option<Encoding> {
    names(model)
        .find_map(get_tokenizer)
        .and_then(|tokenizer| match tokenizer {
            // The two differ in special tokens only, which text does not contain.
            Tokenizer::O200kBase | Tokenizer::O200kHarmony => Some(Encoding::O200k),
            Tokenizer::Cl100kBase => Some(Encoding::Cl100k),
            Tokenizer::P50kBase | Tokenizer::R50kBase | Tokenizer::P50kEdit | Tokenizer::Gpt2 => None,
        })
}

/// A model's name and what is left of it after each `provider/` (routers such as OpenRouter) or an `openai.` (Amazon
/// Bedrock) before it.
pub(crate) fn names(model: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(model), |name| match name.split_once('/') {
        Some((_, rest)) => Some(rest),
        None => name.strip_prefix("openai."),
    })
}
