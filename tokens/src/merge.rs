//! How many tokens the byte-pair merges make of a piece that is no token itself.
//!
//! The rule: of all neighbours that can be merged, those with the lowest rank are, the leftmost first, until none can
//! be. What two tokens are merged to is looked up by the two tokens, never by their bytes.

mod flat;
mod long;
mod window;

use std::ops::Range;

use self::flat::FLAT;
use self::window::{BLOCK, WINDOW};
use crate::memo::{LONGER_MAX, LONGEST_MAX, Memo};
use crate::splitter::Glance;
use crate::tables::{Tables, Token};
use crate::work::Work;

/// Pieces up to this length need only a few blocks.
const MEDIUM: usize = 64;

/// Bits of a position in a [`Key`].
const POSITION_BITS: u32 = 12;

/// A pair of neighbours that can be merged: what comes of it, then where it is, so that the smallest key is merged
/// next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u32);

/// The number of tokens of a piece of `text`, which is no token that the tables know by its bytes, or of as much of it as
/// the work lasts for, and how many bytes that is.
pub(crate) fn count(
    tables: &Tables,
    memo: &Memo,
    text: &[u8],
    piece: Range<usize>,
    work: &mut Work,
) -> (u64, usize) {
    let bytes = text.get(piece.clone()).unwrap_or_default();
    let has_wide = bytes.iter().any(|&byte| (0xe0..0xf0).contains(&byte));
    if has_wide && bytes.len() > 3 {
        segments(tables, memo, text, piece, work)
    } else {
        merged(tables, bytes, work)
    }
}

/// Cuts the piece where no token reaches across, and counts each part for itself.
fn segments(tables: &Tables, memo: &Memo, text: &[u8], piece: Range<usize>, work: &mut Work) -> (u64, usize) {
    let text = text.get(..piece.end).unwrap_or_default();
    let (mut start, mut at, mut tokens) = (piece.start, piece.start, 0);
    let mut before: Option<[u8; 3]> = None;
    while at < text.len() {
        let wide = text
            .get(at..)
            .and_then(|rest| rest.first_chunk::<3>().copied())
            .filter(|[first, ..]| (0xe0..0xf0).contains(first));
        if let Some((before, after)) = before.zip(wide)
            && tables.are_apart(before, after)
        {
            let (counted, bytes) = segment(tables, memo, text, start..at, work);
            tokens += counted;
            // A piece that is remembered is counted to its end.
            if start + bytes < at || work.is_spent() && piece.len() > LONGEST_MAX {
                return (tokens, start + bytes - piece.start);
            }
            start = at;
        }
        before = wide;
        at += if wide.is_some() { 3 } else { 1 };
    }
    let (counted, bytes) = segment(tables, memo, text, start..text.len(), work);
    (tokens + counted, start + bytes - piece.start)
}

fn segment(tables: &Tables, memo: &Memo, text: &[u8], part: Range<usize>, work: &mut Work) -> (u64, usize) {
    let len = part.len();
    work.look_up(len);
    let rest = text.get(part.start..).unwrap_or_default();
    let next = Glance::of(rest).filter(|_| (2..=LONGER_MAX).contains(&len));
    if let Some(tokens) = next.and_then(|next| memo.recall(next, len)) {
        return (tokens, len);
    }
    let counted = if tables.has(text, part.start, part.end) {
        (1, len)
    } else {
        merged(tables, text.get(part).unwrap_or_default(), work)
    };
    if let Some(next) = next {
        memo.remember(next, len, counted.0);
    }
    counted
}

/// As [`count`], of bytes that are not looked at as characters.
fn merged(tables: &Tables, bytes: &[u8], work: &mut Work) -> (u64, usize) {
    if bytes.len() > WINDOW {
        return long::count(tables, bytes, work);
    }
    let tokens = match *bytes {
        [] => 0,
        [_] => 1,
        [_, _] => 2,
        // Two of the three can be merged, or none; all three would be a token that is known.
        [first, second, third] => {
            let can_merge = tables.byte_pair(first, second) != Token::NONE
                || tables.byte_pair(second, third) != Token::NONE;
            3 - u64::from(can_merge)
        }
        _ => {
            work.merge(bytes.len());
            if bytes.len() <= FLAT / 2 {
                flat::count::<{ FLAT / 2 }>(tables, bytes)
            } else if bytes.len() <= FLAT {
                flat::count::<FLAT>(tables, bytes)
            } else if bytes.len() <= MEDIUM {
                window::merge::<{ MEDIUM / BLOCK }>(tables, bytes).count()
            } else {
                window::merge::<{ WINDOW / BLOCK }>(tables, bytes).count()
            }
        }
    };
    (tokens, bytes.len())
}

// === impl Key ===

impl Key {
    /// Nothing to merge. It comes after all others.
    const NONE: Self = Self(Token::NONE.bits() << POSITION_BITS);

    /// `position` has [`POSITION_BITS`].
    #[inline]
    fn new(token: Token, position: usize) -> Self {
        Self(token.bits() << POSITION_BITS | position as u32)
    }

    /// What the pair is merged to.
    #[inline]
    fn token(self) -> Token {
        Token::from_bits(self.0 >> POSITION_BITS)
    }

    /// Where the left one of the pair begins.
    #[inline]
    fn position(self) -> usize {
        (self.0 & ((1 << POSITION_BITS) - 1)) as usize
    }

    #[inline]
    fn least(keys: &[Self]) -> Self {
        Self(keys.iter().fold(u32::MAX, |least, key| least.min(key.0)))
    }
}
