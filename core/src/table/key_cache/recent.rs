//! Keys that this worker has just read: for a moment they are not read again.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::key::{KeyHash, KeyRecord};
use crate::time::UnixMillis;

/// How long a key is not read again, in milliseconds: so much later than others a worker hears of a change.
const MOMENT_MS: u64 = 250;

/// How many keys a worker keeps in mind. Each is a few hundred bytes.
const MAX_KEYS: usize = 1_024;

/// What one worker has read in the last moment.
#[derive(Debug, Default)]
pub(super) struct Recent {
    records: RefCell<HashMap<KeyHash, (Rc<KeyRecord>, UnixMillis)>>,
}

// === impl Recent ===

impl Recent {
    pub(super) fn get(&self, hash: &KeyHash, now: UnixMillis) -> Option<Rc<KeyRecord>> {
        let records = self.records.borrow();
        let (record, read_at) = records.get(hash)?;
        let is_recent = *read_at <= now && now.0 - read_at.0 < MOMENT_MS;
        is_recent.then(|| Rc::clone(record))
    }

    pub(super) fn keep(&self, record: Rc<KeyRecord>, now: UnixMillis) {
        let mut records = self.records.borrow_mut();
        if records.len() >= MAX_KEYS {
            records.clear();
        }
        records.insert(record.sha256, (record, now));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.records.borrow().len()
    }

    pub(super) fn forget(&self, hash: &KeyHash) {
        self.records.borrow_mut().remove(hash);
    }
}
