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

/// Bytes of a window that the next one shares: more are tried where fewer do not do.
const OVERLAPS: [usize; 3] = [64, 192, 384];

/// The number of tokens of some bytes.
pub(super) fn count(tables: &Tables, bytes: &[u8]) -> u64 {
    by_windows(tables, bytes).unwrap_or_else(|| by_heap(tables, bytes))
}

/// Merges windows; `None` where two of them have no token in common.
fn by_windows(tables: &Tables, bytes: &[u8]) -> Option<u64> {
    let mut overlaps = OVERLAPS.iter();
    let mut overlap = *overlaps.next()?;
    let mut starts = merged_at(tables, bytes, 0);
    let (mut offset, mut tokens) = (0, 0);
    // Tokens of the window before this position have been counted.
    let mut from = 0;
    while offset + WINDOW < bytes.len() {
        let begin = starts
            .before(WINDOW - overlap + 1)
            .filter(|&begin| begin > from)?;
        // Of a pattern that repeats itself all windows are the same.
        let next = if window(bytes, offset + begin) == window(bytes, offset) {
            starts.clone()
        } else {
            merged_at(tables, bytes, offset + begin)
        };
        match common(&starts, &next, begin) {
            Some(common) => {
                tokens += starts.count_before(common) - starts.count_before(from);
                (from, offset, starts) = (common - begin, offset + begin, next);
            }
            None => overlap = *overlaps.next()?,
        }
    }
    Some(tokens + starts.count() - starts.count_before(from))
}

fn merged_at(tables: &Tables, bytes: &[u8], offset: usize) -> Starts {
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
