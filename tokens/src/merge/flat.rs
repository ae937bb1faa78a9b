//! Merging up to sixteen bytes: all pairs are looked at for each merge, a few vectors full.

use super::Key;
use crate::tables::{Tables, Token};

/// The most bytes.
pub(super) const FLAT: usize = 16;

/// The number of tokens of some bytes, at most `MOST` and [`FLAT`].
pub(super) fn count<const MOST: usize>(tables: &Tables, bytes: &[u8]) -> u64 {
    let mut keys = [Key::NONE; MOST];
    let mut tokens = [Token::NONE; MOST];
    let mut before = None;
    for ((at, &byte), token) in bytes.iter().enumerate().zip(&mut tokens) {
        if let Some((left, key)) = before.zip(keys.get_mut(at.wrapping_sub(1))) {
            *key = Key::new(tables.byte_pair(left, byte), at - 1);
        }
        *token = tables.byte(byte);
        before = Some(byte);
    }
    // A bit for each position where a token begins, and one for the end.
    let end = bytes.len().min(MOST);
    let mut starts = u32::MAX >> (31 - end);
    loop {
        let least = Key::least(&keys);
        let (merged, at) = (least.token(), least.position());
        if merged == Token::NONE {
            return u64::from(starts.count_ones()) - 1;
        }
        let after = starts & (u32::MAX << 1 << at);
        let gone = after.trailing_zeros() as usize;
        starts &= !(1 << gone);
        let next = (after & after.wrapping_sub(1)).trailing_zeros() as usize;
        set(&mut keys, gone, Key::NONE);
        set(&mut tokens, at, merged);
        let right = if next < end {
            get(&tokens, next)
        } else {
            Token::NONE
        };
        set(&mut keys, at, Key::new(tables.pair(merged, right), at));
        let earlier = starts & ((1 << at) - 1);
        if earlier != 0 {
            let position = 31 - earlier.leading_zeros() as usize;
            let pair = tables.pair(get(&tokens, position), merged);
            set(&mut keys, position, Key::new(pair, position));
        }
    }
}

#[inline]
fn get<const MOST: usize>(tokens: &[Token; MOST], at: usize) -> Token {
    tokens.get(at % MOST).copied().unwrap_or(Token::NONE)
}

#[inline]
fn set<T, const MOST: usize>(places: &mut [T; MOST], at: usize, value: T) {
    if let Some(place) = places.get_mut(at % MOST) {
        *place = value;
    }
}
