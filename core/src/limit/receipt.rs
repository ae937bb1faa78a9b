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
    pub(super) taken_at: UnixMillis,
    pub(super) portions: Vec<Portion>,
}

/// What was taken from one group: one entry of its table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Portion {
    /// The group's `per`.
    pub(super) per: u8,
    pub(super) subject: Subject,
    pub(super) items: Vec<Item>,
}

/// What was taken from one limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The limit's id.
    pub(super) id: u32,
    /// The record's birth.
    pub(super) birth: u32,
    pub(super) reserved: u64,
    /// How far the meter's clock was ahead of the receipt's, in milliseconds.
    pub(super) ahead_ms: u64,
}

// === impl Receipt ===

impl Receipt {
    /// A receipt for nothing.
    pub const fn empty(taken_at: UnixMillis) -> Self {
        Self {
            taken_at,
            portions: Vec::new(),
        }
    }

    /// Whether there is nothing to settle.
    pub fn is_empty(&self) -> bool {
        self.portions.is_empty()
    }

    /// The bytes for another worker: about 30 for one limit.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        put(&mut out, self.taken_at.0);
        for portion in &self.portions {
            out.push(portion.per);
            out.extend(portion.subject.0);
            put(&mut out, portion.items.len() as u64);
            for item in &portion.items {
                put(&mut out, item.id);
                put(&mut out, item.birth);
                put(&mut out, item.reserved);
                put(&mut out, item.ahead_ms);
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
        let mut receipt = Self::empty(UnixMillis(reader.int()?));
        while !reader.is_empty() {
            let per = reader.byte()?;
            let subject = Subject(reader.array()?);
            let count: usize = reader.int()?;
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(Item {
                    id: reader.int()?,
                    birth: reader.int()?,
                    reserved: reader.int()?,
                    ahead_ms: reader.int()?,
                });
            }
            receipt.portions.push(Portion { per, subject, items });
        }
        Some(receipt)
    }
}
