//! Estimates for models whose vocabulary is not published, or not built in.

use crate::{Encoding, model};

/// The tokens of a family's tokenizer for each thousand tokens of `o200k_base`.
struct Family {
    /// What the names of its models contain.
    marks: &'static [&'static str],
    per_mille: u64,
}

/// The families that are known; others count as `o200k_base`.
const FAMILIES: &[Family] = &[
    Family {
        marks: &["claude"],
        per_mille: 1150,
    },
    Family {
        marks: &["gemini", "gemma"],
        per_mille: 1020,
    },
    Family {
        marks: &["mistral", "mixtral", "ministral", "magistral", "codestral"],
        per_mille: 1100,
    },
];

/// How many tokens `model` makes of a text that is a thousand tokens long in `o200k_base`.
pub(crate) fn per_mille(model: &str) -> u64 {
    FAMILIES
        .iter()
        .find(|family| family.marks.iter().any(|mark| model.contains(mark)))
        .map_or(1000, |family| family.per_mille)
}

/// The tokens of a text that is `o200k` tokens long in `o200k_base`.
pub(crate) fn scaled(o200k: u64, per_mille: u64) -> u64 {
    (u128::from(o200k) * u128::from(per_mille))
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

/// The tokens of `text` for `model`: exact if its encoding is known, else an estimate.
#[must_use]
pub fn estimate_for(model: &str, text: &str) -> u64 {
    match model::encoding(model) {
        Some(encoding) => encoding.count(text),
        None => scaled(Encoding::O200k.count(text), per_mille(model)),
    }
}
