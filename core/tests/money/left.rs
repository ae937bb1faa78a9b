//! How much was left of each account, in truth, and for how long.

use std::collections::{BTreeMap, VecDeque};

use crate::books::Books;
use crate::store::{AccountKey, Store};

/// For how long it is known, in milliseconds.
const KEPT_MS: u64 = 60_000;

/// How much was left of each account, from when on.
#[derive(Debug, Default)]
pub(crate) struct Left {
    changes: BTreeMap<AccountKey, VecDeque<(u64, u64)>>,
}

// === impl Left ===

impl Left {
    /// Looks again.
    pub(crate) fn look(&mut self, now: u64, books: &Books, store: &Store) {
        let in_use = books.in_use(store);
        for (key, account) in &store.accounts {
            let used = in_use.get(key).copied().unwrap_or_default();
            let left = account.amount.saturating_sub(used);
            let changes = self.changes.entry(*key).or_default();
            if changes.back().is_none_or(|(_, known)| *known != left) {
                changes.push_back((now, left));
            }
            while changes.get(1).is_some_and(|(at, _)| at + KEPT_MS < now) {
                changes.pop_front();
            }
        }
    }

    /// The least that was left of an account since a moment.
    pub(crate) fn least_since(&self, key: AccountKey, since: u64) -> Option<u64> {
        let changes = self.changes.get(&key)?;
        // The last change before that moment still held then.
        let first = changes.iter().rposition(|(at, _)| *at < since).unwrap_or(0);
        changes.iter().skip(first).map(|(_, left)| *left).min()
    }
}
