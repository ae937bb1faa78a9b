//! A bounded table of subjects that clients can invent: sessions, users, addresses, keys.
//!
//! Shared data has no delete, so a cell for each subject would grow without end. A table has a fixed number of
//! cells, the *sets*; a subject is hashed to one of them and shares it with at most *ways* others. An entry that
//! says nothing any more (a full bucket, an expired record) is dropped at the next write of its set; when a set
//! is full all the same, the entry that is closest to saying nothing makes room. One access is one read and one
//! conditional write.

mod cell;
mod key_cache;

use std::marker::PhantomData;

pub use key_cache::{KeyCache, KeyCacheLimits, Lookup};

use self::cell::Content;
use crate::cells::{CellError, Cells, MAX_ROUNDS, Version};
use crate::decimal;
use crate::time::UnixMillis;

/// How many entries share a cell. With sets for an average of half of that, one set in two hundred is full when
/// the table is.
const WAYS: u32 = 16;

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
    prefix: Box<str>,
    sets: u32,
    ways: usize,
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
    key: String,
    version: Version,
    tag: u64,
    was_stored: bool,
    content: Content,
}

/// Numbers that a set gives out once each, so that an entry that was dropped and made anew is not taken for
/// the old one.
#[derive(Debug)]
pub struct Stamps<'a>(&'a mut Content);

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
        let wanted = max_subjects.max(1);
        let (sets, ways) = if wanted <= WAYS {
            (1, wanted)
        } else {
            (wanted.div_ceil(WAYS / 2), WAYS)
        };
        Self {
            prefix: prefix.into(),
            sets,
            ways: ways as usize,
            entry: PhantomData,
        }
    }

    /// How many subjects there is room for, at most.
    pub fn capacity(&self) -> u64 {
        u64::from(self.sets) * self.ways as u64
    }

    /// Reads a subject's entry: one host call.
    ///
    /// # Errors
    /// The host's, where the cell cannot be read. A cell that makes no sense is empty, not an error.
    pub fn read<C>(&self, cells: &C, subject: Subject, now: UnixMillis) -> Result<Snapshot<E>, CellError>
    where
        C: Cells + ?Sized,
    {
        let key = self.key(subject);
        let cell = cells.get(&key)?;
        let mut content = Content::parse(E::FORMAT, cell.bytes);
        let tag = subject.tag();
        let own = content.remove(tag);
        let entry = own
            .as_ref()
            .filter(|slot| slot.absent_at > now)
            .and_then(|slot| E::decode(content.body(slot)));
        Ok(Snapshot {
            entry,
            key,
            version: cell.version,
            tag,
            was_stored: own.is_some(),
            content,
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
        let Snapshot {
            entry,
            key,
            version,
            tag,
            was_stored,
            mut content,
        } = snapshot;
        let stored = entry.filter(|entry| entry.absent_at() > now);
        if stored.is_none() && !was_stored {
            return Ok(());
        }
        content.drop_absent(now);
        let own = stored.map(|entry| {
            content.make_room(self.ways.saturating_sub(1));
            let mut body = Vec::new();
            entry.encode(&mut body);
            (tag, entry.absent_at(), body)
        });
        cells.set(&key, &content.encode(E::FORMAT, own), version)
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

    fn key(&self, subject: Subject) -> String {
        decimal::numbered(&self.prefix, subject.set_number() % u64::from(self.sets))
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
        (self.entry.take(), Stamps(&mut self.content))
    }
}

// === impl Stamps ===

impl Stamps<'_> {
    /// The next number; it is spent when the snapshot is written.
    pub fn fresh(&mut self) -> u32 {
        self.0.next_stamp()
    }
}

#[cfg(test)]
mod tests;
