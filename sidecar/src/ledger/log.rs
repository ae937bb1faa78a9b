//! Logs that are read in the order in which they were written: which part of one is asked for, and what came of it.

/// Which part of a log a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first rows after a position.
    After(i64),
    /// The last rows there are.
    Last,
    /// The last rows before a position.
    Before(i64),
}

/// Rows in the order in which they were written, and the positions to go on from.
#[derive(Debug, Clone, PartialEq)]
pub struct LogPage<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Everything up to here has been looked at: always good to ask again with, for newer rows.
    pub next: i64,
    /// What is before the first row; none where there is nothing, and for [`Part::After`].
    pub previous: Option<i64>,
}

// === impl Part ===

impl Part {
    /// After which row it begins.
    pub(super) const fn after(self) -> i64 {
        match self {
            Self::After(after) => after,
            Self::Last | Self::Before(_) => 0,
        }
    }

    /// The last row that may be in it, where `head` is the last of the log.
    pub(super) fn up_to(self, head: i64) -> i64 {
        match self {
            Self::After(_) | Self::Last => head,
            Self::Before(before) => head.min(before.saturating_sub(1)),
        }
    }

    /// The end of its SELECT; the number of rows follows.
    pub(super) const fn order(self) -> &'static str {
        match self {
            Self::After(_) => " ORDER BY seq LIMIT ",
            Self::Last | Self::Before(_) => " ORDER BY seq DESC LIMIT ",
        }
    }
}

// === impl LogPage ===

impl<T> LogPage<T> {
    /// A page of at most `limit` rows of a log whose last row is `head`, as [`Part::order`] brought them.
    pub(super) fn new(mut rows: Vec<T>, part: Part, head: i64, limit: u32, seq: impl Fn(&T) -> i64) -> Self {
        let is_full = u32::try_from(rows.len()).is_ok_and(|len| len >= limit);
        let last = rows.last().map(seq).filter(|_| is_full);
        match part {
            Part::After(after) => Self {
                rows,
                next: last.unwrap_or(head.max(after)),
                previous: None,
            },
            Part::Last | Part::Before(_) => {
                rows.reverse();
                Self {
                    rows,
                    next: part.up_to(head),
                    previous: last,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: &[i64], part: Part) -> LogPage<i64> {
        LogPage::new(rows.to_vec(), part, 10, 3, |row| *row)
    }

    #[test]
    fn a_full_page_is_gone_on_from_at_its_last_row() {
        assert_eq!(page(&[5, 6, 8], Part::After(4)).next, 8);
    }

    #[test]
    fn after_a_page_that_is_not_full_all_has_been_seen() {
        assert_eq!(page(&[5, 6], Part::After(4)).next, 10);
        assert_eq!(
            page(&[], Part::After(12)).next,
            12,
            "a position from before a restore"
        );
    }

    #[test]
    fn the_last_rows_are_in_the_order_in_which_they_were_written() {
        let last = page(&[10, 7, 6], Part::Last);
        assert_eq!(
            (last.rows, last.next, last.previous),
            (vec![6, 7, 10], 10, Some(6))
        );
        let first = page(&[5, 2], Part::Before(6));
        assert_eq!((first.rows, first.next, first.previous), (vec![2, 5], 5, None));
    }
}
