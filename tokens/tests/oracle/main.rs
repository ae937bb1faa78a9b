//! Every count equals the count of `tiktoken-rs`.
//!
//! A million random strings, from alphabets that are each hard in their own way, the texts of recorded exchanges, and
//! shapes that are made to be hard to split or to merge. `TOLLGATE_TOKENS_STRINGS` sets another number of strings for
//! each alphabet, `TOLLGATE_TOKENS_SEED` other strings.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is a test"
)]

mod alphabets;
mod random;
mod recordings;
mod shapes;

use std::sync::LazyLock;

use tiktoken_rs::CoreBPE;
use tollgate_tokens::Encoding;

static O200K: LazyLock<CoreBPE> = LazyLock::new(|| tiktoken_rs::o200k_base().unwrap());
static CL100K: LazyLock<CoreBPE> = LazyLock::new(|| tiktoken_rs::cl100k_base().unwrap());

/// Holds both encodings' counts of a text against the oracle's.
#[track_caller]
fn agrees(text: &str) {
    for (name, encoding, oracle) in [
        ("o200k", Encoding::O200k, &*O200K),
        ("cl100k", Encoding::Cl100k, &*CL100K),
    ] {
        let expected = oracle.encode_ordinary(text).len() as u64;
        assert_eq!(encoding.count(text), expected, "{name} {text:?}");
    }
}
