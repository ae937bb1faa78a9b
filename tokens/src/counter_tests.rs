use super::{Counter, WINDOW};
use crate::{Encoding, estimate_for};

/// Plain text of about so many bytes, no two lines the same.
fn prose(bytes: usize) -> String {
    let words = [
        "the", "gateway", "counts", "every", "prompt", "before", "it", "leaves", "and", "settles", "after",
    ];
    let mut text = String::new();
    let mut seed = 1_u64;
    while text.len() < bytes {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(words[(seed >> 33) as usize % words.len()]);
        text.push_str(if seed >> 60 == 0 { ".\n" } else { " " });
    }
    text
}

/// Letters that no words are made of, in one piece.
fn letters(bytes: usize) -> String {
    let mut seed = 7_u64;
    (0..bytes)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'a' + (seed >> 33) as u8 % 26)
        })
        .collect()
}

#[track_caller]
fn is_within(percent: u64, estimate: u64, exact: u64) {
    assert!(
        estimate.abs_diff(exact) * 100 <= exact * percent,
        "{estimate} for {exact}"
    );
}

#[test]
fn what_the_work_is_enough_for_is_counted_to_the_token() {
    let text = prose(40_000);
    let count = Counter::for_model("gpt-4o", 128 << 10).count(&text);
    assert_eq!((count.tokens, count.exact), (Encoding::O200k.count(&text), true));
}

#[test]
fn longer_texts_are_estimated_within_a_few_percent() {
    let mixed = [
        prose(300_000),
        "中文字符，没有空格。".repeat(4_000),
        letters(90_000),
        "x = {1};\n".repeat(9_000),
    ]
    .concat();
    for (percent, text) in [
        (3, prose(900_000)),
        (3, letters(900_000)),
        (8, mixed),
        (1, "a".repeat(900_000)),
    ] {
        let count = Counter::for_model("gpt-4o", 128 << 10).count(&text);
        assert!(!count.exact);
        is_within(percent, count.tokens, Encoding::O200k.count(&text));
    }
}

#[test]
fn a_prompt_of_many_texts_is_estimated_as_one_of_few() {
    let counter = Counter::for_model("gpt-4o", 32 << 10);
    let text = prose(1_000);
    let counted: u64 = (0..500).map(|_| counter.count(&text).tokens).sum();
    is_within(5, counted, 500 * Encoding::O200k.count(&text));
}

#[test]
fn however_hard_the_texts_are_the_work_is_bounded() {
    let hard = [
        letters(1_000_000),
        "=".repeat(1_000_000),
        "中".repeat(300_000),
        "\u{301}".repeat(500_000),
    ];
    for text in hard {
        let counter = Counter::for_model("gpt-4o", 32 << 10);
        counter.count(&text);
        // It stops within a window of the end of the work: of letters not a fifth of the bytes is counted.
        let (bytes, _) = counter.seen.get();
        assert!(bytes <= (40 << 10) + 4 * WINDOW, "{bytes}");
    }
    let counter = Counter::for_model("gpt-4o", 32 << 10);
    counter.count(&letters(1_000_000));
    assert!(counter.seen.get().0 <= (40 << 10) / 6 + 4 * WINDOW);
}

#[test]
fn when_all_work_is_spent_many_small_texts_take_none() {
    let counter = Counter::for_model("gpt-4o", 4 << 10);
    counter.count(&letters(100_000));
    let before = counter.seen.get();
    for _ in 0..1_000 {
        assert!(counter.count(" dense").tokens >= 1);
    }
    assert_eq!(counter.seen.get(), before);
}

#[test]
fn a_piece_in_which_the_work_ends_is_remembered_as_all_of_it_counts() {
    // Pieces of 7 to 31 bytes, no two alike, in which there is much to cut and to merge.
    let mut character = 0x4e00;
    let pieces: Vec<String> = (0..300)
        .map(|index| {
            let more = (0..2 + index % 9).map(|_| {
                character += 67;
                char::from_u32(0x4e00 + character % 0x51a5).unwrap_or_default()
            });
            [' '].into_iter().chain(more).collect()
        })
        .collect();
    for piece in &pieces {
        let text = "a b c".to_owned() + piece;
        Counter::for_model("gpt-4o", text.len()).count(&text);
    }
    let count = |pieces: &[String]| -> Vec<u64> {
        let counts = pieces.iter().map(|piece| Encoding::O200k.count(piece));
        counts.collect()
    };
    let here = count(&pieces);
    // Another thread has another memory.
    let elsewhere = std::thread::scope(|scope| scope.spawn(|| count(&pieces)).join());
    assert_eq!(Some(here), elsewhere.ok());
}

#[test]
fn a_dense_part_of_a_cheap_text_is_not_overlooked() {
    let text = [" ".repeat(200_000), letters(200_000), " ".repeat(200_000)].concat();
    let count = Counter::for_model("gpt-4o", 128 << 10).count(&text);
    is_within(25, count.tokens, Encoding::O200k.count(&text));
}

#[test]
fn models_whose_encoding_is_not_known_are_never_exact() {
    let text = prose(1_000);
    let count = Counter::for_model("claude-sonnet-4-5", 128 << 10).count(&text);
    assert_eq!(
        (count.tokens, count.exact),
        (estimate_for("claude-sonnet-4-5", &text), false)
    );
}

#[test]
fn nothing_is_no_token() {
    let counter = Counter::for_model("gpt-4o", 0);
    assert_eq!(counter.count("").tokens, 0);
    assert!(counter.count("some words, and no work to count them").tokens > 0);
}
