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

/// The number of tokens of `piece`, which is no token that the tables know by its bytes, or of as much of it as the work lasts for, and how many bytes
/// that is.
pub(crate) fn count(tables: &Tables, piece: &[u8], work: &mut Work) -> (u64, usize) {
    let has_wide = piece.iter().any(|&byte| (0xe0..0xf0).contains(&byte));
    if has_wide && piece.len() > 3 {
        segments(tables, piece, work)
    } else {
        merged(tables, piece, work)
    }
}

/// Cuts the piece where no token reaches across, and counts each part for itself.
fn segments(tables: &Tables, piece: &[u8], work: &mut Work) -> (u64, usize) {
    let (mut start, mut at, mut tokens) = (0, 0, 0);
    let mut before: Option<[u8; 3]> = None;
    while at < piece.len() {
        let wide = piece
            .get(at..)
            .and_then(|rest| rest.first_chunk::<3>().copied())
            .filter(|[first, ..]| (0xe0..0xf0).contains(first));
        if let Some((before, after)) = before.zip(wide)
            && tables.are_apart(before, after)
        {
            let (counted, bytes) = segment(tables, piece, start..at, work);
            tokens += counted;
            if start + bytes < at || work.is_spent() {
                return (tokens, start + bytes);
            }
            start = at;
        }
        before = wide;
        at += if wide.is_some() { 3 } else { 1 };
    }
    let (counted, bytes) = segment(tables, piece, start..piece.len(), work);
    (tokens + counted, start + bytes)
}

fn segment(tables: &Tables, piece: &[u8], part: Range<usize>, work: &mut Work) -> (u64, usize) {
    work.look_up(part.len());
    if tables.has(piece, part.start, part.end) {
        (1, part.len())
    } else {
        merged(tables, piece.get(part).unwrap_or_default(), work)
    }
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
            if bytes.len() <= FLAT {
                flat::count(tables, bytes)
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
