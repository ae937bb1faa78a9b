//! Random strings: an alphabet a test, so that they run on all cores.

use std::sync::LazyLock;

use crate::random::Random;
use crate::{O200K, agrees};

/// Strings of each alphabet: a million of all eight.
const STRINGS: u64 = 125_000;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().unwrap())
}

/// Holds many strings against the oracle; `alphabet` makes their seed differ from those of the others.
#[track_caller]
fn all_agree(alphabet: u64, make: impl Fn(&mut Random) -> String) {
    let seed = number("TOLLGATE_TOKENS_SEED", 1);
    let mut random = Random::new(seed << 8 | alphabet);
    for _ in 0..number("TOLLGATE_TOKENS_STRINGS", STRINGS) {
        agrees(&make(&mut random));
    }
}

/// Words in all cases, and what looks like a contraction: U+017F folds to `s`, U+212A to `k`.
const WORDS: &[&str] = &[
    " ",
    " ",
    " ",
    "'s",
    "'S",
    "'t",
    "'T",
    "'re",
    "'RE",
    "'Re",
    "'ve",
    "'vE",
    "'m",
    "'ll",
    "'LL",
    "'lL",
    "'d",
    "'D",
    "'\u{17f}",
    "\u{17f}",
    "'\u{212a}",
    "\u{212a}",
    "'",
    "''",
    "’s",
    "’",
    "'sa",
    "'st",
    "'r",
    "'v",
    "'l",
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
    "abC",
    "HTTPServer",
    "don",
    "DON",
    "can",
    "tollgate",
    "token",
    "Tokenizer",
    "ization",
    "antidis",
    "XYZ",
    "qz",
    "ß",
    "ẞ",
    "ǅ",
    "ǆ",
    "Ǆ",
    "ʰ",
    "ª",
    "é",
    "É",
    "ﬀ",
    "İ",
    "ı",
    "\n",
];

/// Scripts with and without case, marks that combine, and what emoji are made of.
const SCRIPTS: &[&str] = &[
    " ",
    "a",
    "A",
    "中",
    "文",
    "中文",
    "的",
    "我们",
    "日本語",
    "カタカナ",
    "ひらがな",
    "ー",
    "한국",
    "어",
    "ᄀ",
    "ᅡ",
    "ᆨ",
    "ไทย",
    "ำ",
    "हिन्दी",
    "क्ष",
    "\u{93e}",
    "\u{94d}",
    "தமிழ்",
    "العربية",
    "ـ",
    "\u{64b}",
    "עברית",
    "\u{5b0}",
    "Русский",
    "Ё",
    "й",
    "и\u{306}",
    "Ελληνικά",
    "ς",
    "ქართული",
    "Ა",
    "Հայ",
    "አማርኛ",
    "\u{301}",
    "\u{301}\u{302}",
    "e\u{301}",
    "\u{e9}",
    "\u{20dd}",
    "\u{20e3}",
    "1\u{fe0f}\u{20e3}",
    "\u{fe0f}",
    "\u{fe0e}",
    "\u{200d}",
    "\u{200c}",
    "👩‍👩‍👧",
    "👩🏽‍🚀",
    "🏳️‍🌈",
    "🇩🇪",
    "🇩",
    "😀",
    "👍🏽",
    "🏽",
    "❤️",
    "\u{e0067}",
    "𝒜",
    "𝔞",
    "\u{10400}",
    "\u{10428}",
    "\u{1e921}",
    "𠀀",
    "㐀",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10000}",
    "\u{10ffff}",
    "\u{378}",
    "\u{feff}",
    "\u{ad}",
];

/// Every kind of white space, what is none but looks so, and what stands next to it.
const WHITE: &[&str] = &[
    " ", " ", "  ", "   ", "    ", "\n", "\n\n", "\r", "\r\n", "\n\r", "\t", "\t\t", "\u{b}", "\u{c}",
    "\u{85}", "\u{a0}", "\u{1680}", "\u{2000}", "\u{2003}", "\u{2009}", "\u{200a}", "\u{2028}", "\u{2029}",
    "\u{202f}", "\u{205f}", "\u{3000}", "\u{200b}", "\u{feff}", "\u{180e}", "\0", "\u{1c}", "\u{1f}", "a",
    "A", "1", ".", "/", "\u{301}", "中",
];

/// Digits, symbols, and what code is made of.
const SYMBOLS: &[&str] = &[
    "0",
    "1",
    "12",
    "123",
    "1234",
    "٣",
    "Ⅷ",
    "²",
    "½",
    "𝟘",
    "〇",
    "一",
    ".",
    ",",
    "!",
    "?",
    "…",
    "—",
    "-",
    "--",
    "---",
    "(",
    ")",
    "()",
    "{",
    "}",
    "[]",
    "=",
    "==",
    "===",
    "====",
    "=>",
    "->",
    "_",
    "__",
    "\\",
    "\\n",
    "\"",
    "'",
    "`",
    "```",
    "$",
    "€",
    "%",
    "&",
    "&&",
    "|",
    "||",
    "*",
    "**",
    "/",
    "//",
    "/*",
    "*/",
    "#",
    "##",
    "@",
    "~",
    "^",
    "+",
    "++",
    "<",
    ">",
    "</",
    "/>",
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|im_start|>",
    "<|",
    "|>",
    ";",
    ":",
    "::",
    " ",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "    ",
    "a",
    "fn",
    "self",
    "https",
    "www",
    "\0",
    "\u{1}",
    "\u{7f}",
    "•",
    "·",
    "─",
    "█",
    "\u{2060}",
];

#[test]
fn words_and_contractions_count_as_the_oracle_counts_them() {
    all_agree(1, |random| random.soup(WORDS, 40));
}

#[test]
fn mixed_scripts_and_marks_count_as_the_oracle_counts_them() {
    all_agree(2, |random| random.soup(SCRIPTS, 40));
}

#[test]
fn white_space_counts_as_the_oracle_counts_it() {
    all_agree(3, |random| random.soup(WHITE, 40));
}

#[test]
fn digits_and_symbols_count_as_the_oracle_counts_them() {
    all_agree(4, |random| random.soup(SYMBOLS, 40));
}

#[test]
fn all_of_these_together_count_as_the_oracle_counts_them() {
    static ALL: LazyLock<Vec<&str>> = LazyLock::new(|| [WORDS, SCRIPTS, WHITE, SYMBOLS].concat());
    all_agree(5, |random| random.soup(&ALL, 40));
}

#[test]
fn any_characters_count_as_the_oracle_counts_them() {
    all_agree(6, |random| {
        let below = random.pick(&[0x80, 0x100, 0x800, 0x3000, 0x1_0000, 0x2_0000, 0x11_0000]);
        (0..random.small(32)).map(|_| random.scalar(below)).collect()
    });
}

#[test]
fn pieces_that_are_no_token_count_as_the_oracle_counts_them() {
    // Around the powers of two, where buffers and words of the counter end.
    const LENGTHS: &[usize] = &[
        2, 3, 4, 6, 7, 8, 9, 15, 16, 17, 31, 33, 47, 63, 64, 65, 96, 127, 129,
    ];
    all_agree(7, |random| {
        let length = random.pick(LENGTHS) + random.below(2);
        let letters = random.pick(&[1, 2, 3, 5, 26]);
        let wide = random.pick(&["", "é", "ж", "中", "文字", "한", "\u{301}", "😀"]);
        let mut text = String::new();
        while text.len() < length {
            if wide.is_empty() || random.below(4) > 0 {
                text.push(char::from(b'a' + random.below(letters) as u8));
            } else {
                text.push_str(wide);
            }
        }
        text
    });
}

#[test]
fn tokens_in_a_row_count_as_the_oracle_counts_them() {
    // Neighbours that the merges would not have left as they are.
    static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
        (0..199_998)
            .filter_map(|rank| String::from_utf8(O200K.decode_bytes(&[rank]).ok()?).ok())
            .collect()
    });
    all_agree(8, |random| {
        (0..random.small(8))
            .map(|_| TOKENS[random.below(TOKENS.len())].as_str())
            .collect()
    });
}
