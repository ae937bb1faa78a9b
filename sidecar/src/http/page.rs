//! Pages: how much is asked for, and where to go on.

use super::problem::{FieldError, Problem};
use crate::ledger::log::Part;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// A position in a log that is read in the order in which it was written. Opaque to callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cursor(pub i64);

/// How many rows a page may have: 1 to 1,000, by default 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u32);

// === impl Cursor ===

impl Cursor {
    /// Reads what [`Self::to_text`] wrote; no cursor is the beginning.
    ///
    /// # Errors
    /// A [`Problem`] where the text is none of ours.
    pub fn parse(text: Option<&str>) -> Result<Self, Problem> {
        Self::read("after", text)
    }

    fn read(pointer: &str, text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self(0));
        };
        text.strip_prefix('c')
            .and_then(|digits| i64::from_str_radix(digits, 16).ok())
            .filter(|position| *position >= 0)
            .map(Self)
            .ok_or_else(|| {
                Problem::invalid(vec![FieldError {
                    pointer: pointer.to_owned(),
                    detail: "not a cursor, send the `next` or `previous` of an earlier page".to_owned(),
                }])
            })
    }

    /// The cursor as callers send it back.
    pub fn to_text(self) -> String {
        format!("c{:x}", self.0)
    }
}

/// Which part of a log is asked for: with `newest=true` the last rows, before `before` where that is given; without it
/// those after `after`.
///
/// # Errors
/// A [`Problem`] where a cursor is none of ours, or is one of the other direction.
pub fn part(newest: Option<bool>, after: Option<&str>, before: Option<&str>) -> Result<Part, Problem> {
    let [after, before] = [after, before].map(|text| text.filter(|text| !text.is_empty()));
    let stray = |pointer: &str, detail: &str| {
        Err(Problem::invalid(vec![FieldError {
            pointer: pointer.to_owned(),
            detail: detail.to_owned(),
        }]))
    };
    match (newest.unwrap_or(false), after, before) {
        (false, _, None) => Cursor::parse(after).map(|cursor| Part::After(cursor.0)),
        (false, _, Some(_)) => stray("before", "is for newest=true only"),
        (true, Some(_), _) => stray("after", "is not for newest=true"),
        (true, None, None) => Ok(Part::Last),
        (true, None, before) => Cursor::read("before", before).map(|cursor| Part::Before(cursor.0)),
    }
}

// === impl PageSize ===

impl PageSize {
    /// The size that was asked for, or 100; more than 1,000 is 1,000.
    ///
    /// # Errors
    /// A [`Problem`] where the size is 0: such a page would never end.
    pub fn parse(limit: Option<u32>) -> Result<Self, Problem> {
        match limit.unwrap_or(DEFAULT_LIMIT) {
            0 => Err(Problem::invalid(vec![FieldError {
                pointer: "limit".to_owned(),
                detail: "expected at least 1".to_owned(),
            }])),
            limit => Ok(Self(limit.min(MAX_LIMIT))),
        }
    }

    /// The rows of this page, of which one more was read: that one tells whether there is a next page, and then the
    /// last of the page is where that begins.
    pub fn cut<T>(self, mut found: Vec<T>, id: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        let wanted = usize::try_from(self.0).unwrap_or(usize::MAX);
        let is_last = found.len() <= wanted;
        found.truncate(wanted);
        let next = found.last().filter(|_| !is_last).map(id);
        (found, next)
    }

    /// The size in rows.
    pub fn rows(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        for position in [0, 1, 15, 16, i64::MAX] {
            let text = Cursor(position).to_text();
            assert_eq!(Cursor::parse(Some(&text)).unwrap(), Cursor(position), "{text}");
        }
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        for text in ["c", "12", "c-1", "cé", "cffffffffffffffffffff"] {
            assert!(Cursor::parse(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_log_is_read_in_one_direction_at_a_time() {
        assert_eq!(part(None, Some("ca"), None).unwrap(), Part::After(10));
        assert_eq!(part(Some(false), None, Some("")).unwrap(), Part::After(0));
        assert_eq!(part(Some(true), Some(""), None).unwrap(), Part::Last);
        assert_eq!(part(Some(true), None, Some("ca")).unwrap(), Part::Before(10));
        for (newest, after, before) in [
            (false, None, Some("ca")),
            (true, Some("ca"), None),
            (true, None, Some("x")),
        ] {
            assert!(
                part(Some(newest), after, before).is_err(),
                "{newest} {after:?} {before:?}"
            );
        }
    }

    #[test]
    fn a_page_that_is_not_the_last_says_where_to_go_on() {
        let two = PageSize(2);
        let page = |found: &[u8]| two.cut(found.to_vec(), u8::to_string);
        assert_eq!(page(&[]), (vec![], None));
        assert_eq!(page(&[1, 2]), (vec![1, 2], None));
        assert_eq!(page(&[1, 2, 3]), (vec![1, 2], Some("2".to_owned())));
    }

    #[test]
    fn a_page_has_between_one_and_a_thousand_rows() {
        assert_eq!(PageSize::parse(None).unwrap().rows(), 100);
        assert!(PageSize::parse(Some(0)).is_err());
        assert_eq!(PageSize::parse(Some(1001)).unwrap().rows(), 1000);
    }
}
