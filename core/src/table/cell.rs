//! The bytes of one set: `format, entry format, last stamp, (tag, absent at, length, body)*`, integers of fixed width.
//!
//! A set is read by one walk over its slots and written by copying: the entries of other subjects are never decoded.

use std::ops::Range;

use crate::codec::Reader;
use crate::time::UnixMillis;

/// Changes with the layout of this file.
const FORMAT: u8 = 2;
/// Bytes before the first slot, and where the last stamp is among them.
const HEAD: usize = 6;
const STAMP: Range<usize> = 2..HEAD;
/// Bytes of a slot before its body.
const SLOT_HEAD: usize = 20;
/// For what an entry grows by when it is rewritten, so that the bytes are rarely moved.
const ROOM: usize = 256;

/// A set, with one subject's entry found and everything left where it stands.
#[derive(Debug)]
pub(super) struct Content {
    bytes: Vec<u8>,
    pub(super) last_stamp: u32,
    own: Option<Own>,
    /// How many entries there are beside the subject's own, and when the first of them says nothing any more.
    others: usize,
    first_absent: UnixMillis,
}

/// Where the subject's entry stands.
#[derive(Debug)]
struct Own {
    slot: Range<usize>,
    absent_at: UnixMillis,
}

/// One entry of a set.
struct Slot<'a> {
    tag: u64,
    absent_at: UnixMillis,
    body: &'a [u8],
}

// === impl Content ===

impl Content {
    /// Reads a cell for one subject. Whatever does not parse to the last byte is an empty set.
    pub(super) fn parse(entry_format: u8, bytes: Vec<u8>, tag: u64) -> Self {
        let mut content = Self::empty();
        if content.walk(entry_format, &bytes, tag).is_none() {
            return Self::empty();
        }
        content.bytes = bytes;
        content
    }

    fn empty() -> Self {
        Self {
            bytes: Vec::new(),
            last_stamp: 0,
            own: None,
            others: 0,
            first_absent: UnixMillis(u64::MAX),
        }
    }

    fn walk(&mut self, entry_format: u8, bytes: &[u8], tag: u64) -> Option<()> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != FORMAT || reader.byte()? != entry_format {
            return None;
        }
        self.last_stamp = reader.fixed_u32()?;
        while !reader.is_empty() {
            let start = bytes.len() - reader.rest().len();
            let slot = Slot::read(&mut reader)?;
            if slot.tag == tag && self.own.is_none() {
                self.own = Some(Own {
                    slot: start..start + SLOT_HEAD + slot.body.len(),
                    absent_at: slot.absent_at,
                });
            } else {
                self.others += 1;
                self.first_absent = self.first_absent.min(slot.absent_at);
            }
        }
        Some(())
    }

    /// The set's bytes; none, where what was read made no sense.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the subject has an entry here, be it one that says nothing any more.
    pub(super) const fn has_own(&self) -> bool {
        self.own.is_some()
    }

    /// The bytes of the subject's entry, where it still says something.
    pub(super) fn body(&self, now: UnixMillis) -> Option<&[u8]> {
        let own = self.own.as_ref().filter(|own| own.absent_at > now)?;
        self.bytes.get(own.slot.start + SLOT_HEAD..own.slot.end)
    }

    /// The bytes of the set with another entry of the subject: `write` appends its body and says from when on that
    /// says nothing; where that is past already, none is stored. Others that say nothing are dropped, and those
    /// closest to it where there would be more than `ways`.
    pub(super) fn rewritten<T>(
        &self,
        entry_format: u8,
        tag: u64,
        now: UnixMillis,
        ways: usize,
        write: impl FnOnce(&mut Vec<u8>) -> (UnixMillis, u32, T),
    ) -> (Vec<u8>, T) {
        let mut out = Vec::with_capacity(self.bytes.len() + HEAD + SLOT_HEAD + ROOM);
        out.extend_from_slice(&[FORMAT, entry_format, 0, 0, 0, 0]);
        let at = put_slot_head(&mut out, tag);
        let (absent_at, last_stamp, value) = write(&mut out);
        patch(&mut out, STAMP, &last_stamp.to_le_bytes());
        let room = if absent_at > now {
            finish_slot(&mut out, at, absent_at);
            ways.saturating_sub(1)
        } else {
            out.truncate(HEAD);
            ways
        };
        self.put_others(&mut out, now, room);
        (out, value)
    }

    /// Appends the entries of other subjects.
    fn put_others(&self, out: &mut Vec<u8>, now: UnixMillis, room: usize) {
        let (before, after) = self.around_own();
        if self.first_absent > now && self.others <= room {
            // Nearly always.
            out.extend_from_slice(before);
            out.extend_from_slice(after);
            return;
        }
        let mut kept: Vec<Slot<'_>> = slots(before)
            .chain(slots(after))
            .filter(|slot| slot.absent_at > now)
            .collect();
        if kept.len() > room {
            kept.sort_by_key(|slot| std::cmp::Reverse(slot.absent_at));
            kept.truncate(room);
        }
        for slot in kept {
            let at = put_slot_head(out, slot.tag);
            out.extend_from_slice(slot.body);
            finish_slot(out, at, slot.absent_at);
        }
    }

    /// The slots in front of the subject's own, and behind it.
    fn around_own(&self) -> (&[u8], &[u8]) {
        let end = self.bytes.len();
        let own = self.own.as_ref().map_or(end..end, |own| own.slot.clone());
        let before = self.bytes.get(HEAD..own.start).unwrap_or_default();
        let after = self.bytes.get(own.end..).unwrap_or_default();
        (before, after)
    }
}

// === impl Slot ===

impl<'a> Slot<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let tag = reader.fixed_u64()?;
        let absent_at = UnixMillis(reader.fixed_u64()?);
        let len = usize::try_from(reader.fixed_u32()?).ok()?;
        let body = reader.take(len)?;
        Some(Self { tag, absent_at, body })
    }
}

/// The slots of bytes that were walked before.
fn slots(bytes: &[u8]) -> impl Iterator<Item = Slot<'_>> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || Slot::read(&mut reader))
}

/// Appends a slot's head, to be finished when its body is written, and says where it starts.
fn put_slot_head(out: &mut Vec<u8>, tag: u64) -> usize {
    let at = out.len();
    out.extend_from_slice(&tag.to_le_bytes());
    out.extend_from_slice(&[0; SLOT_HEAD - 8]);
    at
}

fn finish_slot(out: &mut [u8], at: usize, absent_at: UnixMillis) {
    let len = out.len().saturating_sub(at + SLOT_HEAD);
    // A body of 4 GiB does not fit the VM; were there one, the set would not parse and count as empty.
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    patch(out, at + 8..at + 16, &absent_at.0.to_le_bytes());
    patch(out, at + 16..at + SLOT_HEAD, &len.to_le_bytes());
}

fn patch(out: &mut [u8], at: Range<usize>, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at) {
        place.copy_from_slice(bytes);
    }
}
