//! An entry written anew in one go: what has ended is settled, and where a worker asks for one, its share is taken.

use super::group::{Group, Limit};
use super::meter::{Clock, Meter, Settlement};
use super::receipt::Item;
use super::records::{self, Head, Record, Writer};
use super::share::{FEWEST_REQUESTS, Slot};
use super::take::Demand;
use crate::cells::{CellError, Cells, MAX_ROUNDS, Recall};
use crate::table::{Stamps, Subject};
use crate::time::UnixMillis;

/// What is to be settled with one limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settling {
    /// The limit's place in its group.
    pub(super) place: usize,
    /// The birth of the record that it was taken from.
    pub(super) taken_from: u32,
    pub(super) settlement: Settlement,
}

/// What a share is to be taken for: limits, as places in their group, and a request that it must pay for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) places: &'a [usize],
    pub(super) demand: Demand,
}

/// A group's entry of one subject, to be written anew.
pub(super) struct Rewriting<'a> {
    pub(super) group: &'a Group,
    pub(super) subject: Subject,
    pub(super) settlings: &'a [Settling],
    pub(super) now: UnixMillis,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    is_changed: bool,
    /// The clock had jumped back, or a limit has not plenty: no share.
    is_scarce: bool,
    slots: Vec<Slot>,
}

/// An entry that is being written.
struct Draft<'a, 's> {
    rewriting: &'a Rewriting<'a>,
    wanted: Option<Wanted<'a>>,
    writer: Writer<'a>,
    meter: &'a mut Meter,
    stamps: &'a mut Stamps<'s>,
    outcome: Outcome,
}

// === impl Rewriting ===

impl Rewriting<'_> {
    /// Settles. An entry where nothing changes is not written.
    ///
    /// # Errors
    /// The host's: nothing is settled then.
    pub(super) fn settle<C>(&self, cells: &C, recall: &Recall, meter: &mut Meter) -> Result<(), CellError>
    where
        C: Cells + ?Sized,
    {
        self.store(cells, recall, meter, None).map(|_| ())
    }

    /// Settles, and takes a share of all limits that are wanted; none where one of them has not plenty.
    ///
    /// # Errors
    /// The host's: nothing is settled or taken then.
    pub(super) fn take<C>(
        &self,
        cells: &C,
        recall: &Recall,
        meter: &mut Meter,
        wanted: Wanted<'_>,
    ) -> Result<Option<Vec<Slot>>, CellError>
    where
        C: Cells + ?Sized,
    {
        let slots = self.store(cells, recall, meter, Some(wanted))?;
        Ok((!slots.is_empty()).then_some(slots))
    }

    fn store<C>(
        &self,
        cells: &C,
        recall: &Recall,
        meter: &mut Meter,
        mut wanted: Option<Wanted<'_>>,
    ) -> Result<Vec<Slot>, CellError>
    where
        C: Cells + ?Sized,
    {
        let sets = &self.group.sets;
        let mut recalled = sets.recall(recall, self.subject, self.now);
        for _ in 0..MAX_ROUNDS {
            let mut opened = match recalled.take() {
                Some(opened) => opened,
                None => sets.open(cells, self.subject)?,
            };
            let mut write = |wanted| {
                sets.rewritten(&opened, self.now, |old, out, stamps| {
                    let draft = Draft {
                        rewriting: self,
                        wanted,
                        writer: Writer::new(out, self.now),
                        meter: &mut *meter,
                        stamps,
                        outcome: Outcome::default(),
                    };
                    draft.write(old)
                })
            };
            let (mut bytes, mut outcome) = write(wanted);
            if outcome.is_scarce {
                // Where it was only remembered, what it is now may be plenty; but there are requests to come.
                wanted = None;
                (bytes, outcome) = write(None);
            }
            if !outcome.is_changed {
                if opened.is_recalled() && !self.settlings.is_empty() {
                    // That nothing is to be written does not follow from what is only remembered.
                    continue;
                }
                return Ok(Vec::new());
            }
            match opened.store_and_recall(cells, bytes, recall, self.now) {
                Ok(()) => return Ok(outcome.slots),
                Err(CellError::Conflict) => {}
                Err(CellError::Unavailable) => break,
            }
        }
        Err(CellError::Unavailable)
    }
}

// === impl Draft ===

impl Draft<'_, '_> {
    /// Writes the entry, record by record, and those that it does not have yet.
    fn write(mut self, old: &[u8]) -> (UnixMillis, Outcome) {
        let limits = &self.rewriting.group.limits;
        let mut known = 0;
        for record in records::read(old) {
            let mut all = limits.iter().enumerate();
            match all.find(|(_, limit)| limit.id == record.id) {
                Some((place, limit)) => {
                    known += 1;
                    self.write_limit(place, limit, Some(&record));
                }
                None => self.writer.keep(&record),
            }
        }
        // Nearly always each limit has its record.
        if known < limits.len() {
            for (place, limit) in limits.iter().enumerate() {
                if records::read(old).all(|record| record.id != limit.id) {
                    self.write_limit(place, limit, None);
                }
            }
        }
        (self.writer.finish(), self.outcome)
    }

    fn write_limit(&mut self, place: usize, limit: &Limit, found: Option<&Record<'_>>) {
        let Rewriting {
            subject,
            settlings,
            now,
            ..
        } = *self.rewriting;
        let wanted = self.wanted.filter(|wanted| wanted.places.contains(&place));
        if wanted.is_none() && settlings.iter().all(|settling| settling.place != place) {
            return self.keep(found);
        }
        let opened = limit.open(subject, found, now, self.meter);
        let mut is_changed = false;
        for settling in settlings {
            // Where the record was evicted, reset, has refilled or was moved with the clock, there is nothing of ours in
            // it.
            let is_same = || opened.birth == Some(settling.taken_from);
            let Settling { settlement, .. } = *settling;
            if settling.place == place && (settlement.used > settlement.reserved || is_same()) {
                limit.rule.settle(self.meter, settlement, opened.clock);
                is_changed = true;
            }
        }
        let mut taken = None;
        if let Some(wanted) = wanted {
            taken = limit.share(self.meter, opened.clock, wanted.demand);
            self.outcome.is_scarce |= opened.clock.shifted || taken.is_none();
            is_changed |= taken.is_some();
        }
        self.outcome.is_changed |= is_changed;
        if !is_changed {
            return self.keep(found);
        }
        let head = Head {
            birth: opened.birth.unwrap_or_else(|| self.stamps.fresh()),
            generation: opened.generation,
        };
        self.writer.put(limit.id, head, &limit.rule, self.meter);
        if let Some(reserved) = taken {
            let item = Item {
                id: limit.id,
                birth: head.birth,
                reserved,
                reserved_at: UnixMillis(opened.clock.now_ms),
            };
            let snapshot = limit.rule.snapshot(self.meter, opened.clock);
            self.outcome.slots.push(Slot::new(place, item, snapshot));
        }
    }

    fn keep(&mut self, found: Option<&Record<'_>>) {
        if let Some(record) = found {
            self.writer.keep(record);
        }
    }
}

// === impl Limit ===

impl Limit {
    /// Takes a share, if there is plenty.
    fn share(&self, meter: &mut Meter, clock: Clock, demand: Demand) -> Option<u64> {
        let remaining = self.rule.level(meter, clock).remaining;
        let share = self.rule.share_of(remaining);
        let need = demand.of(self.count).max(1);
        let is_plenty = remaining >= self.quota / 2 && share >= need.saturating_mul(FEWEST_REQUESTS);
        if !is_plenty {
            return None;
        }
        self.rule.take(meter, share, clock).ok().map(|()| share)
    }
}
