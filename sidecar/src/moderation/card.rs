//! Numbers of payment cards in a text, told from other numbers by their check digit (ISO/IEC 7812-1, Luhn).

use std::ops::Range;

const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// Calls `found` with the span of each card number; `found` answers whether to go on.
///
/// A number is digits, or groups of digits with one space or hyphen between them, that no further digit
/// touches. Every run of neighbouring groups is looked at, so that a check value or a year beside a card does
/// not hide it. Time is linear: at most 19 groups are looked at from each.
pub(super) fn find(text: &str, mut found: impl FnMut(Range<usize>) -> bool) {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((start, byte)) = bytes.next() {
        if !byte.is_ascii_digit() {
            continue;
        }
        let mut end = start + 1;
        while bytes.next_if(|(_, byte)| byte.is_ascii_digit()).is_some() {
            end += 1;
        }
        let continues = groups.last().is_some_and(|last| is_joint(text, last.end..start));
        if !continues && !search(text, &groups, &mut found) {
            return;
        }
        if !continues {
            groups.clear();
        }
        groups.push(start..end);
        // A long row of groups is worked off as it comes: only the last 19 can still be part of a number.
        if groups.len() > 2 * LONGEST {
            if !search(text, &groups, &mut found) {
                return;
            }
            groups.drain(..groups.len() - LONGEST);
        }
    }
    search(text, &groups, &mut found);
}

fn is_joint(text: &str, between: Range<usize>) -> bool {
    matches!(text.get(between), Some(" " | "-"))
}

/// Tries every run of neighbouring groups; false where `found` has had enough.
fn search(text: &str, groups: &[Range<usize>], found: &mut impl FnMut(Range<usize>) -> bool) -> bool {
    for (i, first) in groups.iter().enumerate() {
        let mut digits = 0;
        for last in groups.iter().skip(i).take(LONGEST) {
            digits += last.len();
            if digits > LONGEST {
                break;
            }
            let span = first.start..last.end;
            if digits >= SHORTEST && text.get(span.clone()).is_some_and(is_card) && !found(span) {
                return false;
            }
        }
    }
    true
}

/// Whether digits (other characters are skipped) begin as a card's do and have the right check digit.
fn is_card(number: &str) -> bool {
    // 2 to 6: the industries that issue payment cards.
    if !matches!(number.as_bytes().first(), Some(b'2'..=b'6')) {
        return false;
    }
    let sum: u32 = number
        .bytes()
        .rev()
        .filter(u8::is_ascii_digit)
        .enumerate()
        .map(|(i, byte)| {
            let digit = u32::from(byte - b'0');
            match (i % 2, digit * 2) {
                (0, _) => digit,
                (_, doubled) if doubled > 9 => doubled - 9,
                (_, doubled) => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<&str> {
        let mut spans = Vec::new();
        find(text, |span| {
            spans.push(text.get(span).unwrap());
            true
        });
        spans
    }

    #[test]
    fn a_card_is_found_however_it_is_written() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "378282246310005",
            "3782 822463 10005",
            "5555555555554444",
        ] {
            assert_eq!(all(&format!("pay with {number}, please")), [number]);
        }
    }

    #[test]
    fn what_stands_beside_a_card_does_not_hide_it() {
        for text in [
            "4111 1111 1111 1111 123",
            "12 4111 1111 1111 1111",
            "é4111 1111 1111 1111é",
        ] {
            assert!(all(text).contains(&"4111 1111 1111 1111"), "{text}");
        }
        let far = format!("{}4111 1111 1111 1111", "1 ".repeat(1000));
        assert!(all(&far).contains(&"4111 1111 1111 1111"));
    }

    #[test]
    fn other_numbers_are_none() {
        for text in [
            "4111111111111112",
            "0000000000000000",
            "41111111111111111111111",
            "4111  1111  1111  1111",
            "tel. 0049 30 1234567",
            "",
        ] {
            assert!(all(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_long_row_of_groups_takes_no_long_time() {
        let text = "4 ".repeat(500_000);
        let mut count = 0;
        find(&text, |_| {
            count += 1;
            true
        });
        assert!(count < 20 * 500_000);
    }
}
