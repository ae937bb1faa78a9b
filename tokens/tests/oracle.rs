//! Every count equals the oracle's.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this file is a test"
)]

use std::sync::LazyLock;

use tiktoken_rs::CoreBPE;
use tollgate_tokens::Encoding;

static O200K: LazyLock<CoreBPE> = LazyLock::new(|| tiktoken_rs::o200k_base().unwrap());
static CL100K: LazyLock<CoreBPE> = LazyLock::new(|| tiktoken_rs::cl100k_base().unwrap());

/// Strings tried of each seed; `TOLLGATE_TOKENS_STRINGS` sets another number.
fn strings() -> u64 {
    std::env::var("TOLLGATE_TOKENS_STRINGS").map_or(20_000, |value| value.parse().unwrap())
}

#[track_caller]
fn agrees(text: &str) {
    assert_eq!(
        Encoding::O200k.count(text),
        O200K.encode_ordinary(text).len() as u64,
        "o200k {text:?}"
    );
    assert_eq!(
        Encoding::Cl100k.count(text),
        CL100K.encode_ordinary(text).len() as u64,
        "cl100k {text:?}"
    );
}

/// A small generator of numbers, so that a failure is found again by its seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const PARTS: &[&str] = &[
    " ",
    "  ",
    "   ",
    "\n",
    "\r\n",
    "\n\n",
    "\t",
    "\u{a0}",
    "\u{2028}",
    "\u{3000}",
    "\u{85}",
    "\u{feff}",
    "\u{200d}",
    "'s",
    "'S",
    "'t",
    "'RE",
    "'re",
    "'Ve",
    "'LL",
    "'ll",
    "'d",
    "'\u{17f}",
    "\u{17f}",
    "\u{212a}",
    "'",
    "''",
    "/",
    "//",
    "a",
    "A",
    "b",
    "the",
    "The",
    "THE",
    "iPhone",
    "Ab",
    "aB",
    "ABc",
    "ß",
    "ẞ",
    "ǅ",
    "ǆ",
    "Ǆ",
    "ʰ",
    "ª",
    "中",
    "文",
    "中文",
    "日本語",
    "한국",
    "ไทย",
    "हिन्दी",
    "العربية",
    "עברית",
    "\u{301}",
    "\u{e9}",
    "e\u{301}",
    "\u{93e}",
    "\u{fe0f}",
    "👩‍👩‍👧",
    "🏳️‍🌈",
    "😀",
    "👍🏽",
    "0",
    "1",
    "12",
    "123",
    "1234",
    "٣",
    "Ⅷ",
    "²",
    "½",
    ".",
    ",",
    "!",
    "…",
    "—",
    "-",
    "--",
    "(",
    ")",
    "{",
    "}",
    "=",
    "==",
    "_",
    "__",
    "\\",
    "\"",
    "$",
    "€",
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|",
    "|>",
    "\0",
    "\u{1}",
    "\u{7f}",
    "\u{378}",
    "\u{e000}",
    "\u{10ffff}",
    "\u{fffd}",
    "\u{10400}",
    "\u{10428}",
    "\u{1d7d8}",
];

fn random_text(random: &mut Random) -> String {
    let mut text = String::new();
    let kind = random.below(8);
    for _ in 0..random.below(if kind == 0 { 120 } else { 24 }) {
        match kind {
            0..=3 => text.push_str(random.pick(PARTS)),
            4 => text.push(char::from_u32(random.next() as u32 % 0x11_0000).unwrap_or('\u{301}')),
            5 => text.push(char::from_u32(random.next() as u32 % 0x3000).unwrap_or('a')),
            6 => text.push(char::from(random.next() as u8 & 0x7f)),
            _ => {
                let part = random.pick(PARTS);
                for _ in 0..random.below(40) {
                    text.push_str(part);
                }
            }
        }
    }
    text
}

#[test]
fn random_strings_count_as_the_oracle_counts_them() {
    let seed = std::env::var("TOLLGATE_TOKENS_SEED").map_or(1, |value| value.parse().unwrap());
    let mut random = Random(seed);
    for _ in 0..strings() {
        agrees(&random_text(&mut random));
    }
}
