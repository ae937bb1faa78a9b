//! Redaction: afterwards no rule that redacts finds anything.

use std::ops::Range;

use super::policy::Rule;
use super::text::Text;

/// Taking something out may bring something new together, so the result is looked at again; this often.
const MAX_ROUNDS: usize = 4;
/// More matches than this in one text, and the whole text goes: the result stays small.
const MAX_MATCHES: usize = 10_000;

/// The text with every match of `rules` replaced, or none where there is no match.
///
/// What still matches after some rounds, or matches too often, is replaced as a whole by `whole`, of which the
/// policy has checked that no rule matches it.
pub(super) fn redact(text: &str, rules: &[&Rule], whole: &str) -> Option<String> {
    let mut redacted: Option<String> = None;
    for _ in 0..MAX_ROUNDS {
        let current = redacted.as_deref().unwrap_or(text);
        let Some(mut matches) = find(current, rules) else {
            return Some(whole.to_owned());
        };
        if matches.is_empty() {
            return redacted;
        }
        redacted = Some(replace(current, &mut matches));
    }
    match find(redacted.as_deref().unwrap_or(text), rules) {
        Some(matches) if matches.is_empty() => redacted,
        _ => Some(whole.to_owned()),
    }
}

/// A match, and what is to stand there.
struct Match<'a> {
    span: Range<usize>,
    with: &'a str,
}

/// All matches; none where there are too many.
fn find<'a>(text: &str, rules: &[&'a Rule]) -> Option<Vec<Match<'a>>> {
    let text = Text::new(text);
    let mut matches = Vec::new();
    for rule in rules {
        rule.matcher.find(&text, |span| {
            matches.push(Match {
                span,
                with: &rule.replacement,
            });
            matches.len() <= MAX_MATCHES
        });
        if matches.len() > MAX_MATCHES {
            return None;
        }
    }
    Some(matches)
}

/// Replaces the matches. Overlapping ones are one, replaced as the one that begins first (of several, the
/// longest) says.
fn replace(text: &str, matches: &mut [Match<'_>]) -> String {
    matches.sort_by_key(|found| (found.span.start, std::cmp::Reverse(found.span.end)));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for found in matches.iter() {
        if found.span.start >= at {
            out.push_str(text.get(at..found.span.start).unwrap_or_default());
            out.push_str(found.with);
        }
        at = at.max(found.span.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
