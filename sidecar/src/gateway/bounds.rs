//! Bounds on text that clients choose (a model's name, a session): it must not fill the ledger.

use tollgate_core::budget::Facts;

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

/// The same of what decides by which budgets a request is paid: these are made of it.
pub(super) fn bounded_facts(facts: Facts) -> Facts {
    Facts {
        workspace: facts.workspace.map(bounded),
        user: facts.user.map(bounded),
        key_id: facts.key_id.map(bounded),
        session: facts.session.map(bounded),
        model: facts.model.map(bounded),
        tags: facts.tags.into_iter().map(bounded).collect(),
        gateway: bounded(facts.gateway),
    }
}
