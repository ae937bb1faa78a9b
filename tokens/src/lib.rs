//! Token counting from static tables: no start-up work, no heap.
//!
//! The counts of [`Encoding`] are those of `tiktoken-rs` for ordinary text, to the token. The vocabularies are read by
//! the build script and end up as tables in the binary (4.5 MB for `o200k_base`, 2.4 MB for `cl100k_base`): a
//! WebAssembly module that counts needs no other memory, and nothing is done when it starts.
//!
//! Special tokens such as `<|endoftext|>` are ordinary text here, as they are in a user's message.

mod classes;
mod counter;
mod estimate;
mod hash;
mod merge;
mod model;
mod splitter;
mod tables;
mod work;

pub use counter::{Count, Counter};
pub use estimate::estimate_for;
use tables::{CL100K, O200K, Tables};
use work::Work;

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
        self.count_within(text, &mut Work::endless()).0
    }

    /// The number of tokens of as much of `text` as the work lasts for, and how many bytes that is.
    fn count_within(self, text: &str, work: &mut Work) -> (u64, usize) {
        match self {
            Self::O200k => count(&O200K, splitter::o200k::piece_end, text.as_bytes(), work),
            Self::Cl100k => count(&CL100K, splitter::cl100k::piece_end, text.as_bytes(), work),
        }
    }
}

#[inline]
fn count(
    tables: &Tables,
    piece_end: impl Fn(&[u8], usize) -> usize,
    text: &[u8],
    work: &mut Work,
) -> (u64, usize) {
    let (mut at, mut tokens) = (0, 0);
    while at < text.len() && !work.is_spent() {
        let end = piece_end(text, at);
        work.look_up(end - at);
        if tables.has(text, at, end) {
            tokens += 1;
            at = end;
            continue;
        }
        let (counted, bytes) = merge::count(tables, text.get(at..end).unwrap_or_default(), work);
        tokens += counted;
        at += bytes;
        if at < end {
            break;
        }
    }
    (tokens, at)
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
