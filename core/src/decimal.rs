//! Whole numbers in decimal without the machinery of `format!`, which costs several times as much: some stand in the
//! headers of every answer, and in the name of every cell.

/// Appends a number.
pub(crate) fn push(text: &mut String, number: u64) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// A number alone.
pub(crate) fn text(number: u64) -> String {
    itoa::Buffer::new().format(number).to_owned()
}

/// The name of a cell: `prefix/number`.
pub(crate) fn numbered(prefix: &str, number: u64) -> String {
    let mut name = String::with_capacity(prefix.len() + 11);
    name.push_str(prefix);
    name.push('/');
    push(&mut name, number);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_to_their_last_digit() {
        for number in [0, 7, 10, 99, 1_234_567_890, u64::MAX] {
            assert_eq!(text(number), format!("{number}"));
            assert_eq!(numbered("tollgate/1/l", number), format!("tollgate/1/l/{number}"));
        }
    }
}
