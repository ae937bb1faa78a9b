//! The mock's token count: what it reports is what it counts, so that "honest usage" can be checked.

/// Tokens of a text: about four bytes each, at least one a non-empty text.
pub(crate) fn count(_model: &str, text: &str) -> u64 {
    u64::try_from(text.len().div_ceil(4)).unwrap_or(u64::MAX)
}

/// Tokens of a prompt: OpenAI's recipe of three a message, and three for the answer's head
/// (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>).
pub(crate) fn count_prompt(model: &str, texts: &[String]) -> u64 {
    texts.iter().map(|text| count(model, text) + 3).sum::<u64>() + 3
}
