//! Token counting from static tables: no start-up work, no heap.
//!
//! The counts of [`Encoding`] are those of `tiktoken-rs` for ordinary text, to the token. The vocabularies are read by
//! the build script and end up as tables in the binary (4.5 MB for `o200k_base`, 2.4 MB for `cl100k_base`): a
//! WebAssembly module that counts needs no other memory, and nothing is done when it starts.
//!
//! Special tokens such as `<|endoftext|>` are ordinary text here, as they are in a user's message.

mod bounded;
mod classes;
mod estimate;
mod hash;
mod merge;
mod model;
mod splitter;
mod tables;

pub use bounded::Count;
pub use estimate::estimate_for;
use tables::{CL100K, O200K, Tables};

/// An encoding of OpenAI's models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `o200k_base`: GPT-4o and later, the reasoning models, gpt-oss.
    O200k,
    /// `cl100k_base`: GPT-4, GPT-3.5 and the embedding models.
    Cl100k,
}

// === impl Encoding ===

impl Encoding {
    /// The encoding of a model, if it is known and one of these: by the table of `tiktoken-rs`, with or without a
    /// provider before the name (`openai/gpt-4o`), fine-tuned or not (`ft:gpt-4o:…`).
    #[must_use]
    pub fn for_model(model: &str) -> Option<Self> {
        model::encoding(model)
    }

    /// The bytes of its static tables: the memory that counting takes, which is all there is.
    #[must_use]
    pub const fn table_bytes(self) -> usize {
        match self {
            Self::O200k => O200K.bytes(),
            Self::Cl100k => CL100K.bytes(),
        }
    }

    /// The number of tokens of `text`.
    #[must_use]
    pub fn count(self, text: &str) -> u64 {
        match self {
            Self::O200k => count(&O200K, splitter::o200k::piece_end, text.as_bytes()),
            Self::Cl100k => count(&CL100K, splitter::cl100k::piece_end, text.as_bytes()),
        }
    }

    /// The number of tokens of `text`, reading about `budget_bytes` of it at most.
    ///
    /// A longer text is sampled in evenly spaced windows, and the number is extrapolated and marked as not exact.
    #[must_use]
    pub fn count_bounded(self, text: &str, budget_bytes: usize) -> Count {
        bounded::count(text, budget_bytes, |part| self.count(part))
    }
}

/// The tokens of `text` for `model`, reading about `budget_bytes` of it at most: exact if the model's encoding is
/// known and the text fits the budget, else an estimate.
#[must_use]
pub fn count_for(model: &str, text: &str, budget_bytes: usize) -> Count {
    match Encoding::for_model(model) {
        Some(encoding) => encoding.count_bounded(text, budget_bytes),
        None => {
            let counted = Encoding::O200k.count_bounded(text, budget_bytes);
            Count {
                tokens: estimate::scaled(model, counted.tokens),
                exact: false,
            }
        }
    }
}

#[inline]
fn count(tables: &Tables, piece_end: impl Fn(&[u8], usize) -> usize, text: &[u8]) -> u64 {
    let (mut at, mut tokens) = (0, 0);
    while at < text.len() {
        let end = piece_end(text, at);
        tokens += if tables.has(text, at, end) {
            1
        } else {
            merge::count(tables, text.get(at..end).unwrap_or_default())
        };
        at = end;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::Encoding;

    #[test]
    fn the_tables_of_an_encoding_take_less_than_five_megabytes() {
        for encoding in [Encoding::O200k, Encoding::Cl100k] {
            assert!(
                (1_000_000..5_000_000).contains(&encoding.table_bytes()),
                "{encoding:?}"
            );
        }
    }
}
