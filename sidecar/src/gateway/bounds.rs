//! Bounds on text that clients choose (a model's name, a session): it must not fill the ledger.

/// Longer text is shortened to this many characters.
pub(super) const MAX_TEXT_CHARS: usize = 512;

/// A text of bounded length, without the one character that PostgreSQL cannot store.
pub(super) fn bounded(text: String) -> String {
    if text.len() <= MAX_TEXT_CHARS && !text.contains('\0') {
        return text;
    }
    text.chars()
        .take(MAX_TEXT_CHARS)
        .map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}
