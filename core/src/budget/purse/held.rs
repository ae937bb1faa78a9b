//! A lease as the workers of one Envoy keep it.

use crate::codec::Reader;
use crate::time::UnixMillis;
use crate::wire::{LeaseId, LeaseState};

/// Workers with something reserved from one lease at a time, those that died included.
const MAX_PARTS: usize = 256;

/// One worker's VM, of one life: what it has reserved dies with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WorkerTag(pub u64);

/// A lease. What is left to reserve from it is `granted` less everything that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) id: LeaseId,
    pub(super) granted: u64,
    pub(super) returned: u64,
    /// What exchanges have cost, their events sent or not.
    pub(super) settled: u64,
    /// How much of that the ledger knew when it last answered.
    pub(super) settled_at_ledger: u64,
    /// By this gateway's clock, and earlier than by the ledger's: see [`Held::renew`].
    pub(super) expires_at: UnixMillis,
    /// When the budget's period ends, by this gateway's clock.
    pub(super) period_ends_at: UnixMillis,
    /// Nothing will be reserved from it again, and nothing is.
    pub(super) done: bool,
    parts: Vec<Part>,
    /// The number of the last part that was made.
    last_part: u32,
}

/// What one worker has reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// Not given twice in a lease, so that a worker that was taken for dead, and comes back, does not settle what
    /// it reserved before against what it reserves now.
    number: u32,
    worker: WorkerTag,
    reserved: u64,
    /// When no exchange of it can be open any more.
    until: UnixMillis,
}

// === impl WorkerTag ===

impl WorkerTag {
    /// The tag of a worker with this random name.
    pub fn of(worker: [u8; 16]) -> Self {
        let (first, _) = worker.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        Self(u64::from_le_bytes(*first))
    }
}

// === impl Held ===

impl Held {
    pub(super) const fn new(id: LeaseId) -> Self {
        Self {
            id,
            granted: 0,
            returned: 0,
            settled: 0,
            settled_at_ledger: 0,
            expires_at: UnixMillis(0),
            period_ends_at: UnixMillis(0),
            done: false,
            parts: Vec::new(),
            last_part: 0,
        }
    }

    pub(super) fn reserved(&self) -> u64 {
        self.parts
            .iter()
            .fold(0, |sum, part| sum.saturating_add(part.reserved))
    }

    /// What is charged or reserved: [`crate::wire::LeaseHold::used`].
    pub(super) fn used(&self) -> u64 {
        self.settled.saturating_add(self.reserved())
    }

    /// What can be reserved.
    pub(super) fn free(&self) -> u64 {
        let gone = self.used().saturating_add(self.returned);
        self.granted.saturating_sub(gone)
    }

    /// Whether a request may reserve from it.
    pub(super) fn is_open(&self, now: UnixMillis) -> bool {
        !self.done && now < self.expires_at && now < self.period_ends_at
    }

    /// Takes over what the ledger says to a message sent at `sent_at`. The ledger's spans began later than
    /// that, so the ends that are computed from it are never too late; answers may come in any order, so the
    /// latest end counts.
    pub(super) fn renew(&mut self, state: &LeaseState, period_ends_in_ms: Option<u64>, sent_at: UnixMillis) {
        self.granted = self.granted.max(state.granted);
        self.settled_at_ledger = self.settled_at_ledger.max(state.settled);
        self.expires_at = self.expires_at.max(sent_at.plus(state.expires_in_ms));
        let period_end = period_ends_in_ms.map_or(UnixMillis(u64::MAX), |ms| sent_at.plus(ms));
        self.period_ends_at = self.period_ends_at.max(period_end);
    }

    /// The clock has jumped back: forgets the ends that were computed by it, for the ledger to say them again, and
    /// keeps reservations for as long as before.
    pub(super) fn set_back(&mut self, by_ms: u64) {
        self.expires_at = UnixMillis(0);
        self.period_ends_at = UnixMillis(0);
        for part in &mut self.parts {
            part.until = part.until.minus(by_ms);
        }
    }

    /// Reserves, and says as which part; `None` where there is not enough.
    pub(super) fn reserve(&mut self, worker: WorkerTag, amount: u64, until: UnixMillis) -> Option<u32> {
        if self.free() < amount {
            return None;
        }
        if let Some(part) = self.parts.iter_mut().find(|part| part.worker == worker) {
            part.reserved = part.reserved.saturating_add(amount);
            part.until = part.until.max(until);
            return Some(part.number);
        }
        if self.parts.len() >= MAX_PARTS {
            return None;
        }
        self.last_part = self.last_part.wrapping_add(1);
        self.parts.push(Part {
            number: self.last_part,
            worker,
            reserved: amount,
            until,
        });
        Some(self.last_part)
    }

    /// Ends a reservation; false where its part is no more: its worker was taken for dead, and it counts as
    /// settled in full.
    pub(super) fn settle(&mut self, number: u32, reserved: u64, charged: u64) -> bool {
        let found = self.parts.iter().position(|part| part.number == number);
        let Some((at, part)) = found.and_then(|at| Some((at, self.parts.get_mut(at)?))) else {
            return false;
        };
        part.reserved = part.reserved.saturating_sub(reserved);
        if part.reserved == 0 {
            self.parts.swap_remove(at);
        }
        self.settled = self.settled.saturating_add(charged);
        true
    }

    /// Counts what a dead worker had reserved as settled in full, as its events will say.
    pub(super) fn write_off(&mut self, is_dead: impl Fn(WorkerTag, UnixMillis) -> bool) {
        let mut lost = 0_u64;
        self.parts.retain(|part| {
            let dead = is_dead(part.worker, part.until);
            if dead {
                lost = lost.saturating_add(part.reserved);
            }
            !dead
        });
        self.settled = self.settled.saturating_add(lost);
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for number in [
            self.id.0,
            self.granted,
            self.returned,
            self.settled,
            self.settled_at_ledger,
            self.expires_at.0,
            self.period_ends_at.0,
            u64::from(self.done),
            u64::from(self.last_part),
            self.parts.len() as u64,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for part in &self.parts {
            for number in [u64::from(part.number), part.worker.0, part.reserved, part.until.0] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let mut held = Self {
            id: LeaseId(reader.fixed_u64()?),
            granted: reader.fixed_u64()?,
            returned: reader.fixed_u64()?,
            settled: reader.fixed_u64()?,
            settled_at_ledger: reader.fixed_u64()?,
            expires_at: UnixMillis(reader.fixed_u64()?),
            period_ends_at: UnixMillis(reader.fixed_u64()?),
            done: reader.fixed_u64()? == 1,
            last_part: u32::try_from(reader.fixed_u64()?).ok()?,
            parts: Vec::new(),
        };
        for _ in 0..reader.fixed_u64()? {
            held.parts.push(Part {
                number: u32::try_from(reader.fixed_u64()?).ok()?,
                worker: WorkerTag(reader.fixed_u64()?),
                reserved: reader.fixed_u64()?,
                until: UnixMillis(reader.fixed_u64()?),
            });
        }
        Some(held)
    }

    /// How many bytes it takes.
    pub(super) const fn size(&self) -> usize {
        80 + 32 * self.parts.len()
    }
}
