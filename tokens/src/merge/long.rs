//! Merging pieces of more than a window.
//!
//! Windows that overlap are merged each for itself, the next one from a token of the one before on. Where two windows
//! have a token in common, what the first has up to it and the second from it on is one sequence whose neighbours all
//! stand beside each other in the encoding of some window, and a sequence of tokens is the encoding of its bytes
//! exactly if each two neighbours are that of theirs. (Merges below a rank do not depend on what is further away.)
//!
//! The first token that could be in common nearly always is. A text can be made so that what its end is decides how
//! all of it is merged; then the merges are done one after the other, from a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::window::{self, BLOCK, Starts, WINDOW};
use crate::tables::{Tables, Token};
use crate::work::Work;

/// Bytes of a window that the next one shares: more are tried where fewer do not do.
const OVERLAPS: [usize; 3] = [64, 192, 384];

/// How far windows have come.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    tokens: u64,
    /// The bytes that these tokens are.
    bytes: usize,
    end: End,
}

/// Why windows have come no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All is merged.
    Done,
    /// Two windows have no token in common.
    Apart,
    /// The work is spent.
    Spent,
}

/// The number of tokens of some bytes, or of as many of them as the work lasts for, and how many that is.
pub(super) fn count(tables: &Tables, bytes: &[u8], work: &mut Work) -> (u64, usize) {
    let progress = by_windows(tables, bytes, work);
    if progress.end == End::Apart && work.allows_heap(bytes.len()) {
        work.heap(bytes.len());
        return (by_heap(tables, bytes), bytes.len());
    }
    (progress.tokens, progress.bytes)
}

/// Merges windows.
fn by_windows(tables: &Tables, bytes: &[u8], work: &mut Work) -> Progress {
    let [mut overlap, ref more @ ..] = OVERLAPS;
    let mut more = more.iter();
    let mut starts = merged_at(tables, bytes, 0, work);
    let (mut offset, mut tokens) = (0, 0);
    // Tokens of the window before this position have been counted.
    let mut from = 0;
    let end = loop {
        if offset + WINDOW >= bytes.len() {
            break End::Done;
        }
        if work.is_spent() {
            break End::Spent;
        }
        let Some(begin) = starts.before(WINDOW - overlap + 1).filter(|&begin| begin > from) else {
            break End::Apart;
        };
        // Of a pattern that repeats itself all windows are the same.
        let next = if window(bytes, offset + begin) == window(bytes, offset) {
            work.look_up(WINDOW / 8);
            starts.clone()
        } else {
            merged_at(tables, bytes, offset + begin, work)
        };
        match (common(&starts, &next, begin), more.as_slice()) {
            (Some(common), _) => {
                tokens += starts.count_before(common) - starts.count_before(from);
                (from, offset, starts) = (common - begin, offset + begin, next);
            }
            (None, []) => break End::Apart,
            (None, _) => overlap = more.next().copied().unwrap_or(overlap),
        }
    };
    Progress {
        tokens: tokens + starts.count() - starts.count_before(from),
        bytes: offset + starts.end(),
        end,
    }
}

fn merged_at(tables: &Tables, bytes: &[u8], offset: usize, work: &mut Work) -> Starts {
    work.merge(WINDOW);
    window::merge::<{ WINDOW / BLOCK }>(tables, window(bytes, offset))
}

fn window(bytes: &[u8], offset: usize) -> &[u8] {
    let rest = bytes.get(offset..).unwrap_or_default();
    rest.get(..WINDOW).unwrap_or(rest)
}

/// Where the first token begins that both windows have; the second begins at `begin` of the first.
fn common(first: &Starts, second: &Starts, begin: usize) -> Option<usize> {
    let mut at = begin;
    while at < first.end() {
        let end = first.after(at);
        if second.has(at - begin) && second.after(at - begin) == end - begin {
            return Some(at);
        }
        at = end;
    }
    None
}

/// Merges all in order; each merge takes time that grows with the logarithm of the length.
fn by_heap(tables: &Tables, bytes: &[u8]) -> u64 {
    let mut tokens: Vec<Token> = bytes.iter().map(|&byte| tables.byte(byte)).collect();
    // For each token where the next one and the one before begin; a place that is none at either end.
    let mut next: Vec<usize> = (1..=bytes.len()).collect();
    let mut before: Vec<usize> = (0..bytes.len()).map(|at| at.wrapping_sub(1)).collect();
    let pairs = bytes.windows(2).enumerate().filter_map(|(at, pair)| match *pair {
        [left, right] => Some(Reverse((tables.byte_pair(left, right), at))),
        _ => None,
    });
    let mut heap: BinaryHeap<_> = pairs
        .filter(|Reverse((merged, _))| *merged != Token::NONE)
        .collect();
    let mut count = bytes.len() as u64;
    while let Some(Reverse((merged, at))) = heap.pop() {
        let at_token = |tokens: &[Token], at: usize| tokens.get(at).copied().unwrap_or(Token::NONE);
        let gone = next.get(at).copied().unwrap_or(usize::MAX);
        // What stands there may have changed since this pair was found.
        if tables.pair(at_token(&tokens, at), at_token(&tokens, gone)) != merged {
            continue;
        }
        count -= 1;
        let beyond = next.get(gone).copied().unwrap_or(usize::MAX);
        for (list, place, value) in [(&mut next, at, beyond), (&mut before, beyond, at)] {
            if let Some(entry) = list.get_mut(place) {
                *entry = value;
            }
        }
        for (place, token) in [(at, merged), (gone, Token::NONE)] {
            if let Some(entry) = tokens.get_mut(place) {
                *entry = token;
            }
        }
        let left = before.get(at).copied().unwrap_or(usize::MAX);
        for (start, end) in [(left, at), (at, beyond)] {
            let pair = tables.pair(at_token(&tokens, start), at_token(&tokens, end));
            if pair != Token::NONE {
                heap.push(Reverse((pair, start)));
            }
        }
    }
    count
}

#[cfg(test)]
#[path = "long_tests.rs"]
mod tests;
