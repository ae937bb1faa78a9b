//! Where the entries of a purse are: a fixed number of cells, the *sets*, each with a few entries.
//!
//! This is not a [`crate::table::Table`]: that one drops an entry to make room, which is right for what can be
//! learned again. An entry here is money. A lease that was forgotten would be announced by the ledger as if it
//! had never been spent from; so a full set takes no further budget, and a set that cannot be read is an error.

use super::entry::Entry;
use crate::cells::{CellError, Cells, Update, update};
use crate::codec::{Reader, put_bytes};
use crate::decimal;

/// Most entries in a cell.
const WAYS: u32 = 16;

/// A fixed number of cells with entries.
#[derive(Debug)]
pub(super) struct Shelf {
    prefix: Box<str>,
    sets: u32,
}

/// What [`Shelf::update`] does with an entry after looking at it.
#[derive(Debug)]
pub(super) enum Change<T> {
    /// Store it (drop it, where it says nothing), then return the value.
    Store(T),
    /// Leave the cell as it is and return the value.
    Keep(T),
}

// === impl Shelf ===

impl Shelf {
    /// Room for at least `max_budgets`, as a rule: with twice as many ways as are needed on average.
    pub(super) fn new(prefix: String, max_budgets: u32) -> Self {
        Self {
            prefix: prefix.into(),
            sets: max_budgets.div_ceil(WAYS / 2).max(1),
        }
    }

    pub(super) const fn sets(&self) -> u32 {
        self.sets
    }

    /// Looks at a budget's entry and changes it; an absent one is empty, and an empty one is dropped. `None`
    /// where there is no room for one more.
    pub(super) fn update<C, T>(
        &self,
        cells: &C,
        budget_id: &str,
        mut decide: impl FnMut(&mut Entry) -> Change<T>,
    ) -> Result<Option<T>, CellError>
    where
        C: Cells + ?Sized,
    {
        let key = self.key(self.set_of(budget_id));
        update(cells, &key, |bytes| {
            let Some(slots) = Slots::parse(bytes) else {
                return Update::Keep(Err(CellError::Unavailable));
            };
            let body = slots.body(budget_id);
            let found = body.map_or_else(
                || Some(Entry::new(budget_id)),
                |body| Entry::decode(budget_id, body),
            );
            let Some(mut entry) = found else {
                return Update::Keep(Err(CellError::Unavailable));
            };
            match decide(&mut entry) {
                Change::Keep(value) => Update::Keep(Ok(Some(value))),
                Change::Store(_) if body.is_none() && !entry.is_empty() && slots.is_full() => {
                    Update::Keep(Ok(None))
                }
                Change::Store(value) => Update::Write(slots.with(&entry, bytes.len()), Ok(Some(value))),
            }
        })?
    }

    /// Looks at every entry of a set and changes it.
    pub(super) fn update_set<C, T>(
        &self,
        cells: &C,
        set: u32,
        mut decide: impl FnMut(&mut Entry) -> Vec<T>,
    ) -> Result<Vec<T>, CellError>
    where
        C: Cells + ?Sized,
    {
        update(cells, &self.key(set), |bytes| {
            let Some(slots) = Slots::parse(bytes) else {
                return Update::Keep(Err(CellError::Unavailable));
            };
            let (mut values, mut out) = (Vec::new(), Vec::with_capacity(bytes.len()));
            for (budget_id, body) in &slots.0 {
                let Some(mut entry) = Entry::decode(budget_id, body) else {
                    return Update::Keep(Err(CellError::Unavailable));
                };
                values.extend(decide(&mut entry));
                put_entry(&mut out, &entry);
            }
            if out == bytes {
                return Update::Keep(Ok(values));
            }
            Update::Write(out, Ok(values))
        })?
    }

    /// Reads a budget's entry.
    pub(super) fn read<C>(&self, cells: &C, budget_id: &str) -> Result<Option<Entry>, CellError>
    where
        C: Cells + ?Sized,
    {
        let cell = cells.get(&self.key(self.set_of(budget_id)))?;
        let slots = Slots::parse(&cell.bytes).ok_or(CellError::Unavailable)?;
        slots
            .body(budget_id)
            .map(|body| Entry::decode(budget_id, body).ok_or(CellError::Unavailable))
            .transpose()
    }

    fn key(&self, set: u32) -> String {
        decimal::numbered(&self.prefix, set.into())
    }

    /// By FNV-1a: ids are the ledger's, not a client's.
    fn set_of(&self, budget_id: &str) -> u32 {
        let hash = budget_id.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        hash % self.sets
    }
}

/// The entries of a set by their budget's id, not decoded.
struct Slots<'a>(Vec<(&'a str, &'a [u8])>);

// === impl Slots ===

impl<'a> Slots<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let mut slots = Vec::with_capacity(WAYS as usize);
        while !reader.is_empty() {
            let id = std::str::from_utf8(reader.bytes()?).ok()?;
            slots.push((id, reader.bytes()?));
        }
        Some(Self(slots))
    }

    fn body(&self, budget_id: &str) -> Option<&'a [u8]> {
        self.0
            .iter()
            .find(|(id, _)| *id == budget_id)
            .map(|(_, body)| *body)
    }

    fn is_full(&self) -> bool {
        self.0.len() >= WAYS as usize
    }

    /// The set's bytes, of which there were so many, with an entry in place of the one that was there.
    fn with(&self, entry: &Entry, len: usize) -> Vec<u8> {
        // An entry grows by a part at a time, or by a lease.
        let mut out = Vec::with_capacity(len + entry.budget_id.len() + entry.size());
        put_entry(&mut out, entry);
        for (id, body) in self.0.iter().filter(|(id, _)| *id != entry.budget_id) {
            put_bytes(&mut out, id.as_bytes());
            put_bytes(&mut out, body);
        }
        out
    }
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    if entry.is_empty() {
        return;
    }
    let mut body = Vec::with_capacity(entry.size());
    entry.encode(&mut body);
    put_bytes(out, entry.budget_id.as_bytes());
    put_bytes(out, &body);
}
