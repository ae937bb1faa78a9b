//! What a request took, so that it can be settled: by the worker that took it, or by another after a crash.

use crate::codec::{Reader, put};
use crate::table::Subject;
use crate::time::UnixMillis;

/// Changes with the encoding.
const FORMAT: u8 = 1;

/// What a request took from which limits. Settled once: whoever holds it gives it up to
/// [`Limits::settle`](super::Limits::settle) or one of its siblings. Not settled at all, requests and tokens
/// stay counted as they were reserved and slots expire.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "settle it, or what was reserved stays counted"]
pub struct Receipt {
    portions: Vec<Portion>,
    /// Those of all portions, one portion's after the other's.
    items: Vec<Item>,
}

/// What was taken from one group: one entry of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Portion {
    /// The group's `per`.
    pub(super) per: u8,
    pub(super) subject: Subject,
    /// How many items are its own.
    items: usize,
}

/// What was taken from one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Item {
    /// The limit's id.
    pub(super) id: u32,
    /// The record's birth.
    pub(super) birth: u32,
    pub(super) reserved: u64,
    /// By the meter's clock: when the worker took it, or the share that it is from.
    pub(super) reserved_at: UnixMillis,
}

// === impl Receipt ===

impl Receipt {
    /// A receipt for nothing.
    pub const fn empty() -> Self {
        Self {
            portions: Vec::new(),
            items: Vec::new(),
        }
    }

    /// A receipt for nothing, with room.
    pub(super) fn with_room(portions: usize, items: usize) -> Self {
        Self {
            portions: Vec::with_capacity(portions),
            items: Vec::with_capacity(items),
        }
    }

    /// Adds what was taken from one group, if anything was.
    pub(super) fn add(&mut self, per: u8, subject: Subject, items: impl Iterator<Item = Item>) {
        let before = self.items.len();
        self.items.extend(items);
        let items = self.items.len() - before;
        if items > 0 {
            self.portions.push(Portion { per, subject, items });
        }
    }

    /// What was taken, group by group.
    pub(super) fn portions(&self) -> impl Iterator<Item = (&Portion, &[Item])> {
        let mut rest = self.items.as_slice();
        self.portions.iter().map(move |portion| {
            let (items, others) = rest.split_at_checked(portion.items).unwrap_or_default();
            rest = others;
            (portion, items)
        })
    }

    /// Whether there is nothing to settle.
    pub fn is_empty(&self) -> bool {
        self.portions.is_empty()
    }

    /// The bytes for another worker: about 30 for one limit.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        let since = self
            .items
            .iter()
            .map(|item| item.reserved_at.0)
            .min()
            .unwrap_or(0);
        put(&mut out, since);
        for (portion, items) in self.portions() {
            out.push(portion.per);
            out.extend(portion.subject.0);
            put(&mut out, items.len() as u64);
            for item in items {
                put(&mut out, item.id);
                put(&mut out, item.birth);
                put(&mut out, item.reserved);
                put(&mut out, item.reserved_at.0 - since);
            }
        }
        out
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != FORMAT {
            return None;
        }
        let since: u64 = reader.int()?;
        let mut receipt = Self::empty();
        while !reader.is_empty() {
            let per = reader.byte()?;
            let subject = Subject(reader.array()?);
            let count: usize = reader.int()?;
            for _ in 0..count {
                receipt.items.push(Item {
                    id: reader.int()?,
                    birth: reader.int()?,
                    reserved: reader.int()?,
                    reserved_at: UnixMillis(since.saturating_add(reader.int()?)),
                });
            }
            receipt.portions.push(Portion {
                per,
                subject,
                items: count,
            });
        }
        Some(receipt)
    }
}
