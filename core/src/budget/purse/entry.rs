//! What the workers of one Envoy know of one budget: its leases, and what shall become of them.

use super::held::Held;
use super::recent::Recent;
use super::standing::Known;
use crate::codec::Reader;
use crate::time::UnixMillis;
use crate::wire::{LeaseHold, LeaseId, LeaseState, LeaseStatus};

/// Leases of a budget that wait for their last reservations: of past periods, or replaced. The oldest is
/// forgotten for a fifth; what is reserved from it is then charged late.
const MAX_DRAINING: usize = 4;

/// An answer that took longer than this, in milliseconds, is not believed. Callouts time out far sooner.
pub(super) const MAX_ANSWER_AGE_MS: u64 = 10_000;

/// A clock may seem to go back by this much, in milliseconds, between workers.
const CLOCK_SLACK_MS: u64 = 1_000;

/// A lease that nobody touched for so many milliseconds is given back.
const IDLE_MS: u64 = 15_000;

/// A lease that was used within so many milliseconds may be used again at once: a sublease of it pays.
const BUSY_MS: u64 = 250;

/// For so many milliseconds after a lease was closed the entry knows that it was: longer than any answer that
/// names the lease can be under way.
const TOMB_MS: u64 = 3 * MAX_ANSWER_AGE_MS;

/// What the workers of one Envoy know of one budget.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Entry {
    pub(super) budget_id: String,
    /// The lease to reserve from.
    pub(super) current: Option<Held>,
    pub(super) draining: Vec<Held>,
    /// The budget, as the ledger last told it.
    pub(super) amount: u64,
    pub(super) spent: u64,
    pub(super) scarce: bool,
    /// What requests that wait for the ledger need together.
    waiting: u64,
    /// When none of them waits any more, whatever became of it.
    waiting_until: UnixMillis,
    recent: Recent,
    /// The last time that the clock showed.
    seen_at: UnixMillis,
    /// When a lease was last granted, reserved from or settled.
    touched_at: UnixMillis,
    /// The newest lease that was closed: an answer that still names it, or an older one, came too late.
    closed: LeaseId,
    /// Until when `closed` must be known.
    tomb_until: UnixMillis,
}

// === impl Entry ===

impl Entry {
    pub(super) fn new(budget_id: &str) -> Self {
        Self {
            budget_id: budget_id.to_owned(),
            ..Self::default()
        }
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.current.is_none() && self.draining.is_empty() && self.tomb_until <= self.seen_at
    }

    /// To be called before anything else: sees to a clock that has jumped back (the ends of leases say nothing
    /// then, and the ledger must be asked) and to reservations that nobody will ever settle.
    pub(super) fn advance(&mut self, now: UnixMillis) {
        if now.plus(CLOCK_SLACK_MS) < self.seen_at {
            let by_ms = self.seen_at.0 - now.0;
            for held in self.all_mut() {
                held.set_back(by_ms);
            }
            // What ends at some time ends as long from now as it did before.
            self.waiting_until = self.waiting_until.minus(by_ms);
            self.tomb_until = self.tomb_until.minus(by_ms);
            self.seen_at = now;
            self.touched_at = now;
        }
        self.seen_at = self.seen_at.max(now);
        for held in self.all_mut() {
            held.write_off(|_, until| until <= now);
        }
        if self.waiting_until <= now {
            self.waiting = 0;
        }
        self.recent.advance(now);
    }

    /// Notes use of a lease.
    pub(super) fn touch(&mut self, now: UnixMillis) {
        self.touched_at = now;
    }

    /// Whether one request comes after the other.
    pub(super) fn is_busy(&self, now: UnixMillis) -> bool {
        now.0.saturating_sub(self.touched_at.0) <= BUSY_MS && self.recent.total() > 0
    }

    pub(super) fn charge(&mut self, charged: u64, now: UnixMillis) {
        self.recent.charge(charged);
        self.touch(now);
    }

    pub(super) fn wait(&mut self, amount: u64, until: UnixMillis) {
        self.waiting = self.waiting.saturating_add(amount);
        self.waiting_until = self.waiting_until.max(until);
    }

    pub(super) fn stop_waiting(&mut self, amount: u64) {
        self.waiting = self.waiting.saturating_sub(amount);
    }

    /// Whether a request waits for the ledger.
    pub(super) const fn is_waited_for(&self) -> bool {
        self.waiting > 0
    }

    pub(super) fn find_mut(&mut self, id: LeaseId) -> Option<&mut Held> {
        self.all_mut().find(|held| held.id == id)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.current.iter_mut().chain(&mut self.draining)
    }

    fn all(&self) -> impl Iterator<Item = &Held> {
        self.current.iter().chain(&self.draining)
    }

    /// What the ledger has charged, and what it has not heard of yet.
    pub(super) fn spent_by_now(&self) -> u64 {
        self.all()
            .map(|held| held.settled.saturating_sub(held.settled_at_ledger))
            .fold(self.spent, u64::saturating_add)
    }

    /// How the budget stands, where there is a lease to reserve from.
    pub(super) fn known(&self) -> Option<Known> {
        self.current.is_some().then(|| Known {
            amount: self.amount,
            used: self.spent_by_now(),
        })
    }

    /// Takes over what the ledger says of the budget and a lease of it. A lease that is newer than the current
    /// one replaces it; one that is older and not known was forgotten long ago.
    pub(super) fn learn(&mut self, told: &Told<'_>, sent_at: UnixMillis, now: UnixMillis, may_be_new: bool) {
        let id = told.lease.lease_id;
        // Where the clock has jumped back in between, the ends count from now.
        let sent_at = sent_at.min(now);
        let newest = self.all().map(|held| held.id).max();
        let is_new = may_be_new && newest.is_none_or(|newest| newest < id) && self.closed < id;
        if is_new {
            self.retire();
            self.current = Some(Held::new(id));
            self.touch(now);
        } else if may_be_new && told.lease.status == LeaseStatus::Open {
            self.take_up(id);
        }
        let is_current = self.current.as_ref().is_some_and(|held| held.id == id);
        if is_current {
            self.spent = if is_new {
                told.spent
            } else {
                self.spent.max(told.spent)
            };
            self.amount = told.amount;
            self.scarce = told.lease.scarce;
        }
        match told.lease.status {
            LeaseStatus::Closed => self.forget(id, now),
            LeaseStatus::Open | LeaseStatus::Retired => {
                if let Some(held) = self.find_mut(id) {
                    held.renew(told.lease, told.period_ends_in_ms, sent_at);
                }
                if is_current && told.lease.status == LeaseStatus::Retired {
                    self.retire();
                }
            }
        }
    }

    /// What the ledger is told of the newest lease when a request asks for more.
    pub(super) fn hold(&self) -> Option<LeaseHold> {
        let newest = self.all().max_by_key(|held| held.id)?;
        Some(self.hold_of(newest, true))
    }

    /// Decides what to give back, and says what is held.
    pub(super) fn report(&mut self, now: UnixMillis) -> Vec<LeaseHold> {
        // After a jump back of the clock every end is zero: then the lease is to be renewed, not retired.
        let is_over = |held: &Held| held.period_ends_at.0 > 0 && held.period_ends_at <= now;
        if self.current.as_ref().is_some_and(is_over) {
            self.retire();
        }
        self.recent.measure(now);
        let is_idle = now.0.saturating_sub(self.touched_at.0) >= IDLE_MS;
        let (scarce, waiting, recent) = (self.scarce, self.waiting, self.recent.total());
        if let Some(held) = &mut self.current {
            let free = held.free();
            let keep = match scarce {
                // What pays for only some that wait, or none, may pay for one together with what others keep.
                true if free < waiting => 0,
                true => waiting,
                false => recent.max(waiting),
            };
            if is_idle && waiting == 0 && held.reserved() == 0 {
                held.done = true;
            } else if is_idle || scarce || free > keep.saturating_mul(2) && keep > 0 {
                held.returned = held.returned.saturating_add(free.saturating_sub(keep));
            }
        }
        for held in &mut self.draining {
            held.returned = held.returned.saturating_add(held.free());
            held.done |= held.reserved() == 0;
        }
        let current = self.current.iter().map(|held| self.hold_of(held, true));
        let draining = self.draining.iter().map(|held| self.hold_of(held, false));
        current.chain(draining).collect()
    }

    fn hold_of(&self, held: &Held, is_current: bool) -> LeaseHold {
        LeaseHold {
            budget_id: self.budget_id.clone(),
            lease_id: held.id,
            returned: held.returned,
            used: held.used(),
            waiting: if is_current { self.waiting } else { 0 },
            recent: if is_current { self.recent.total() } else { 0 },
            done: held.done,
        }
    }

    /// Reserves no more from the current lease.
    fn retire(&mut self) {
        if let Some(held) = self.current.take() {
            self.draining.push(held);
        }
        if self.draining.len() > MAX_DRAINING {
            self.draining.remove(0);
        }
    }

    /// Reserves again from a lease that was thought to be of a period that is over, while the ledger, whose clock
    /// counts, says that it is not.
    fn take_up(&mut self, id: LeaseId) {
        if self.current.is_some() {
            return;
        }
        let at = self.draining.iter().position(|held| held.id == id && !held.done);
        self.current = at.map(|at| self.draining.remove(at));
    }

    fn forget(&mut self, id: LeaseId, now: UnixMillis) {
        self.current.take_if(|held| held.id == id);
        self.draining.retain(|held| held.id != id);
        self.closed = self.closed.max(id);
        self.tomb_until = now.plus(TOMB_MS);
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for number in [
            self.amount,
            self.spent,
            u64::from(self.scarce),
            self.waiting,
            self.waiting_until.0,
            self.seen_at.0,
            self.touched_at.0,
            self.closed.0,
            self.tomb_until.0,
            u64::from(self.current.is_some()),
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        self.recent.encode(out);
        for held in self.all() {
            held.encode(out);
        }
    }

    pub(super) fn decode(budget_id: &str, bytes: &[u8]) -> Option<Self> {
        let reader = &mut Reader::new(bytes);
        let mut entry = Self {
            budget_id: budget_id.to_owned(),
            amount: reader.fixed_u64()?,
            spent: reader.fixed_u64()?,
            scarce: reader.fixed_u64()? == 1,
            waiting: reader.fixed_u64()?,
            waiting_until: UnixMillis(reader.fixed_u64()?),
            seen_at: UnixMillis(reader.fixed_u64()?),
            touched_at: UnixMillis(reader.fixed_u64()?),
            closed: LeaseId(reader.fixed_u64()?),
            tomb_until: UnixMillis(reader.fixed_u64()?),
            ..Self::default()
        };
        let has_current = reader.fixed_u64()? == 1;
        entry.recent = Recent::decode(reader)?;
        if has_current {
            entry.current = Some(Held::decode(reader)?);
        }
        while !reader.is_empty() {
            entry.draining.push(Held::decode(reader)?);
        }
        Some(entry)
    }

    /// How many bytes it takes, about.
    pub(super) fn size(&self) -> usize {
        self.all().map(Held::size).sum::<usize>() + 160
    }
}

/// What the ledger says of a budget and one lease of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) amount: u64,
    pub(super) spent: u64,
    pub(super) period_ends_in_ms: Option<u64>,
    pub(super) lease: &'a LeaseState,
}
