//! Keys by their hash, shared by the workers of one Envoy.
//!
//! A record is *fresh* for a while after the sidecar told it, then *stale*: still good for a request while the
//! sidecar is asked again, so that a known key works while the sidecar is away. Hashes that the sidecar does not
//! know are kept apart and shortly, so that a flood of invented keys neither asks it again and again nor
//! displaces a real one.

mod recent;

use std::rc::Rc;

use self::recent::Recent;
use super::{Change, Entry, Subject, Table};
use crate::cells::{CellError, Cells};
use crate::codec::{Reader, put};
use crate::key::{KeyHash, KeyRecord};
use crate::time::UnixMillis;

/// Longer records are not cached: no cell of the table may grow with what an operator writes.
const MAX_RECORD_BYTES: usize = 8 * 1024;

/// How far an entry may come from the future before it counts as stale: a clock that jumped back must not keep a
/// record fresh for hours.
const CLOCK_SLACK_MS: u64 = 10_000;

/// Records of keys, shared by all workers.
#[derive(Debug)]
pub struct KeyCache {
    known: Table<Known>,
    unknown: Table<Unknown>,
    recent: Recent,
    limits: KeyCacheLimits,
}

/// How much a [`KeyCache`] holds, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyCacheLimits {
    /// Room for this many keys.
    pub max_keys: u32,
    /// Room for this many hashes that the sidecar does not know.
    pub max_unknown: u32,
    /// A record is fresh for so long, in milliseconds.
    pub fresh_ms: u64,
    /// A record is kept for so long after it was fetched, in milliseconds.
    pub keep_ms: u64,
    /// An unknown hash is remembered for so long, in milliseconds.
    pub unknown_ms: u64,
}

/// What the cache says of a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Use it.
    Fresh(Rc<KeyRecord>),
    /// Ask the sidecar again; use it where the sidecar does not answer.
    Stale(KeyRecord),
    /// The sidecar said a moment ago that there is no such key.
    Unknown,
    /// Ask the sidecar.
    Missing,
}

#[derive(Debug)]
struct Known {
    record: KeyRecord,
    fetched_at: UnixMillis,
    absent_at: UnixMillis,
}

#[derive(Debug)]
struct Unknown {
    absent_at: UnixMillis,
}

// === impl KeyCache ===

impl KeyCache {
    /// A cache in the cells `prefix/k/…` and `prefix/u/…`.
    pub fn new(prefix: &str, limits: KeyCacheLimits) -> Self {
        Self {
            known: Table::new(format!("{prefix}/k"), limits.max_keys),
            unknown: Table::new(format!("{prefix}/u"), limits.max_unknown),
            recent: Recent::default(),
            limits,
        }
    }

    /// Looks a hash up: nothing is read for a key that this worker has just read, one cell for another known key,
    /// two for any other.
    ///
    /// # Errors
    /// The host's.
    pub fn lookup<C>(&self, cells: &C, hash: &KeyHash, now: UnixMillis) -> Result<Lookup, CellError>
    where
        C: Cells + ?Sized,
    {
        if let Some(record) = self.recent.get(hash, now) {
            return Ok(Lookup::Fresh(record));
        }
        let subject = Subject::of_hash(&hash.0);
        let known = self.known.read(cells, subject, now)?.entry;
        // The table compares 64 bits; a key is known by all of its hash.
        if let Some(known) = known.filter(|known| known.record.sha256 == *hash) {
            return Ok(if self.is_fresh(known.fetched_at, now) {
                let record = Rc::new(known.record);
                self.recent.keep(Rc::clone(&record), now);
                Lookup::Fresh(record)
            } else {
                Lookup::Stale(known.record)
            });
        }
        let unknown = self.unknown.read(cells, subject, now)?.entry;
        Ok(unknown.map_or(Lookup::Missing, |_| Lookup::Unknown))
    }

    /// Keeps what the sidecar answered to a question asked at `asked_at`: a record, or `None` for no such key.
    /// A change that arrived after the question was asked is newer than the answer and stays.
    ///
    /// # Errors
    /// The host's.
    pub fn resolved<C>(
        &self,
        cells: &C,
        hash: &KeyHash,
        answer: Option<&KeyRecord>,
        asked_at: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        self.recent.forget(hash);
        let is_newer = |known: &Known| known.fetched_at > asked_at && self.is_fresh(known.fetched_at, now);
        self.known
            .update(cells, Subject::of_hash(&hash.0), now, |old, _| {
                if old.as_ref().is_some_and(is_newer) {
                    return Change::Keep(());
                }
                Change::Store(answer.and_then(|record| self.known_from(record, now)), ())
            })?;
        match answer {
            Some(_) => self.forget_unknown(cells, hash, now),
            None => self
                .unknown
                .update(cells, Subject::of_hash(&hash.0), now, |_, _| {
                    let absent_at = UnixMillis(now.0.saturating_add(self.limits.unknown_ms));
                    Change::Store(Some(Unknown { absent_at }), ())
                }),
        }
    }

    /// Takes over a record from the sidecar's list of changes, in place of whatever is there.
    ///
    /// # Errors
    /// The host's.
    pub fn changed<C>(&self, cells: &C, record: &KeyRecord, now: UnixMillis) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        self.recent.forget(&record.sha256);
        let subject = Subject::of_hash(&record.sha256.0);
        self.known.update(cells, subject, now, |_, _| {
            Change::Store(self.known_from(record, now), ())
        })?;
        self.forget_unknown(cells, &record.sha256, now)
    }

    fn forget_unknown<C>(&self, cells: &C, hash: &KeyHash, now: UnixMillis) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        self.unknown
            .update(cells, Subject::of_hash(&hash.0), now, |_, _| {
                Change::Store(None, ())
            })
    }

    fn known_from(&self, record: &KeyRecord, now: UnixMillis) -> Option<Known> {
        let known = Known {
            record: record.clone(),
            fetched_at: now,
            absent_at: UnixMillis(now.0.saturating_add(self.limits.keep_ms)),
        };
        let mut bytes = Vec::new();
        known.encode(&mut bytes);
        (bytes.len() <= MAX_RECORD_BYTES).then_some(known)
    }

    fn is_fresh(&self, fetched_at: UnixMillis, now: UnixMillis) -> bool {
        now.0.saturating_sub(fetched_at.0) < self.limits.fresh_ms
            && fetched_at.0.saturating_sub(now.0) <= CLOCK_SLACK_MS
    }
}

// === impl KeyCacheLimits ===

impl Default for KeyCacheLimits {
    /// 50,000 keys fresh for a minute and kept for a day; 4,096 unknown hashes for ten seconds.
    fn default() -> Self {
        Self {
            max_keys: 50_000,
            max_unknown: 4_096,
            fresh_ms: 60_000,
            keep_ms: 86_400_000,
            unknown_ms: 10_000,
        }
    }
}

// === impl Known ===

impl Entry for Known {
    const FORMAT: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.fetched_at.0);
        put(out, self.absent_at.0);
        // A record has no map with keys that are not text: this cannot fail, and empty bytes would not decode.
        out.extend(serde_json::to_vec(&self.record).unwrap_or_default());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(Self {
            fetched_at: UnixMillis(reader.int()?),
            absent_at: UnixMillis(reader.int()?),
            record: serde_json::from_slice(reader.rest()).ok()?,
        })
    }

    fn absent_at(&self) -> UnixMillis {
        self.absent_at
    }
}

// === impl Unknown ===

impl Entry for Unknown {
    const FORMAT: u8 = 2;

    fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.absent_at.0);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let absent_at = UnixMillis(Reader::new(bytes).int()?);
        Some(Self { absent_at })
    }

    fn absent_at(&self) -> UnixMillis {
        self.absent_at
    }
}

#[cfg(test)]
#[path = "key_cache_tests.rs"]
mod tests;
