//! A table's cells, each read and written as a whole; what an entry's bytes mean is up to whoever asks.

use super::cell::Content;
use super::{Stamps, Subject};
use crate::cells::{CellError, Cells, Recall, Version};
use crate::decimal;
use crate::time::UnixMillis;

/// How many entries share a cell. With sets for an average of half of that, one set in two hundred is full when
/// the table is.
const WAYS: u32 = 16;

/// The cells of a table.
#[derive(Debug)]
pub(crate) struct Sets {
    prefix: Box<str>,
    count: u32,
    ways: usize,
    /// Cells of entries of another format read as empty.
    entry_format: u8,
    /// Tells the cells of tables apart that share a [`Recall`].
    family: u32,
}

/// A subject's set as it was read.
#[derive(Debug)]
pub(crate) struct Opened {
    key: String,
    version: Version,
    /// Its place in a [`Recall`].
    place: u64,
    /// Whether this is what the worker remembers to have written, which nobody has confirmed.
    is_recalled: bool,
    tag: u64,
    content: Content,
}

// === impl Sets ===

impl Sets {
    /// The cells `prefix/0`, `prefix/1` … for about `max_subjects` subjects.
    pub(crate) fn new(prefix: impl Into<Box<str>>, max_subjects: u32, entry_format: u8) -> Self {
        let wanted = max_subjects.max(1);
        let (count, ways) = if wanted <= WAYS {
            (1, wanted)
        } else {
            (wanted.div_ceil(WAYS / 2), WAYS)
        };
        Self {
            prefix: prefix.into(),
            count,
            ways: ways as usize,
            entry_format,
            family: 0,
        }
    }

    /// The same, as one of several tables that share a [`Recall`].
    pub(crate) const fn in_family(mut self, family: u32) -> Self {
        self.family = family;
        self
    }

    /// How many subjects there is room for, at most.
    pub(crate) fn capacity(&self) -> u64 {
        u64::from(self.count) * self.ways as u64
    }

    /// Reads a subject's set: one host call.
    ///
    /// # Errors
    /// The host's, where the cell cannot be read. A cell that makes no sense is empty, not an error.
    pub(crate) fn open<C>(&self, cells: &C, subject: Subject) -> Result<Opened, CellError>
    where
        C: Cells + ?Sized,
    {
        let number = self.number(subject);
        let key = decimal::numbered(&self.prefix, number);
        let cell = cells.get(&key)?;
        let tag = subject.tag();
        Ok(Opened {
            key,
            version: cell.version,
            place: self.place(number),
            is_recalled: false,
            tag,
            content: Content::parse(self.entry_format, cell.bytes, tag),
        })
    }

    /// A subject's set as this worker remembers to have written it. It may be outdated: nothing may follow from it but
    /// an [`Opened::store`], whose success says that it was not.
    pub(crate) fn recall(&self, recall: &Recall, subject: Subject, now: UnixMillis) -> Option<Opened> {
        let place = self.place(self.number(subject));
        let written = recall.take(place, now)?;
        let tag = subject.tag();
        Some(Opened {
            key: written.key,
            version: written.version,
            place,
            is_recalled: true,
            tag,
            content: Content::parse(self.entry_format, written.bytes, tag),
        })
    }

    fn number(&self, subject: Subject) -> u64 {
        subject.set_number() % u64::from(self.count)
    }

    fn place(&self, number: u64) -> u64 {
        u64::from(self.family) << 32 | number
    }

    /// The set's bytes with another entry of its subject. `write` gets the entry's bytes (none, where it says nothing)
    /// and appends the new ones; it says from when on these say nothing, which is now where nothing is to be stored.
    pub(crate) fn rewritten<T>(
        &self,
        opened: &Opened,
        now: UnixMillis,
        write: impl FnOnce(&[u8], &mut Vec<u8>, &mut Stamps<'_>) -> (UnixMillis, T),
    ) -> (Vec<u8>, T) {
        let content = &opened.content;
        content.rewritten(self.entry_format, opened.tag, now, self.ways, |out| {
            let mut last_stamp = content.last_stamp;
            let old = content.body(now).unwrap_or_default();
            let (absent_at, value) = write(old, out, &mut Stamps(&mut last_stamp));
            (absent_at, last_stamp, value)
        })
    }
}

// === impl Opened ===

impl Opened {
    /// The bytes of the subject's entry, where it says something.
    pub(crate) fn body(&self, now: UnixMillis) -> Option<&[u8]> {
        self.content.body(now)
    }

    /// Whether the set has an entry of the subject, be it one that says nothing any more.
    pub(crate) const fn was_stored(&self) -> bool {
        self.content.has_own()
    }

    /// The source of new stamps; what was given is spent when the set is written.
    pub(super) const fn stamps(&mut self) -> Stamps<'_> {
        Stamps(&mut self.content.last_stamp)
    }

    /// Whether this is only what the worker remembers, and nobody has confirmed it.
    pub(crate) const fn is_recalled(&self) -> bool {
        self.is_recalled
    }

    /// Writes what [`Sets::rewritten`] made of it: one host call.
    ///
    /// # Errors
    /// [`CellError::Conflict`] where another worker wrote since: open it again.
    pub(crate) fn store<C>(&self, cells: &C, bytes: &[u8]) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        cells.set(&self.key, bytes, self.version)
    }

    /// As [`store`](Self::store), and remembers what was written. It is stored once: what is left afterwards can be
    /// looked at.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    pub(crate) fn store_and_recall<C>(
        &mut self,
        cells: &C,
        bytes: Vec<u8>,
        recall: &Recall,
        now: UnixMillis,
    ) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        let stored = self.store(cells, &bytes);
        if self.is_recalled && stored != Err(CellError::Unavailable) {
            recall.guessed(stored.is_ok(), now);
        }
        if stored.is_ok() {
            self.is_recalled = false;
            recall.wrote(cells, self.place, std::mem::take(&mut self.key), bytes, now);
        }
        stored
    }

    /// Puts back what was read, where what [`store_and_recall`](Self::store_and_recall) wrote is still remembered and
    /// stands in the cell as it was written: two host calls. Whether it did; where not, what was written is still
    /// there, or more.
    pub(crate) fn undo<C>(&self, cells: &C, recall: &Recall, now: UnixMillis) -> bool
    where
        C: Cells + ?Sized,
    {
        let Some(written) = recall.take_back(self.place, now) else {
            return false;
        };
        let found = cells.get(&written.key);
        found.is_ok_and(|cell| {
            cell.bytes == written.bytes
                && cells
                    .set(&written.key, self.content.bytes(), cell.version)
                    .is_ok()
        })
    }
}
