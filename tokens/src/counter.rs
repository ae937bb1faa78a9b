//! Counting a prompt of many texts without blocking whoever waits for it.

use std::cell::Cell;

use crate::hash::{hash_more, hash_word};
use crate::work::Work;
use crate::{Encoding, estimate, model};

/// A number of tokens, and whether every byte was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Tokens.
    pub tokens: u64,
    /// False if the model's encoding is not known, or the number is extrapolated from a part of the text.
    pub exact: bool,
}

/// Counts the texts of one prompt for one model, to the token as long as the work for it lasts.
///
/// A text that comes when it is used up, or the rest of the one that has used it up, is estimated: from windows that
/// are counted, one for each stretch of it, at places that every byte of the text has a say in, so that they cannot
/// be told in advance; and when the windows are used up too, from what was counted before.
#[derive(Debug)]
pub struct Counter {
    /// How many tokens of the model a thousand tokens of the encoding are; `None` where it is the model's own.
    per_mille: Option<u64>,
    encoding: Encoding,
    work: Cell<Work>,
    /// As `work`, for windows.
    spare: Cell<Work>,
    /// Bytes and tokens that were counted.
    seen: Cell<(usize, u64)>,
}

/// The work for windows is a quarter of that for whole texts.
const SPARE_SHARE: usize = 4;

/// Bytes of a window.
const WINDOW: usize = 256;

/// Bytes of a stretch that has one window, at least.
const STRETCH: usize = 4 * WINDOW;

/// Windows of a text, at most; a power of two.
const MOST_WINDOWS: usize = 64;

/// What a thousand bytes are where none was counted: English has 4.2 bytes a token.
const UNSEEN_PER_MILLE: u64 = 250;

// === impl Counter ===

impl Counter {
    /// For the texts of a prompt to `model`. Of plain text, `exact_bytes` are counted to the token, in about 10 ns
    /// each; text that has to be merged (random characters) takes up to six times as much of them.
    #[must_use]
    pub fn for_model(model: &str, exact_bytes: usize) -> Self {
        let own = model::encoding(model);
        Self {
            per_mille: own.is_none().then(|| estimate::per_mille(model)),
            encoding: own.unwrap_or(Encoding::O200k),
            work: Cell::new(Work::of_plain_text(exact_bytes)),
            spare: Cell::new(Work::of_plain_text(exact_bytes / SPARE_SHARE)),
            seen: Cell::new((0, 0)),
        }
    }

    /// The tokens of the next text.
    pub fn count(&self, text: &str) -> Count {
        let mut work = self.work.get();
        let first = text
            .get(..text.floor_char_boundary(work.longest_text()))
            .unwrap_or_default();
        let (counted, bytes) = self.encoding.count_within(first, &mut work);
        self.work.set(work);
        self.add(bytes, counted);
        let rest = text.get(text.floor_char_boundary(bytes)..).unwrap_or_default();
        let tokens = counted + self.estimate(rest);
        Count {
            tokens: self
                .per_mille
                .map_or(tokens, |per_mille| estimate::scaled(tokens, per_mille)),
            exact: rest.is_empty() && self.per_mille.is_none(),
        }
    }

    fn add(&self, bytes: usize, tokens: u64) {
        let (seen, counted) = self.seen.get();
        self.seen.set((seen + bytes, counted + tokens));
    }

    fn estimate(&self, text: &str) -> u64 {
        if text.is_empty() {
            return 0;
        }
        let mut spare = self.spare.get();
        // A power of two, so that steps of any odd width come to each stretch once.
        let windows = 1 << (text.len() / STRETCH).clamp(1, MOST_WINDOWS).ilog2();
        let (mut bytes, mut tokens) = (0, 0);
        // Nothing is read where there is no work for windows.
        let mut random = if spare.is_spent() {
            0
        } else {
            hash_of(text.as_bytes())
        };
        let stretch = text.len() / windows;
        let free = stretch.saturating_sub(WINDOW) + 1;
        for step in 0..windows {
            if spare.is_spent() {
                break;
            }
            // Not in order: those that there is work for are spread over all of the text.
            let index = step * ((windows * 5 / 8) | 1) % windows;
            random = hash_word(random ^ index as u64);
            let window = window(text, index * stretch + (random >> 32) as usize % free);
            let (counted, of) = self.encoding.count_within(window, &mut spare);
            bytes += of;
            tokens += counted;
        }
        self.spare.set(spare);
        self.add(bytes, tokens);
        if bytes > 0 {
            return extrapolated(tokens, bytes, text.len());
        }
        match self.seen.get() {
            (0, _) => extrapolated(UNSEEN_PER_MILLE, 1000, text.len()),
            (seen, counted) => extrapolated(counted, seen, text.len()),
        }
    }
}

/// About [`WINDOW`] bytes at `start`, cut between words where that is near: a word that is cut has more tokens.
fn window(text: &str, start: usize) -> &str {
    const NEAR: usize = WINDOW / 8;
    let rest = text.get(text.floor_char_boundary(start)..).unwrap_or_default();
    let whole = rest.get(..rest.ceil_char_boundary(WINDOW)).unwrap_or(rest);
    let first = whole.find(char::is_whitespace).filter(|&first| first < NEAR);
    let last = whole
        .rfind(char::is_whitespace)
        .filter(|&last| last > whole.len() - NEAR.min(whole.len()));
    let (from, to) = (first.unwrap_or(0), last.unwrap_or(whole.len()));
    whole
        .get(from..to)
        .filter(|window| !window.is_empty())
        .unwrap_or(whole)
}

fn extrapolated(tokens: u64, of: usize, to: usize) -> u64 {
    let scaled = u128::from(tokens) * to as u128 / of.max(1) as u128;
    scaled.try_into().unwrap_or(u64::MAX)
}

fn hash_of(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(bytes.len() as u64, |hash, word| {
        hash_more(hash, u64::from_le_bytes(*word))
    });
    rest.iter()
        .fold(hash, |hash, &byte| hash_more(hash, u64::from(byte)))
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
