//! Times counts.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tollgate_tokens::Encoding;

use crate::corpora::Corpus;

/// How often each corpus is counted, after the first time.
pub const ROUNDS: usize = 30;

/// Begins each line of the log that holds a [`Logged`].
pub const MARK: &str = "measured: ";

/// The encodings that are measured.
const ENCODINGS: [(&str, Encoding); 2] = [("o200k_base", Encoding::O200k), ("cl100k_base", Encoding::Cl100k)];

/// What the filter logs, as JSON, a line each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Logged {
    /// A corpus is next.
    Begin,
    /// A corpus was counted.
    Figure(Figure),
    /// All were.
    Done(Memory),
}

/// What counting takes of a VM's memory.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    /// The static tables and the memo of each encoding, in bytes.
    pub tables: Vec<(String, usize)>,
    /// By how many bytes the memory grew while everything was counted.
    pub grown: usize,
}

/// What was measured for one encoding and one corpus.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// The encoding.
    pub encoding: String,
    /// The corpus.
    pub corpus: String,
    /// Its texts.
    pub slices: usize,
    /// Bytes of all texts.
    pub bytes: usize,
    /// Tokens of all texts.
    pub tokens: u64,
    /// Megabytes a second when the texts are counted for the first time.
    pub first: f64,
    /// Megabytes a second after that, in the median round.
    pub warm: f64,
    /// Megabytes a second where each text is taken at its best, which a busy machine disturbs least.
    pub best: f64,
}

/// Measures corpora in both encodings, and tells of each when it begins and when it is done.
pub fn all(corpora: &[Corpus], mut each: impl FnMut(Logged)) {
    for (name, encoding) in ENCODINGS {
        for corpus in corpora {
            each(Logged::Begin);
            each(Logged::Figure(measured(name, encoding, corpus)));
        }
    }
}

/// The bytes of each encoding's tables and memo.
#[must_use]
pub fn tables() -> Vec<(String, usize)> {
    ENCODINGS
        .iter()
        .map(|(name, encoding)| ((*name).to_owned(), encoding.memory_bytes()))
        .collect()
}

fn measured(name: &str, encoding: Encoding, corpus: &Corpus) -> Figure {
    let bytes = corpus.slices.iter().map(String::len).sum();
    let mut best = vec![Duration::MAX; corpus.slices.len()];
    let mut rounds = Vec::new();
    let mut tokens = 0;
    for _ in 0..=ROUNDS {
        let mut round = Duration::ZERO;
        tokens = 0;
        for (slice, best_of_slice) in corpus.slices.iter().zip(&mut best) {
            let since = Instant::now();
            tokens += encoding.count(slice);
            let took = since.elapsed();
            round += took;
            *best_of_slice = took.min(*best_of_slice);
        }
        rounds.push(round);
    }
    let first = rounds.first().copied().unwrap_or_default();
    let warm = rounds.get_mut(1..).unwrap_or_default();
    warm.sort_unstable();
    let median = warm.get(warm.len() / 2).copied().unwrap_or_default();
    Figure {
        encoding: name.to_owned(),
        corpus: corpus.name.to_owned(),
        slices: corpus.slices.len(),
        bytes,
        tokens,
        first: rate(bytes, first),
        warm: rate(bytes, median),
        best: rate(bytes, best.into_iter().sum()),
    }
}

/// Megabytes a second.
fn rate(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / took.as_secs_f64().max(1e-9) / 1e6
}
