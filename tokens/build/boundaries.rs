//! Where no token can reach across, between characters of three bytes: what the merges need not look at.
//!
//! Most neighbours in a text without spaces (Chinese, Japanese, Thai) never stand side by side in any token, so that
//! nothing is ever merged across them. Two filters say which do. They may say too much, never too little.

use std::{collections::HashSet, error::Error};

use crate::{
    hash::{fragment_bit, joined_bit},
    vocabulary::Vocabulary,
};

/// Bits for each two whole characters that stand side by side, at least.
const JOINED_BITS: usize = 16;

/// Bits of the filter of parts of characters: one for each that there can be.
const FRAGMENT_BITS: usize = 1 << 16;

/// One bit for each answer.
pub(crate) type Filter = Vec<u8>;

/// What a token has of the character before a boundary.
enum Before {
    /// All three bytes.
    Whole([u8; 3]),
    /// The last byte, and not the first.
    Part(u8),
    /// It is no character of three bytes.
    Other,
}

/// The two filters: of whole characters, and of those that a token has only a part of.
///
/// # Errors
///
/// When a filter is too small for its hash.
pub(crate) fn filters(vocabulary: &Vocabulary) -> Result<(Filter, Filter), Box<dyn Error>> {
    let mut wholes = HashSet::new();
    let mut fragments = vec![0; FRAGMENT_BITS / 8];
    for token in &vocabulary.tokens {
        for middle in 1..token.bytes.len() {
            let (left, right) = token.bytes.split_at_checked(middle).ok_or("no such byte")?;
            let Some(&first) = right.first().filter(|first| (0xe0..0xf0).contains(*first)) else {
                continue;
            };
            let last = match (before(left), right.first_chunk::<3>()) {
                (Before::Whole(whole), Some(&after)) => {
                    wholes.insert((whole, after));
                    continue;
                }
                (Before::Whole([_, _, last]) | Before::Part(last), _) => last,
                (Before::Other, _) => continue,
            };
            // What is cut off can be anything.
            let seconds = right.get(1).map_or(0x80..=0xbf, |&second| second..=second);
            for second in seconds {
                set(&mut fragments, fragment_bit(last, first, second))?;
            }
        }
    }
    let mut joined = vec![0; (wholes.len() * JOINED_BITS / 8).next_power_of_two()];
    for (before, after) in wholes {
        let bit = joined_bit(before, after, joined.len());
        set(&mut joined, bit)?;
    }
    Ok((joined, fragments))
}

fn before(left: &[u8]) -> Before {
    let rest = left.iter().rev().take_while(|byte| **byte & 0xc0 == 0x80).count();
    match (left, left.last_chunk::<3>()) {
        (&[.., last], _) if rest == left.len() => Before::Part(last),
        (_, Some(&whole)) if rest == 2 && (0xe0..0xf0).contains(&whole[0]) => Before::Whole(whole),
        _ => Before::Other,
    }
}

fn set(filter: &mut [u8], bit: usize) -> Result<(), Box<dyn Error>> {
    *filter.get_mut(bit / 8).ok_or("no such bit")? |= 1 << (bit % 8);
    Ok(())
}
