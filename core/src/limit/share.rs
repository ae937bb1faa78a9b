//! A share: a part of a subject's limits that one worker has taken ahead, and admits requests from by itself.
//!
//! In the cell a share is nothing but an amount that was taken. Of that amount the worker knows by itself what is free,
//! which is what no request has taken, or one has given back. What follows:
//!
//! - Nothing is admitted twice: what is here is taken there. What of it has refilled meanwhile is not handed out
//!   ([`Rule::take_from_share`](super::meter::Rule::take_from_share)), and none of it after the slice of a sliding window in
//!   which it was taken.
//! - A worker that dies takes its share with it: it counts until it has refilled.
//! - A refusal waits for nobody's share. It is small ([`Rule::share_of`](super::meter::Rule::share_of)), does not last
//!   ([`LASTS_MS`]), and is taken only while a limit has half of its amount left: a worker that is refused what another one
//!   has ahead must have seen that half go meanwhile. What a worker has here never counts against its own requests.

use super::group::Group;
use super::meter::{Settlement, Snapshot};
use super::receipt::Item;
use super::rewriting::Settling;
use super::take::Demand;
use super::weigh::Line;
use crate::time::UnixMillis;

/// It is taken only where it is enough for so many requests like the one that needs it.
pub(super) const FEWEST_REQUESTS: u64 = 2;

/// For so many milliseconds requests are admitted from it.
const LASTS_MS: u64 = 500;

/// A worker's share of limits of one group, for one subject.
#[derive(Debug)]
pub(super) struct Share {
    /// In the order of the limits in their group.
    slots: Vec<Slot>,
    /// What ended meanwhile, and is no part of it: settled with it.
    others: Vec<Settling>,
    taken_at: UnixMillis,
    ends_at: UnixMillis,
}

/// The share of one limit.
#[derive(Debug)]
pub(super) struct Slot {
    /// The limit's place in its group.
    place: usize,
    /// What was taken from the limit.
    item: Item,
    /// How much of it no request has.
    free: u64,
    /// The limit with all of it taken.
    snapshot: Snapshot,
}

// === impl Share ===

impl Share {
    pub(super) fn new(mut slots: Vec<Slot>, now: UnixMillis) -> Self {
        slots.sort_unstable_by_key(|slot| slot.place);
        let ends = slots.iter().map(|slot| UnixMillis(slot.snapshot.good_until_ms));
        Self {
            ends_at: ends.fold(now.plus(LASTS_MS), UnixMillis::min),
            slots,
            others: Vec::new(),
            taken_at: now,
        }
    }

    /// Whether it is one of these limits, all of them and no others.
    pub(super) fn is_of(&self, places: &[usize]) -> bool {
        self.slots
            .iter()
            .map(|slot| slot.place)
            .eq(places.iter().copied())
    }

    /// Whether requests are admitted from it; not before it was taken, either: the clock has jumped back then.
    pub(super) fn lasts(&self, now: UnixMillis) -> bool {
        self.taken_at <= now && now < self.ends_at
    }

    /// Takes what a request needs from all limits, and appends their lines, or takes nothing.
    pub(super) fn take<'l>(
        &mut self,
        group: &'l Group,
        demand: Demand,
        now: UnixMillis,
        lines: &mut Vec<Line<'l>>,
    ) -> bool {
        let first = lines.len();
        for slot in &mut self.slots {
            let Some(line) = slot.take(group, demand, now) else {
                let taken = lines.drain(first..);
                for (slot, line) in self.slots.iter_mut().zip(taken) {
                    slot.free += line.item.reserved;
                }
                return false;
            };
            lines.push(line);
        }
        true
    }

    /// Settles what a request took, of this share or not.
    pub(super) fn settle(&mut self, settling: Settling) {
        let own = self.slots.iter_mut().find(|slot| slot.is_source_of(&settling));
        self.others.extend(match own {
            Some(slot) => slot.settle(settling),
            None => Some(settling),
        });
    }

    /// What is to be settled when it ends: what is free goes back.
    pub(super) fn ending(&self) -> Vec<Settling> {
        let free = self
            .slots
            .iter()
            .filter(|slot| slot.free > 0)
            .map(|slot| Settling {
                place: slot.place,
                taken_from: slot.item.birth,
                settlement: Settlement {
                    reserved_at_ms: slot.item.reserved_at.0,
                    reserved: slot.free,
                    used: 0,
                },
            });
        free.chain(self.others.iter().copied()).collect()
    }
}

// === impl Slot ===

impl Slot {
    /// One of which nothing is taken yet.
    pub(super) const fn new(place: usize, item: Item, snapshot: Snapshot) -> Self {
        Self {
            place,
            free: item.reserved,
            item,
            snapshot,
        }
    }

    fn take<'l>(&mut self, group: &'l Group, demand: Demand, now: UnixMillis) -> Option<Line<'l>> {
        let limit = group.limits.get(self.place)?;
        let amount = demand.of(limit.count);
        let (free, level) = limit
            .rule
            .take_from_share(&self.snapshot, self.free, amount, now.0)?;
        self.free = free;
        let item = Item {
            reserved: amount,
            ..self.item
        };
        Some(Line::taken(limit, item, level))
    }

    fn is_source_of(&self, settling: &Settling) -> bool {
        self.place == settling.place
            && self.item.birth == settling.taken_from
            && self.item.reserved_at.0 == settling.settlement.reserved_at_ms
    }

    /// Settles what was taken of it. What a request used beyond its reservation, and beyond what is free, is still to be
    /// settled.
    fn settle(&mut self, settling: Settling) -> Option<Settling> {
        let Settlement { reserved, used, .. } = settling.settlement;
        self.free += reserved.saturating_sub(used);
        let beyond = used.saturating_sub(reserved);
        let paid = beyond.min(self.free);
        self.free -= paid;
        let debt = beyond - paid;
        let settlement = Settlement {
            reserved: 0,
            used: debt,
            ..settling.settlement
        };
        (debt > 0).then_some(Settling {
            settlement,
            ..settling
        })
    }
}
