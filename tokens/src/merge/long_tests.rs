use std::collections::HashMap;

use super::{End, Work, by_heap, by_windows, common, merged_at};
use crate::tables::{CL100K, O200K, Tables};

/// The bytes of each token, by rank.
fn spelled(tables: &Tables) -> HashMap<u32, Vec<u8>> {
    let mut merges: Vec<_> = tables.merges().collect();
    merges.sort_by_key(|(_, _, token)| *token);
    let mut spelled: HashMap<u32, Vec<u8>> = (0..=u8::MAX)
        .map(|byte| (tables.byte(byte).rank() as u32, vec![byte]))
        .collect();
    for (left, right, token) in merges {
        let bytes = [spelled[&left].as_slice(), &spelled[&right]].concat();
        spelled.insert(token.rank() as u32, bytes);
    }
    spelled
}

/// Texts of tokens whose merges have ranks that fall from left to right, so that each waits for the one after it:
/// the longest such chains.
fn falling(tables: &Tables) -> Vec<Vec<u8>> {
    let spelled = spelled(tables);
    let mut merges: Vec<_> = tables.merges().collect();
    merges.sort_by_key(|(_, _, token)| *token);
    // For each token the merge that begins the longest chain from it, of those with lower ranks.
    let mut best: HashMap<u32, usize> = HashMap::new();
    let mut chains: Vec<(u32, Option<usize>)> = Vec::new();
    for (index, (left, right, _)) in merges.iter().enumerate() {
        let rest = best.get(right).copied();
        let length = 1 + rest.map_or(0, |rest| chains[rest].0);
        chains.push((length, rest));
        if best.get(left).is_none_or(|&old| chains[old].0 < length) {
            best.insert(*left, index);
        }
    }
    let mut order: Vec<usize> = (0..chains.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(chains[index].0));
    order
        .into_iter()
        .take(400)
        .map(|first| {
            let mut bytes = spelled[&merges[first].0].clone();
            let mut at = Some(first);
            while let Some(index) = at {
                bytes.extend(&spelled[&merges[index].1]);
                at = chains[index].1;
            }
            bytes
        })
        .collect()
}

#[test]
fn windows_and_the_heap_merge_alike_where_each_merge_waits_for_the_one_after_it() {
    for tables in [&O200K, &CL100K] {
        for chain in falling(tables) {
            for text in [chain.repeat(8), [b"xyz".repeat(100), chain.repeat(8)].concat()] {
                let progress = by_windows(tables, &text, &mut Work::endless());
                assert!(progress.end == End::Apart || progress.tokens == by_heap(tables, &text));
            }
        }
    }
}

#[test]
fn windows_that_share_too_little_are_not_put_together() {
    // A shared token must begin and end alike in both.
    let work = &mut Work::of_plain_text(0);
    let (first, second) = (
        merged_at(&O200K, b"==", 0, work),
        merged_at(&O200K, b"ab", 0, work),
    );
    assert_eq!(common(&first, &second, 0), Some(0));
    let (whole, parts) = (
        merged_at(&O200K, b"the", 0, work),
        merged_at(&O200K, b"\xff\xff\xff", 0, work),
    );
    assert_eq!(common(&whole, &parts, 0), None);
}

#[test]
fn windows_stop_when_the_work_is_spent_and_say_how_far_they_came() {
    let letters: Vec<u8> = (0..20_000_u32).map(|n| b'a' + (n * n / 7 % 26) as u8).collect();
    let all = by_windows(&O200K, &letters, &mut Work::endless());
    let some = by_windows(&O200K, &letters, &mut Work::of_plain_text(20_000));
    assert_eq!((all.end, all.bytes), (End::Done, letters.len()));
    assert_eq!(some.end, End::Spent);
    assert!((1_000..6_000).contains(&some.bytes), "{}", some.bytes);
    assert_eq!(some.tokens, by_heap(&O200K, &letters[..some.bytes]));
}
