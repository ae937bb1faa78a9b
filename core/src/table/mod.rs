//! A bounded table of subjects that clients can invent: sessions, users, addresses, keys.
//!
//! Shared data has no delete, so a cell for each subject would grow without end. A table has a fixed number of
//! cells, the *sets*; a subject is hashed to one of them and shares it with at most *ways* others. An entry that
//! says nothing any more (a full bucket, an expired record) is dropped at the next write of its set; when a set
//! is full all the same, the entry that is closest to saying nothing makes room. One access is one read and one
//! conditional write.

mod cell;
mod key_cache;
mod sets;

use std::marker::PhantomData;

pub use key_cache::{KeyCache, KeyCacheLimits, Lookup};
pub(crate) use sets::{Opened, Sets};

use crate::cells::{CellError, Cells, MAX_ROUNDS};
use crate::time::UnixMillis;

/// What a table keeps for a subject.
pub trait Entry: Sized {
    /// Changes with the encoding: cells of another format read as empty.
    const FORMAT: u8;

    /// Appends the entry's bytes.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything else.
    fn decode(bytes: &[u8]) -> Option<Self>;

    /// From when on the entry says no more than an absent one does.
    fn absent_at(&self) -> UnixMillis;
}

/// A bounded table of entries of one kind.
#[derive(Debug)]
pub struct Table<E> {
    sets: Sets,
    entry: PhantomData<fn() -> E>,
}

/// A subject, hashed: 128 bits, the same in every worker. Whoever hashes takes a strong hash, so that nobody
/// finds two subjects with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject(pub [u8; 16]);

/// What was read of a subject and its set, to be written back by [`Table::write`].
#[derive(Debug)]
pub struct Snapshot<E> {
    /// The subject's entry, absent where there is none (or no more).
    pub entry: Option<E>,
    opened: Opened,
}

/// Numbers that a set gives out once each, so that an entry that was dropped and made anew is not taken for
/// the old one.
#[derive(Debug)]
pub struct Stamps<'a>(&'a mut u32);

/// What [`Table::update`] does with an entry after looking at it.
#[derive(Debug)]
pub enum Change<E, T> {
    /// Store this entry (nothing, where it is `None`), then return the value.
    Store(Option<E>, T),
    /// Leave the entry as it is and return the value.
    Keep(T),
}

// === impl Table ===

impl<E: Entry> Table<E> {
    /// A table whose cells are `prefix/0`, `prefix/1` … and which keeps about `max_subjects` subjects.
    pub fn new(prefix: impl Into<Box<str>>, max_subjects: u32) -> Self {
        Self {
            sets: Sets::new(prefix, max_subjects, E::FORMAT),
            entry: PhantomData,
        }
    }

    /// How many subjects there is room for, at most.
    pub fn capacity(&self) -> u64 {
        self.sets.capacity()
    }

    /// Reads a subject's entry: one host call.
    ///
    /// # Errors
    /// The host's, where the cell cannot be read. A cell that makes no sense is empty, not an error.
    pub fn read<C>(&self, cells: &C, subject: Subject, now: UnixMillis) -> Result<Snapshot<E>, CellError>
    where
        C: Cells + ?Sized,
    {
        let opened = self.sets.open(cells, subject)?;
        Ok(Snapshot {
            entry: opened.body(now).and_then(E::decode),
            opened,
        })
    }

    /// Writes a snapshot back, with its entry as the caller changed it: one host call, or none where nothing was
    /// stored and nothing is.
    ///
    /// # Errors
    /// [`CellError::Conflict`] where another worker wrote since: read again.
    pub fn write<C>(&self, cells: &C, snapshot: Snapshot<E>, now: UnixMillis) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        let Snapshot { entry, opened } = snapshot;
        let stored = entry.filter(|entry| entry.absent_at() > now);
        if stored.is_none() && !opened.was_stored() {
            return Ok(());
        }
        let (bytes, ()) = self.sets.rewritten(&opened, now, |_, out, _| {
            let absent_at = stored.map(|entry| {
                entry.encode(out);
                entry.absent_at()
            });
            (absent_at.unwrap_or(now), ())
        });
        opened.store(cells, &bytes)
    }

    /// Reads, decides, writes; again where another worker wrote in between. `decide` may run several times; it
    /// gets the entry and a stamp that no entry of this set was given before.
    ///
    /// # Errors
    /// [`CellError::Unavailable`] where the host refuses or conflicts do not end.
    pub fn update<C, T>(
        &self,
        cells: &C,
        subject: Subject,
        now: UnixMillis,
        mut decide: impl FnMut(Option<E>, &mut Stamps<'_>) -> Change<E, T>,
    ) -> Result<T, CellError>
    where
        C: Cells + ?Sized,
    {
        for _ in 0..MAX_ROUNDS {
            let mut snapshot = self.read(cells, subject, now)?;
            let (entry, mut stamps) = snapshot.open();
            match decide(entry, &mut stamps) {
                Change::Keep(value) => return Ok(value),
                Change::Store(changed, value) => {
                    snapshot.entry = changed;
                    match self.write(cells, snapshot, now) {
                        Ok(()) => return Ok(value),
                        Err(CellError::Conflict) => {}
                        Err(CellError::Unavailable) => return Err(CellError::Unavailable),
                    }
                }
            }
        }
        Err(CellError::Unavailable)
    }
}

// === impl Subject ===

impl Subject {
    /// The first 128 bits of a longer hash.
    pub fn of_hash(hash: &[u8; 32]) -> Self {
        let mut head = [0; 16];
        for (to, from) in head.iter_mut().zip(hash) {
            *to = *from;
        }
        Self(head)
    }

    fn set_number(self) -> u64 {
        (u128::from_le_bytes(self.0) >> 64) as u64
    }

    fn tag(self) -> u64 {
        u128::from_le_bytes(self.0) as u64
    }
}

// === impl Snapshot ===

impl<E> Snapshot<E> {
    /// Takes the entry out and gives it together with the source of new stamps.
    pub fn open(&mut self) -> (Option<E>, Stamps<'_>) {
        (self.entry.take(), self.opened.stamps())
    }
}

// === impl Stamps ===

impl Stamps<'_> {
    /// The next number; it is spent when the snapshot is written.
    pub const fn fresh(&mut self) -> u32 {
        *self.0 = self.0.wrapping_add(1);
        *self.0
    }
}

#[cfg(test)]
mod tests;
