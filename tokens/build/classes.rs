//! The Unicode classes that the splitters ask about, as a table of pages of 128 characters.

use std::{collections::HashMap, error::Error, fs, path::Path};

use regex::Regex;

#[path = "../src/classes/flags.rs"]
#[expect(
    dead_code,
    reason = "the splitters use the unions, this script the single classes"
)]
mod flags;

use flags::{LOWER, MARK, MIDDLE, NEWLINE, NUMBER, OTHER, SPACE, UPPER};

const PAGE: usize = 128;

/// Writes `classes.index` (a page number for each 128 characters) and `classes.pages` (a class for each character).
///
/// # Errors
///
/// When a class is no valid regex, or a file cannot be written.
pub(crate) fn write(out: &Path) -> Result<(), Box<dyn Error>> {
    let all: String = ('\0'..=char::MAX).collect();
    let mut classes = vec![OTHER; char::MAX as usize + 1];
    // The regex crate is what the oracle splits with, so that the two agree on the version of Unicode.
    for (pattern, class) in [
        (r"[\p{Lu}\p{Lt}]+", UPPER),
        (r"\p{Ll}+", LOWER),
        (r"[\p{Lm}\p{Lo}]+", MIDDLE),
        (r"\p{M}+", MARK),
        (r"\p{N}+", NUMBER),
        (r"\s+", SPACE),
        (r"[\r\n]+", SPACE | NEWLINE),
    ] {
        for run in Regex::new(pattern)?.find_iter(&all) {
            for character in run.as_str().chars() {
                if let Some(place) = classes.get_mut(character as usize) {
                    *place = class;
                }
            }
        }
    }
    let mut seen: HashMap<&[u8], u8> = HashMap::new();
    let (mut index, mut pages) = (Vec::new(), Vec::new());
    for page in classes.chunks(PAGE) {
        let next = u8::try_from(seen.len())?;
        let number = *seen.entry(page).or_insert_with(|| {
            pages.extend_from_slice(page);
            next
        });
        index.push(number);
    }
    fs::write(out.join("classes.index"), index)?;
    fs::write(out.join("classes.pages"), pages)?;
    Ok(())
}
