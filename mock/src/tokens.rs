//! The mock's token count: what it reports is what it counts, so that "honest usage" can be checked.

use tollgate_tokens::Encoding;

/// Tokens of a text, exact for OpenAI's models. Others are counted as if they were GPT-4o: the mock is their
/// tokenizer.
pub(crate) fn count(model: &str, text: &str) -> u64 {
    Encoding::for_model(model).unwrap_or(Encoding::O200k).count(text)
}

/// Tokens of a prompt: OpenAI's recipe of three a message, and three for the answer's head
/// (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>).
pub(crate) fn count_prompt(model: &str, texts: &[String]) -> u64 {
    texts.iter().map(|text| count(model, text) + 3).sum::<u64>() + 3
}
