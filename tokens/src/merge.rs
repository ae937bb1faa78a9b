//! How many tokens the byte-pair merges make of a piece that is no token itself.
//!
//! Merging by rank takes quadratic time, or a heap. Instead the encoding is guessed from left to right, the longest
//! token first, and each guess is checked: a sequence of tokens is *the* encoding of a text exactly if each two
//! neighbours are the encoding of their own bytes. (Merges below a rank do not depend on what is further away than
//! the neighbours.) A guess that fails is shortened; a position from which no guess succeeds is dead, is never
//! tried again, and the token before it is shortened. Each position is entered at most once, with at most 128
//! lengths to try, so that the time is linear in the length of the piece, whatever its bytes.

use crate::tables::{Match, Tables};

/// Pieces up to this length need no heap.
const STACK: usize = 512;

/// A position from which the piece cannot be finished.
const DEAD: u8 = u8::MAX;

/// The number of tokens of `piece`.
pub(crate) fn count(tables: &Tables, piece: &[u8]) -> u64 {
    match piece.len() {
        0 | 1 => piece.len() as u64,
        2 => 2,
        len if len < 64 => encode(tables, piece, &mut [0; 64]),
        len if len < STACK => encode(tables, piece, &mut [0; STACK]),
        len => encode(tables, piece, &mut vec![0; len + 1]),
    }
}

/// Finds the encoding. `marks` has for each position the length of the token that ends there.
fn encode(tables: &Tables, piece: &[u8], marks: &mut [u8]) -> u64 {
    let mut tokens = 0;
    let mut at = 0;
    let mut last: Option<Match> = None;
    let mut guess = tables.longest(piece, 0, piece.len() - 1);
    loop {
        if let Some(next) = guess {
            let end = at + next.len;
            let mark = marks.get(end).copied().unwrap_or(DEAD);
            if mark != DEAD && last.is_none_or(|before| are_neighbours(tables, piece, at, before, next)) {
                if let Some(place) = marks.get_mut(end) {
                    *place = next.len as u8;
                }
                tokens += 1;
                at = end;
                last = guess;
                if at == piece.len() {
                    return tokens;
                }
                guess = tables.longest(piece, at, piece.len() - at);
            } else {
                guess = tables.longest(piece, at, next.len - 1);
            }
            continue;
        }
        let Some(before) = last else {
            debug_assert!(false, "every piece has an encoding");
            return piece.len() as u64;
        };
        if let Some(place) = marks.get_mut(at) {
            *place = DEAD;
        }
        tokens -= 1;
        at -= before.len;
        let len = marks.get(at).copied().map_or(0, usize::from);
        last = tables
            .find(piece, at.saturating_sub(len), at)
            .map(|id| Match { id, len });
        guess = tables.longest(piece, at, before.len - 1);
    }
}

/// Whether two tokens that meet at `at` stay apart when the bytes of both are merged.
///
/// Goes back in time from the finished tokens: the one that was merged last is taken apart, and while two parts meet
/// at `at`, their own merge must not have come before the one that took the younger of them away.
fn are_neighbours(tables: &Tables, piece: &[u8], at: usize, before: Match, after: Match) -> bool {
    let (mut left, mut right) = (tables.record(before.id), tables.record(after.id));
    let (mut start, mut end) = (at - before.len, at + after.len);
    let mut limit = u32::MAX;
    loop {
        if let Some(merged) = tables.find(piece, start, end)
            && tables.record(merged).rank() < limit
        {
            return false;
        }
        if left.is_byte() && right.is_byte() {
            return true;
        }
        if left.rank() > right.rank() {
            limit = left.rank();
            start += left.left_len();
            left = tables.record(left.right());
        } else {
            // Of two equal merges the left one comes first.
            limit = right.rank() + 1;
            end = at + right.left_len();
            right = tables.record(right.left());
        }
    }
}
