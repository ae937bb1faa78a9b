//! A text to be moderated, and the same text folded for word lists.

use std::cell::OnceCell;
use std::ops::Range;

/// A text, folded at most once whatever the number of rules.
#[derive(Debug)]
pub(super) struct Text<'a> {
    /// As it was sent.
    pub(super) raw: &'a str,
    folded: OnceCell<Option<Folded>>,
}

/// A text in lower case, and where its characters came from.
#[derive(Debug)]
struct Folded {
    text: String,
    /// For each character that was kept: where it is in the folded text, and where it was in the raw one.
    origins: Vec<(usize, Range<usize>)>,
}

// === impl Text ===

impl<'a> Text<'a> {
    pub(super) fn new(raw: &'a str) -> Self {
        Self {
            raw,
            folded: OnceCell::new(),
        }
    }

    /// The text to look for folded words in. ASCII is itself: the automaton minds its case.
    pub(super) fn for_words(&self) -> &str {
        self.folded().map_or(self.raw, |folded| &folded.text)
    }

    /// The span of the raw text that a span of [`Self::for_words`] came from.
    pub(super) fn origin(&self, span: Range<usize>) -> Range<usize> {
        let Some(folded) = self.folded() else { return span };
        let at = |offset: usize| {
            let after = folded.origins.partition_point(|(start, _)| *start <= offset);
            folded
                .origins
                .get(after.saturating_sub(1))
                .map(|(_, raw)| raw.clone())
        };
        let first = at(span.start).map_or(0, |raw| raw.start);
        let last = at(span.end.saturating_sub(1)).map_or(self.raw.len(), |raw| raw.end);
        first..last
    }

    fn folded(&self) -> Option<&Folded> {
        self.folded
            .get_or_init(|| (!self.raw.is_ascii()).then(|| Folded::of(self.raw)))
            .as_ref()
    }
}

// === impl Folded ===

impl Folded {
    fn of(raw: &str) -> Self {
        let mut text = String::with_capacity(raw.len());
        let mut origins = Vec::new();
        for (start, c) in raw.char_indices().filter(|(_, c)| !is_invisible(*c)) {
            for lower in c.to_lowercase() {
                origins.push((text.len(), start..start + c.len_utf8()));
                text.push(lower);
            }
        }
        Self { text, origins }
    }
}

/// A word as [`Text::for_words`] would show it.
pub(super) fn fold(word: &str) -> String {
    Folded::of(word).text
}

/// Whether a word could go on with this character.
pub(super) fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Characters without a shape, with which a word can be broken up unseen: soft hyphen, zero-width space,
/// joiners and marks, word joiner, byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_folded_span_leads_back_to_what_was_sent() {
        let text = Text::new("İÇ geh\u{200b}eim");
        let at = text.for_words().find("geheim").unwrap();
        assert_eq!(text.raw.get(text.origin(at..at + 6)), Some("geh\u{200b}eim"));
    }

    proptest! {
        #[test]
        fn every_folded_character_leads_to_a_whole_raw_one(raw in ".{0,40}") {
            let text = Text::new(&raw);
            let words = text.for_words();
            for (at, c) in words.char_indices() {
                prop_assert!(raw.get(text.origin(at..at + c.len_utf8())).is_some());
            }
        }
    }
}
