//! Texts that are made to be hard: for the splitter, for the merges, for their buffers.

use crate::random::Random;
use crate::{CL100K, O200K, agrees};

/// Lengths of a run in characters: around powers of two and around the longest tokens.
fn run_lengths() -> impl Iterator<Item = usize> {
    let around = [127, 255, 511, 1023, 2047, 4095]
        .into_iter()
        .flat_map(|length| length..length + 3);
    (1..100).chain(around)
}

#[test]
fn runs_of_a_character_count_as_the_oracle_counts_them() {
    for unit in [
        "a", "A", "z", " ", "\n", "\t", "\r", "\r\n", "=", "-", "*", "_", "#", ".", "/", "0", "'", "\"",
        "\\", "é", "ж", "中", "的", "ー", "한", "\u{301}", "\u{3000}", "😀", "\u{200d}", "─", "█",
    ] {
        for length in run_lengths() {
            agrees(&unit.repeat(length));
        }
    }
}

#[test]
fn short_patterns_repeated_count_as_the_oracle_counts_them() {
    for unit in [
        "ab", "ba", "abc", "aab", "abab ", "xy", "qz", "the", "haha", "lol", "AB", "aB", "Ab", "=-", "-=-",
        " a", "a ", "a\n", "  \n", "\n ", " \r\n", "中文", "的一", "ab中", "0a", "00", "''", "'s", "'ll",
        "s's", "{}", "[[", "();", "//", "\\x", "😀a",
    ] {
        for repeats in run_lengths() {
            agrees(&unit.repeat(repeats));
        }
    }
}

#[test]
fn long_pieces_of_random_letters_count_as_the_oracle_counts_them() {
    let mut random = Random::new(3);
    for _ in 0..200 {
        let letters = random.pick(&[2, 3, 4, 8, 26]);
        let length = random.below(6_000);
        let text: String = (0..length)
            .map(|_| char::from(b'a' + random.below(letters) as u8))
            .collect();
        agrees(&text);
    }
}

#[test]
fn long_pieces_without_a_space_count_as_the_oracle_counts_them() {
    let mut random = Random::new(4);
    for (first, count) in [
        (0x4e00, 0x51a5), // Han
        (0x4e00, 0x100),
        (0x3041, 0x56),   // Hiragana
        (0xac00, 0x2ba4), // Hangul
        (0xe01, 0x3a),    // Thai, with marks
        (0x430, 0x20),    // Cyrillic
        (0x905, 0x49),    // Devanagari, with marks
        (0x1f600, 0x50),  // emoji
        (0x10000, 0x800),
    ] {
        for _ in 0..30 {
            let length = random.below(2_000);
            let text = (0..length).filter_map(|_| char::from_u32(first + random.below(count) as u32));
            agrees(&text.collect::<String>());
        }
    }
}

/// Ranks of pairs that fall from left to right: each merge waits for the one after it, so that what stands at the end
/// of such a text decides how its beginning is merged.
#[test]
fn chains_of_falling_ranks_count_as_the_oracle_counts_them() {
    let mut random = Random::new(5);
    for oracle in [&*O200K, &*CL100K] {
        let rank = |left: u8, right: u8| {
            let pair = String::from_utf8(vec![left, right]).unwrap();
            match oracle.encode_ordinary(&pair).as_slice() {
                [rank] => Some(*rank),
                _ => None,
            }
        };
        for _ in 0..40 {
            let mut chain = vec![b'a' + random.below(26) as u8];
            let mut above = u32::MAX;
            loop {
                let last = chain[chain.len() - 1];
                // The highest of a few ranks that are lower than the one before: the chain gets long.
                let next = (b'a'..=b'z')
                    .filter_map(|letter| Some((rank(last, letter)?, letter)))
                    .filter(|(rank, _)| *rank < above && random.below(8) > 0)
                    .max();
                let Some((rank, letter)) = next else { break };
                above = rank;
                chain.push(letter);
            }
            let text = String::from_utf8(chain).unwrap();
            agrees(&text);
            agrees(&text.repeat(40));
            for end in 1..text.len() {
                agrees(&format!(
                    "{}{}",
                    text.repeat(20),
                    text.get(..end).unwrap_or_default()
                ));
            }
        }
    }
}

#[test]
fn every_token_counts_as_the_oracle_counts_it() {
    for oracle in [&*O200K, &*CL100K] {
        for rank in 0..199_998 {
            let bytes = oracle.decode_bytes(&[rank]).unwrap_or_default();
            if let Ok(token) = str::from_utf8(&bytes) {
                agrees(token);
                // Cut short, it is seldom a token.
                agrees(token.get(token.ceil_char_boundary(1)..).unwrap_or_default());
            }
        }
    }
}

#[test]
fn texts_of_every_length_up_to_a_few_words_of_memory_agree() {
    let text = "Zażółć gęślą jaźń: 中文字符 und 'Straßen', 12345 😀👩‍👩‍👧 ...\r\n\t end's  ";
    for start in 0..text.len() {
        for end in start..text.len() {
            agrees(text.get(start..end).unwrap_or_default());
        }
    }
}
