//! What a rule looks for: words, regular expressions, detectors. All in linear time.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use regex::{Regex, RegexBuilder};
use tollgate_core::config::Fault;

use super::card;
use super::spec::{Detector, RuleSpec};
use super::text::{Text, fold, is_word_char};

const MAX_WORDS: usize = 10_000;
const MAX_WORD_CHARS: usize = 200;
const MAX_REGEXES: usize = 100;
/// Of a compiled expression, in bytes: what `\w{1000}` and its like may cost at most.
const REGEX_SIZE: usize = 1 << 20;

/// What a rule looks for.
#[derive(Debug, Clone)]
pub(super) struct Matcher {
    words: Option<Words>,
    regexes: Vec<Regex>,
    detectors: Vec<Detector>,
}

#[derive(Debug, Clone)]
struct Words {
    automaton: AhoCorasick,
    whole: bool,
}

// === impl Matcher ===

impl Matcher {
    /// Compiles what a rule looks for; faults are told under the rule's `path`.
    pub(super) fn compile(spec: &RuleSpec, path: &str, faults: &mut Vec<Fault>) -> Self {
        if spec.words.is_empty() && spec.regexes.is_empty() && spec.detect.is_empty() {
            faults.push(Fault::at(
                path,
                "looks for nothing: give it words, regexes or detect",
            ));
        }
        let words = (!spec.words.is_empty())
            .then(|| Words::compile(spec, &format!("{path}.words"), faults))
            .flatten();
        if spec.regexes.len() > MAX_REGEXES {
            faults.push(Fault::at(
                format!("{path}.regexes"),
                format!("expected at most {MAX_REGEXES}"),
            ));
        }
        let regexes = spec
            .regexes
            .iter()
            .enumerate()
            .take(MAX_REGEXES)
            .filter_map(|(i, text)| {
                regex(text)
                    .map_err(|message| faults.push(Fault::at(format!("{path}.regexes[{i}]"), message)))
                    .ok()
            })
            .collect();
        Self {
            words,
            regexes,
            detectors: spec.detect.clone(),
        }
    }

    /// Whether there is any match.
    pub(super) fn is_match(&self, text: &Text<'_>) -> bool {
        let mut any = false;
        self.find(text, |_| {
            any = true;
            false
        });
        any
    }

    /// Calls `found` with the span of each match, in no order, overlapping ones included; `found` answers
    /// whether to go on. A match of nothing is none.
    pub(super) fn find(&self, text: &Text<'_>, mut found: impl FnMut(Range<usize>) -> bool) {
        let mut more = true;
        let mut tell = |span: Range<usize>| {
            more = more && (span.is_empty() || found(span));
            more
        };
        if let Some(words) = &self.words
            && !words.find(text, &mut tell)
        {
            return;
        }
        for regex in &self.regexes {
            for found_at in regex.find_iter(text.raw) {
                if !tell(found_at.range()) {
                    return;
                }
            }
        }
        for detector in &self.detectors {
            match detector {
                Detector::PaymentCard => card::find(text.raw, &mut tell),
            }
        }
    }
}

// === impl Words ===

impl Words {
    fn compile(spec: &RuleSpec, path: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        if spec.words.len() > MAX_WORDS {
            faults.push(Fault::at(path, format!("expected at most {MAX_WORDS}")));
            return None;
        }
        let folded: Vec<String> = spec.words.iter().map(|word| fold(word)).collect();
        for (i, word) in folded.iter().enumerate() {
            if word.trim().is_empty() || word.chars().count() > MAX_WORD_CHARS {
                let message = format!("expected 1 to {MAX_WORD_CHARS} visible characters");
                faults.push(Fault::at(format!("{path}[{i}]"), message));
            }
        }
        // Overlapping matches are needed: a longer word that is part of another must not hide a shorter one.
        AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(&folded)
            .map(|automaton| Self {
                automaton,
                whole: spec.whole_word,
            })
            .map_err(|error| faults.push(Fault::at(path, error.to_string())))
            .ok()
    }

    fn find(&self, text: &Text<'_>, tell: &mut impl FnMut(Range<usize>) -> bool) -> bool {
        for found in self.automaton.find_overlapping_iter(text.for_words()) {
            let span = text.origin(found.range());
            if (!self.whole || is_whole(text.raw, &span)) && !tell(span) {
                return false;
            }
        }
        true
    }
}

fn is_whole(text: &str, span: &Range<usize>) -> bool {
    let before = text
        .get(..span.start)
        .and_then(|before| before.chars().next_back());
    let after = text.get(span.end..).and_then(|after| after.chars().next());
    !before.is_some_and(is_word_char) && !after.is_some_and(is_word_char)
}

fn regex(text: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(text)
        .size_limit(REGEX_SIZE)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => {
                format!("compiles to more than {limit} bytes, make it shorter")
            }
            other => format!("not a regular expression: {other}"),
        })?;
    if regex.is_match("") {
        return Err("matches the empty text, so it would match everywhere".to_owned());
    }
    Ok(regex)
}
