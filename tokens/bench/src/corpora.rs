//! What is counted: slices of 10 KB, each different, so that nothing is measured that repetition makes cheap.

/// Slices of a corpus of texts.
const SLICES: usize = 48;

/// Bytes of a slice of a corpus of texts, at least.
const SLICE: usize = 10_000;

/// Bytes of a long run.
const RUN: usize = 200_000;

static ENGLISH: &str = include_str!(concat!(env!("OUT_DIR"), "/english.txt"));
static CODE: &str = include_str!(concat!(env!("OUT_DIR"), "/code.txt"));
static CJK: &str = include_str!("../texts/cjk.txt");
static EUROPEAN: &str = include_str!("../texts/european.txt");

/// Texts of one kind.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// What kind.
    pub name: &'static str,
    /// The texts.
    pub slices: Vec<String>,
}

/// Numbers that are the same in each run (SplitMix64).
struct Random(u64);

/// All kinds.
#[must_use]
pub fn all() -> Vec<Corpus> {
    let mut random = Random(5);
    let words: Vec<&str> = EUROPEAN.split_inclusive(' ').collect();
    let lines: Vec<Vec<char>> = CJK.lines().map(|line| line.chars().collect()).collect();
    let runs = |text: &str| vec![text.repeat(RUN / text.len())];
    let corpora = [
        ("english", slices_of(ENGLISH)),
        ("code", slices_of(CODE)),
        ("other scripts", made(|text| text.push_str(random.pick(&words)))),
        ("cjk", made(|text| random.push_cjk(&lines, text))),
        ("base64", made(|text| random.push_of(BASE64, text))),
        ("hex", made(|text| random.push_of(b"0123456789abcdef", text))),
        ("run of a", runs("a")),
        ("run of spaces", runs(" ")),
        ("run of =", runs("=")),
        ("run of ab", runs("ab")),
        (
            "run of letters",
            vec![
                (0..RUN)
                    .map(|_| random.letter(b"abcdefghijklmnopqrstuvwxyz"))
                    .collect(),
            ],
        ),
        ("run of 中", runs("中")),
    ];
    corpora
        .into_iter()
        .map(|(name, slices)| Corpus { name, slices })
        .collect()
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// === impl Random ===

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        from.get(self.below(from.len())).copied().unwrap_or_default()
    }

    fn letter(&mut self, alphabet: &[u8]) -> char {
        char::from(self.pick(alphabet))
    }

    fn push_of(&mut self, alphabet: &[u8], text: &mut String) {
        text.push(self.letter(alphabet));
    }

    /// A few sentences out of pieces of a language's words: they read like nonsense, and no two are the same.
    fn push_cjk(&mut self, lines: &[Vec<char>], text: &mut String) {
        let Some(line) = lines.get(self.below(lines.len())) else {
            return;
        };
        for _ in 0..40 {
            let start = self.below(line.len());
            let end = (start + 2 + self.below(5)).min(line.len());
            text.extend(line.get(start..end).unwrap_or_default());
            // Names and rare words.
            if self.below(16) == 0 {
                text.extend(char::from_u32(0x4e00 + self.below(0x51a5) as u32));
            }
        }
        text.push('\n');
    }
}

/// Consecutive slices.
fn slices_of(text: &str) -> Vec<String> {
    let (mut slices, mut rest) = (Vec::new(), text);
    while slices.len() < SLICES && rest.len() >= SLICE {
        let (slice, after) = rest.split_at(rest.floor_char_boundary(SLICE));
        slices.push(slice.to_owned());
        rest = after;
    }
    slices
}

/// Slices that are filled bit by bit.
fn made(mut push: impl FnMut(&mut String)) -> Vec<String> {
    (0..SLICES)
        .map(|_| {
            let mut slice = String::new();
            while slice.len() < SLICE {
                push(&mut slice);
            }
            slice
        })
        .collect()
}
