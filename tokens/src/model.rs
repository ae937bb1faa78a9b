//! Which encoding a model uses, as `tiktoken-rs` knows it.

use std::cell::RefCell;

use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use crate::Encoding;

/// The longest name that is remembered, in bytes.
const MAX_REMEMBERED: usize = 64;

thread_local! {
    /// The model that was asked for last, and its encoding.
    static LAST: RefCell<(String, Option<Encoding>)> = const { RefCell::new((String::new(), None)) };
}

/// The encoding of `model`, under its own name or behind the names of those who route to it. Most requests are to the model
/// of the one before.
pub(crate) fn encoding(model: &str) -> Option<Encoding> {
    LAST.with_borrow_mut(|(last, encoding)| {
        if last == model {
            return *encoding;
        }
        let found = look_up(model);
        if model.len() <= MAX_REMEMBERED {
            model.clone_into(last);
            *encoding = found;
        }
        found
    })
}

fn look_up(model: &str) -> Option<Encoding> {
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

#[cfg(test)]
mod tests {
    use super::{encoding, look_up};

    #[test]
    fn a_model_has_its_own_encoding_whatever_was_asked_for_before() {
        let long = "openai/".repeat(20) + "gpt-4";
        let models = [
            "", "gpt-4o", "gpt-4", "gpt-4o", "unknown", &long, "unknown", "", "gpt-4",
        ];
        for model in models {
            for _ in 0..2 {
                assert_eq!(encoding(model), look_up(model), "{model}");
            }
        }
    }
}
