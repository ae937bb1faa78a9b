//! Token counting from static tables: no start-up work, no heap.
//!
//! The counts of [`Encoding`] are those of `tiktoken-rs` for ordinary text, to the token. The vocabularies are read by
//! the build script and end up as tables in the binary (1.5 MB for `o200k_base`, 1.0 MB for `cl100k_base`, of which they
//! share 0.4 MB): a WebAssembly module that counts needs hardly any other memory, and nothing is done when it
//! starts.
//!
//! Special tokens such as `<|endoftext|>` are ordinary text here, as they are in a user's message.

mod buckets;
mod classes;
mod counter;
mod estimate;
mod hash;
mod memo;
mod merge;
mod model;
mod spellings;
mod splitter;
mod tables;
mod work;

use std::ops::Range;

pub use counter::{Count, Counter};
pub use estimate::estimate_for;
use memo::Memo;
use splitter::{Cl100k, Expression, Glance, O200k};
use tables::{CL100K, O200K, Tables};
use work::Work;

thread_local! {
    static O200K_MEMO: Memo = const { Memo::new() };
    static CL100K_MEMO: Memo = const { Memo::new() };
}

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

    /// The bytes of its static tables and of what it remembers of pieces: the memory that counting takes, but for
    /// long pieces while they are merged.
    #[must_use]
    pub const fn memory_bytes(self) -> usize {
        let tables = match self {
            Self::O200k => O200K.bytes(),
            Self::Cl100k => CL100K.bytes(),
        };
        tables + size_of::<Memo>()
    }

    /// The number of tokens of `text`.
    #[must_use]
    pub fn count(self, text: &str) -> u64 {
        self.count_within(text, &mut Work::endless()).0
    }

    /// The number of tokens of as much of `text` as the work lasts for, and how many bytes that is.
    fn count_within(self, text: &str, work: &mut Work) -> (u64, usize) {
        let bytes = text.as_bytes();
        match self {
            Self::O200k => O200K_MEMO.with(|memo| count::<O200k>(&O200K, memo, bytes, work)),
            Self::Cl100k => CL100K_MEMO.with(|memo| count::<Cl100k>(&CL100K, memo, bytes, work)),
        }
    }
}

#[inline(never)]
fn count<E: Expression>(tables: &Tables, memo: &Memo, text: &[u8], work: &mut Work) -> (u64, usize) {
    let (mut rest, mut tokens, mut left) = (text, 0, *work);
    let mut end = None;
    while let Some(next) = Glance::on_the_way(rest, &mut end)
        && !left.is_spent()
    {
        let mut len = next.piece::<E>();
        if len == 0 {
            len = piece_len::<E>(text, rest);
        }
        left.look_up(len);
        tokens += match memo.recall(next, len) {
            Some(tokens) => tokens,
            None => {
                // A copy, so that what is left need not be in memory for the other pieces.
                let mut merging = left;
                let at = text.len() - rest.len();
                let (counted, bytes) = piece(tables, memo, text, at..at + len, &mut merging);
                if (2..=memo::LONGER_MAX).contains(&len) {
                    memo.remember(next, len, counted);
                }
                left = merging;
                if bytes < len {
                    tokens += counted;
                    rest = rest.get(bytes..).unwrap_or_default();
                    break;
                }
                counted
            }
        };
        let Some(more) = rest.get(len..) else { break };
        rest = more;
    }
    *work = left;
    (tokens, text.len() - rest.len())
}

// What few pieces need is not inlined into `count`: a loop that is small keeps all it knows in registers.

/// The length of the first piece of `rest`, which is the end of `text`.
#[inline(never)]
fn piece_len<E: Expression>(text: &[u8], rest: &[u8]) -> usize {
    let at = text.len() - rest.len();
    E::piece_end(text, at) - at
}

/// The tokens of a piece that is not among the short ones remembered, or of as much of a long one as the work lasts for,
/// and how many bytes that is.
#[inline(never)]
fn piece(tables: &Tables, memo: &Memo, text: &[u8], piece: Range<usize>, work: &mut Work) -> (u64, usize) {
    let len = piece.len();
    if tables.has(text, piece.start, piece.end) {
        return (1, len);
    }
    if (memo::LONGER_MAX + 1..=memo::LONGEST_MAX).contains(&len) {
        let bytes = text.get(piece.clone()).unwrap_or_default();
        let tokens = memo.longest(bytes, || merge::count(tables, memo, text, piece, work).0);
        return (tokens, len);
    }
    merge::count(tables, memo, text, piece, work)
}

#[cfg(test)]
mod tests {
    use super::Encoding;

    #[test]
    fn an_encoding_takes_less_than_five_megabytes() {
        for encoding in [Encoding::O200k, Encoding::Cl100k] {
            assert!(
                (1_000_000..5_000_000).contains(&encoding.memory_bytes()),
                "{encoding:?}"
            );
        }
    }
}
